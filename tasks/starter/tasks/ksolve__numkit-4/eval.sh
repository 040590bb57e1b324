#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_4.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_4.py b/tests/test_issue_4.py
new file mode 100644
index 0000000..2eb126d
--- /dev/null
+++ b/tests/test_issue_4.py
@@ -0,0 +1,27 @@
+import pytest
+
+from numkit.roman import to_roman
+
+
+@pytest.mark.parametrize(
+    ("number", "numeral"),
+    [(90, "XC"), (94, "XCIV"), (99, "XCIX"), (1994, "MCMXCIV"), (3999, "MMMCMXCIX")],
+)
+def test_nineties(number, numeral):
+    assert to_roman(number) == numeral
+
+
+def test_neighbours_of_the_nineties():
+    assert to_roman(89) == "LXXXIX"
+    assert to_roman(100) == "C"
+
+
+def test_other_numbers():
+    assert [to_roman(number) for number in (1, 4, 9, 44, 400, 900)] == [
+        "I",
+        "IV",
+        "IX",
+        "XLIV",
+        "CD",
+        "CM",
+    ]
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_4.py
