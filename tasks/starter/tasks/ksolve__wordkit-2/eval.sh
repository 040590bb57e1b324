#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..943be73
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,13 @@
+import pytest
+
+from wordkit.checks import is_palindrome
+
+
+@pytest.mark.parametrize("word", ["Anna", "Otto", "LeveL", "NOON", "Radar"])
+def test_capitals(word):
+    assert is_palindrome(word)
+
+
+@pytest.mark.parametrize("word", ["Annie", "Ab"])
+def test_others(word):
+    assert not is_palindrome(word)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
