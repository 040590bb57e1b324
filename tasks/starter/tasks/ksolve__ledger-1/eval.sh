#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 8f09388faeeb429a4611992de22f650e7e53e88d -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..2b127c2
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,27 @@
+from decimal import Decimal
+
+import pytest
+
+from ledger import Amount, InvalidAmount
+
+
+def test_thousands_may_be_grouped():
+    assert Amount.parse("1,250.00 EUR") == Amount(Decimal("1250.00"), "EUR")
+
+
+def test_every_group_counts():
+    assert Amount.parse("-12,345,678 USD") == Amount(Decimal(-12345678), "USD")
+
+
+def test_what_str_wrote_is_read_back():
+    amount = Amount(Decimal("9876543.21"), "EUR")
+    assert Amount.parse(str(amount)) == amount
+
+
+def test_plain_numbers_are_read_as_before():
+    assert Amount.parse("1250 EUR") == Amount(Decimal(1250), "EUR")
+
+
+def test_text_is_still_refused():
+    with pytest.raises(InvalidAmount):
+        Amount.parse("one,two EUR")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
git checkout 8f09388faeeb429a4611992de22f650e7e53e88d -- tests
