#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 02a7be84fed5f6ddd5c83f215aa050d27cc94faf -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..e564b0d
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,27 @@
+import pytest
+
+from ledger import Amount, balance
+
+
+@pytest.fixture
+def with_bankers_draft(journal, transfer):
+    journal.chart.open("assets:bankersdraft", "EUR")
+    journal.chart.open("assets:bank:savings", "EUR")
+    transfer("2024-01-01", "Employer", "income:salary", "assets:bank", "100 EUR")
+    transfer("2024-01-02", "Deposit", "assets:bank", "assets:bank:savings", "40 EUR")
+    transfer("2024-01-03", "Draft", "assets:cash", "assets:bankersdraft", "500 EUR")
+    return journal
+
+
+def test_account_with_a_longer_name_is_another_account(with_bankers_draft):
+    assert balance(with_bankers_draft, "assets:bank") == Amount.parse("100 EUR")
+
+
+def test_chart_does_not_list_it_either(with_bankers_draft):
+    names = [account.name for account in with_bankers_draft.chart.within("assets:bank")]
+    assert names == ["assets:bank", "assets:bank:savings"]
+
+
+def test_accounts_below_are_taken_in(with_bankers_draft):
+    assert balance(with_bankers_draft, "assets:bank:savings") == Amount.parse("40 EUR")
+    assert balance(with_bankers_draft, "assets") == Amount.parse("100 EUR")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
git checkout 02a7be84fed5f6ddd5c83f215aa050d27cc94faf -- tests
