#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..1c77cbf
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,40 @@
+from datetime import datetime
+
+import pytest
+
+from cronlite import CronExpression
+
+# 5 May 2024 is a Sunday.
+
+
+@pytest.mark.parametrize(
+    ("name", "day"),
+    [("SUN", 5), ("MON", 6), ("TUE", 7), ("WED", 8), ("THU", 9), ("FRI", 10), ("SAT", 11)],
+)
+def test_each_day_by_name(name, day):
+    weekly = CronExpression.parse(f"0 8 * * {name}")
+    assert weekly.next_run(datetime(2024, 5, 4, 12, 0)) == datetime(2024, 5, day, 8, 0)
+
+
+@pytest.mark.parametrize("number", ["0", "7"])
+def test_sunday_has_two_numbers(number):
+    weekly = CronExpression.parse(f"0 8 * * {number}")
+    assert weekly.matches(datetime(2024, 5, 5, 8, 0))
+    assert not weekly.matches(datetime(2024, 5, 6, 8, 0))
+
+
+def test_working_days():
+    work = CronExpression.parse("0 8 * * MON-FRI")
+    due = [day for day in range(5, 12) if work.matches(datetime(2024, 5, day, 8, 0))]
+    assert due == [6, 7, 8, 9, 10]
+
+
+def test_either_day_is_enough():
+    either = CronExpression.parse("0 0 13 * FRI")
+    assert either.next_run(datetime(2024, 5, 4)) == datetime(2024, 5, 10)
+    assert either.next_run(datetime(2024, 5, 10)) == datetime(2024, 5, 13)
+
+
+def test_every_day():
+    daily = CronExpression.parse("0 8 * * *")
+    assert daily.next_run(datetime(2024, 5, 4, 9, 0)) == datetime(2024, 5, 5, 8, 0)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
