#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 4871937964b3ac16a9962745d8af1192af0bc5a8 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..cd127f7
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,36 @@
+from rowpress import Column, Report
+
+COLUMNS = [Column("item")]
+RECORDS = [{"item": name} for name in ("ink", "pen", "pad", "cap")]
+USUAL = {"lines": 60, "numbers": True}
+
+
+def test_list_after_labels_fits_on_one_page():
+    Report(COLUMNS, page={"lines": 2, "numbers": False}).render(RECORDS)
+    (page,) = Report(COLUMNS).pages(RECORDS)
+    assert page.endswith("\n- 1 of 1 -")
+
+
+def test_report_made_before_is_not_changed():
+    labels = Report(COLUMNS, page={"lines": 2})
+    Report(COLUMNS, page={"lines": 3})
+    Report(COLUMNS, page=USUAL)
+    assert len(labels.pages(RECORDS)) == 2
+
+
+def test_rules_of_one_report_are_its_own():
+    ruled = Report(COLUMNS, page=USUAL, rule={"head": "*"})
+    plain = Report(COLUMNS, page=USUAL, rule={"head": "-"})
+    assert ruled.pages(RECORDS)[0].splitlines()[1] == "****"
+    assert plain.pages(RECORDS)[0].splitlines()[1] == "----"
+
+
+def test_settings_that_are_not_given_stay_as_usual():
+    pages = Report(COLUMNS, page=USUAL, rule={"total": "="}).pages(RECORDS)
+    assert pages[0].splitlines()[:2] == ["Item", "----"]
+
+
+def test_settings_of_the_caller_are_left_alone():
+    mine = {"lines": 2}
+    Report(COLUMNS, page=mine)
+    assert mine == {"lines": 2}
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
git checkout 4871937964b3ac16a9962745d8af1192af0bc5a8 -- tests
