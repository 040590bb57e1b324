#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..316580f
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,24 @@
+from calendry.leap import days_in_year, is_leap_year
+from calendry.months import days_in_month
+
+
+def test_the_year_2000():
+    assert is_leap_year(2000) is True
+
+
+def test_other_multiples_of_400():
+    assert [year for year in (1600, 2400, 2800) if is_leap_year(year)] == [1600, 2400, 2800]
+
+
+def test_other_centuries():
+    assert [year for year in (1700, 1800, 1900, 2100) if is_leap_year(year)] == []
+
+
+def test_common_and_leap_years():
+    assert [year for year in range(2019, 2030) if is_leap_year(year)] == [2020, 2024, 2028]
+
+
+def test_lengths():
+    assert days_in_year(2000) == 366
+    assert days_in_month(2000, 2) == 29
+    assert days_in_month(1900, 2) == 28
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
