#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..d7d1d12
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,30 @@
+import pytest
+
+from pathrouter import Router
+
+PATTERNS = {"profile": "/users/me", "user": "/users/<name>", "any": "/<path:rest>"}
+
+
+@pytest.mark.parametrize("order", ["profile-user-any", "any-user-profile"])
+def test_literal_segments_win(order):
+    router = Router()
+    for name in order.split("-"):
+        router.add(PATTERNS[name], name)
+    assert router.match("/users/me").name == "profile"
+    assert router.match("/users/ann").name == "user"
+    assert router.match("/about/us").params == {"rest": "about/us"}
+
+
+def test_more_literal_segments_win():
+    router = Router()
+    router.add("/<section>/<page>/edit", "edit")
+    router.add("/docs/<page>/edit", "edit_docs")
+    assert router.match("/docs/intro/edit").name == "edit_docs"
+    assert router.match("/blog/intro/edit").name == "edit"
+
+
+def test_the_method_still_decides():
+    router = Router()
+    router.add("/users/me", "profile")
+    router.add("/users/<name>", "remove", methods=["DELETE"])
+    assert router.match("/users/me", "DELETE").name == "remove"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
