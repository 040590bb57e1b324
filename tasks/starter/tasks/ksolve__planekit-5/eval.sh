#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_5.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_5.py b/tests/test_issue_5.py
new file mode 100644
index 0000000..4f51bb4
--- /dev/null
+++ b/tests/test_issue_5.py
@@ -0,0 +1,17 @@
+import pytest
+
+from planekit.boxes import diagonal, rectangle_area, rectangle_perimeter
+
+
+@pytest.mark.parametrize(("width", "height", "length"), [(2, 3, 10), (3, 2, 10), (0.5, 0.5, 2)])
+def test_lengths(width, height, length):
+    assert rectangle_perimeter(width, height) == pytest.approx(length)
+
+
+def test_square():
+    assert rectangle_perimeter(5, 5) == 20
+
+
+def test_other_measures():
+    assert rectangle_area(2, 3) == 6
+    assert diagonal(6, 8) == 10
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_5.py
