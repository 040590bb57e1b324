#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout f7175dbb3205bf7384a1d2f93d79e1fc70be73ca -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..30bda7c
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,26 @@
+from formula import evaluate
+
+
+def test_differences_group_from_the_left():
+    assert evaluate("10 - 4 - 3") == 3
+
+
+def test_quotients_group_from_the_left():
+    assert evaluate("24 / 4 / 2") == 3
+
+
+def test_mixed_operators_of_one_level():
+    assert evaluate("10 - 4 + 3") == 9
+
+
+def test_powers_group_from_the_right():
+    assert evaluate("2 ^ 3 ^ 2") == 512
+
+
+def test_levels_are_kept_apart():
+    assert evaluate("2 + 3 * 4") == 14
+    assert evaluate("2 * 3 + 4") == 10
+
+
+def test_parentheses_go_first():
+    assert evaluate("10 - (4 - 3)") == 9
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
git checkout f7175dbb3205bf7384a1d2f93d79e1fc70be73ca -- tests
