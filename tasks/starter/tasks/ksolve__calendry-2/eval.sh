#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..2cc1d7e
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,23 @@
+from calendry.clock import format_duration
+
+
+def test_an_hour_and_some_minutes():
+    assert format_duration(3725) == "01:02:05"
+
+
+def test_whole_hours():
+    assert format_duration(3600) == "01:00:00"
+    assert format_duration(36000) == "10:00:00"
+
+
+def test_a_second_before_the_day_is_over():
+    assert format_duration(86399) == "23:59:59"
+
+
+def test_more_than_a_day():
+    assert format_duration(100000) == "27:46:40"
+
+
+def test_less_than_an_hour():
+    assert format_duration(59) == "00:00:59"
+    assert format_duration(3599) == "00:59:59"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
