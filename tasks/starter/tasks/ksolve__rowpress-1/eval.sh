#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 5ef3e13a4b7f01c42b16e63eb0cbaf42cfd965f8 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..d328b59
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,41 @@
+from rowpress import Column, Report, grouped, read_records
+
+COLUMNS = [Column("team"), Column("hours", "whole")]
+
+
+def sums(text):
+    groups = grouped(read_records("team,hours\n" + text, COLUMNS), "team", ["hours"])
+    return [(group.key, group.totals["hours"]) for group in groups]
+
+
+def test_rows_without_a_team_come_first():
+    assert sums(",3\nBlue,4\n") == [(None, 3), ("Blue", 4)]
+
+
+def test_rows_without_a_team_come_between_others():
+    assert sums("Blue,4\n,3\n,2\nRed,1\n") == [("Blue", 4), (None, 5), ("Red", 1)]
+
+
+def test_they_are_labelled_in_the_report():
+    report = Report(COLUMNS, group_by="team", totals=["hours"], page={"numbers": False})
+    text = report.render(read_records("team,hours\n,3\nBlue,4\n", COLUMNS))
+    assert [line.split() for line in text.splitlines()[2:]] == [
+        ["3"],
+        ["Total", "-", "3"],
+        ["Blue", "4"],
+        ["Total", "Blue", "4"],
+        ["================="],
+        ["Total", "7"],
+    ]
+
+
+def test_rows_without_a_team_come_last():
+    assert sums("Blue,4\n,3\n,2\n") == [("Blue", 4), (None, 5)]
+
+
+def test_only_rows_without_a_team():
+    assert sums(",3\n,4\n") == [(None, 7)]
+
+
+def test_a_team_may_come_back():
+    assert sums("Blue,1\nRed,2\nBlue,4\n") == [("Blue", 1), ("Red", 2), ("Blue", 4)]
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
git checkout 5ef3e13a4b7f01c42b16e63eb0cbaf42cfd965f8 -- tests
