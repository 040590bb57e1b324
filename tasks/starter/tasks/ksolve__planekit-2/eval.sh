#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..a460c7d
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,19 @@
+import pytest
+
+from planekit.points import distance, midpoint
+
+
+@pytest.mark.parametrize(
+    ("a", "b", "expected"),
+    [((0, 0), (3, 4), 5), ((0, 4), (0, 0), 4), ((-1, -1), (4, 11), 13), ((2, 7), (2, 7), 0)],
+)
+def test_distances(a, b, expected):
+    assert distance(a, b) == pytest.approx(expected)
+
+
+def test_both_ways():
+    assert distance((1, 2), (7, -3)) == pytest.approx(distance((7, -3), (1, 2)))
+
+
+def test_midpoints():
+    assert midpoint((1, 2), (3, 8)) == (2, 5)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
