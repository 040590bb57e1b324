#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..92d26d2
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,17 @@
+import pytest
+
+from wordkit.checks import is_anagram
+
+
+@pytest.mark.parametrize(("first", "second"), [("aab", "abb"), ("see", "seesees"), ("to", "too")])
+def test_not_as_often(first, second):
+    assert not is_anagram(first, second)
+
+
+@pytest.mark.parametrize(("first", "second"), [("tree", "reet"), ("night", "thing")])
+def test_anagrams(first, second):
+    assert is_anagram(first, second)
+
+
+def test_other_letters():
+    assert not is_anagram("night", "knight")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
