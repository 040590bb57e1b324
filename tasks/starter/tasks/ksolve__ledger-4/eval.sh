#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 7577cd0c0044afca209708a9ec2efb479d877247 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_4.py b/tests/test_issue_4.py
new file mode 100644
index 0000000..f903a81
--- /dev/null
+++ b/tests/test_issue_4.py
@@ -0,0 +1,31 @@
+import pytest
+
+from ledger import Amount, CsvImporter, ImportResult, balance
+
+HEAD = "date,payee,amount\n"
+COFFEE = "2024-03-01,Cafe,-3.00 EUR\n"
+LUNCH = "2024-03-01,Canteen,-8.00 EUR\n"
+
+
+@pytest.fixture
+def importer():
+    return CsvImporter("assets:bank", [], default="expenses:food")
+
+
+def test_equal_rows_of_one_export_are_all_posted(importer, journal):
+    assert importer.load(HEAD + COFFEE + COFFEE, journal) == ImportResult(added=2, skipped=0)
+    assert balance(journal, "expenses:food") == Amount.parse("6 EUR")
+
+
+def test_same_export_twice_still_adds_nothing(importer, journal):
+    importer.load(HEAD + COFFEE + LUNCH + COFFEE, journal)
+    again = importer.load(HEAD + COFFEE + LUNCH + COFFEE, journal)
+    assert again == ImportResult(added=0, skipped=3)
+    assert balance(journal, "expenses:food") == Amount.parse("14 EUR")
+
+
+def test_later_export_adds_only_what_is_new(importer, journal):
+    importer.load(HEAD + COFFEE, journal)
+    later = importer.load(HEAD + COFFEE + LUNCH + COFFEE, journal)
+    assert later == ImportResult(added=2, skipped=1)
+    assert balance(journal, "expenses:food") == Amount.parse("14 EUR")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_4.py
git checkout 7577cd0c0044afca209708a9ec2efb479d877247 -- tests
