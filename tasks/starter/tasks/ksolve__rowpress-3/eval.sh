#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 9e987c30283a269e6b2fd846d7d2499360d72d62 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..14ef0e8
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,31 @@
+from decimal import Decimal
+
+from rowpress import Column, Report
+from rowpress.locales import locale_named
+
+EN = locale_named("en")
+
+
+def test_decimal_columns_have_digits_of_their_own():
+    columns = [Column("price", "decimal", digits=4), Column("sum", "decimal", digits=2)]
+    text = Report(columns, page={"numbers": False}).render([{"price": 0.0625, "sum": 12.5}])
+    assert text.splitlines()[2].split() == ["0.0625", "12.50"]
+
+
+def test_the_other_way_round():
+    columns = [Column("sum", "decimal", digits=1), Column("price", "decimal", digits=3)]
+    assert [column.show(Decimal("0.25"), EN) for column in columns] == ["0.3", "0.250"]
+
+
+def test_percent_columns_have_digits_of_their_own():
+    columns = [Column("a", "percent", digits=2), Column("b", "percent")]
+    assert [column.show(Decimal("0.125"), EN) for column in columns] == ["12.50%", "13%"]
+
+
+def test_columns_with_the_same_digits():
+    columns = [Column("a", "decimal"), Column("b", "decimal")]
+    assert {column.show(Decimal("0.5"), EN) for column in columns} == {"0.50"}
+
+
+def test_a_percent_is_still_read():
+    assert Column("a", "percent").read("12.5%") == Decimal("0.125")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
git checkout 9e987c30283a269e6b2fd846d7d2499360d72d62 -- tests
