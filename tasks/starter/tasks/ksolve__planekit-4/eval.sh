#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_4.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_4.py b/tests/test_issue_4.py
new file mode 100644
index 0000000..4a7fe18
--- /dev/null
+++ b/tests/test_issue_4.py
@@ -0,0 +1,22 @@
+import math
+
+import pytest
+
+from planekit.triangles import is_triangle, triangle_area
+
+
+@pytest.mark.parametrize(
+    ("sides", "area"), [((3, 4, 5), 6), ((5, 5, 6), 12), ((13, 14, 15), 84)]
+)
+def test_areas(sides, area):
+    assert triangle_area(*sides) == pytest.approx(area)
+
+
+def test_equal_sides():
+    assert triangle_area(2, 2, 2) == pytest.approx(math.sqrt(3))
+
+
+def test_sides_that_do_not_meet():
+    assert not is_triangle(1, 1, 2)
+    with pytest.raises(ValueError):
+        triangle_area(1, 1, 3)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_4.py
