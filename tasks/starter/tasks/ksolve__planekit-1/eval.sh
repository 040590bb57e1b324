#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..1aa4e4f
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,19 @@
+import math
+
+import pytest
+
+from planekit.circles import circle_area, circumference, sector_area
+
+
+@pytest.mark.parametrize("radius", [1, 3, 10, 0.5])
+def test_areas(radius):
+    assert circle_area(radius) == pytest.approx(math.pi * radius * radius)
+
+
+def test_a_quarter():
+    assert sector_area(4, 90) == pytest.approx(4 * math.pi)
+
+
+def test_lengths():
+    assert circumference(1) == pytest.approx(2 * math.pi)
+    assert circle_area(0) == 0
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
