#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..81ba937
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,16 @@
+import pytest
+
+from pricekit.savings import compound_interest, simple_interest
+
+
+@pytest.mark.parametrize(
+    ("amount", "percent", "years", "expected"),
+    [(1000, 10, 2, 1210), (1000, 10, 3, 1331), (500, 100, 4, 8000), (700, 3, 0, 700)],
+)
+def test_growth(amount, percent, years, expected):
+    assert compound_interest(amount, percent, years) == pytest.approx(expected)
+
+
+def test_simple():
+    assert simple_interest(1000, 10, 2) == 1200
+    assert compound_interest(1000, 0, 1) == 1000
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
