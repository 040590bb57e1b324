#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..2038c76
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,32 @@
+import pytest
+
+from pathrouter import Router
+
+
+@pytest.fixture
+def router():
+    router = Router()
+    router.add("/files/<path:name>", "file")
+    router.add("/tags/<tag>", "tag")
+    router.add("/users/<int:id>", "user")
+    return router
+
+
+def test_addresses_are_escaped(router):
+    assert router.url_for("file", name="my notes/café.txt") == "/files/my%20notes/caf%C3%A9.txt"
+    assert router.url_for("tag", tag="rock & roll") == "/tags/rock%20%26%20roll"
+
+
+def test_parameters_are_decoded(router):
+    assert router.match("/files/my%20notes/caf%C3%A9.txt").params == {"name": "my notes/café.txt"}
+    assert router.match("/tags/100%25").params == {"tag": "100%"}
+
+
+def test_there_and_back(router):
+    for tag in ["a b", "100%", "what?", "ünï#1"]:
+        assert router.match(router.url_for("tag", tag=tag)).params == {"tag": tag}
+
+
+def test_plain_values(router):
+    assert router.url_for("user", id=7) == "/users/7"
+    assert router.match("/tags/jazz").params == {"tag": "jazz"}
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
