#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..48f851d
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,26 @@
+from datetime import date
+
+from calendry.ages import age
+
+
+def test_on_the_birthday():
+    assert age(date(1990, 5, 17), date(2024, 5, 17)) == 34
+    assert age(date(2000, 12, 31), date(2018, 12, 31)) == 18
+
+
+def test_on_the_day_of_birth():
+    assert age(date(2024, 1, 1), date(2024, 1, 1)) == 0
+
+
+def test_the_day_before():
+    assert age(date(1990, 5, 17), date(2024, 5, 16)) == 33
+    assert age(date(2000, 12, 31), date(2018, 12, 30)) == 17
+
+
+def test_the_day_after():
+    assert age(date(1990, 5, 17), date(2024, 5, 18)) == 34
+
+
+def test_other_months():
+    assert age(date(1990, 5, 17), date(2024, 6, 2)) == 34
+    assert age(date(1990, 5, 17), date(2024, 4, 30)) == 33
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
