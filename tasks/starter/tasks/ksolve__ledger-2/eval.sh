#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 08c11d6bb21fd12032d410f72f1095ff42db4adc -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..29b7130
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,21 @@
+from datetime import date
+
+
+def test_last_day_belongs_to_the_period(journal, transfer):
+    rent = transfer("2024-01-31", "Rent", "assets:bank", "expenses:other", "700 EUR")
+    assert list(journal.between(date(2024, 1, 1), date(2024, 1, 31))) == [rent]
+
+
+def test_period_of_one_day(journal, transfer):
+    rent = transfer("2024-01-31", "Rent", "assets:bank", "expenses:other", "700 EUR")
+    assert list(journal.between(date(2024, 1, 31), date(2024, 1, 31))) == [rent]
+
+
+def test_first_day_belongs_to_the_period(journal, transfer):
+    rent = transfer("2024-01-01", "Rent", "assets:bank", "expenses:other", "700 EUR")
+    assert list(journal.between(date(2024, 1, 1), date(2024, 1, 31))) == [rent]
+
+
+def test_next_day_does_not_belong_to_the_period(journal, transfer):
+    transfer("2024-02-01", "Rent", "assets:bank", "expenses:other", "700 EUR")
+    assert list(journal.between(date(2024, 1, 1), date(2024, 1, 31))) == []
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
git checkout 08c11d6bb21fd12032d410f72f1095ff42db4adc -- tests
