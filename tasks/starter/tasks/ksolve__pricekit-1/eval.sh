#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..ae2def7
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,15 @@
+import pytest
+
+from pricekit.prices import discounted, with_tax
+
+
+@pytest.mark.parametrize(
+    ("price", "percent", "expected"), [(80, 25, 60), (100, 10, 90), (50, 100, 0), (19.9, 50, 9.95)]
+)
+def test_prices(price, percent, expected):
+    assert discounted(price, percent) == pytest.approx(expected)
+
+
+def test_tax():
+    assert with_tax(80, 25) == pytest.approx(100)
+    assert discounted(1, 0) == 1
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
