#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..5aa9f4a
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,20 @@
+import math
+
+import pytest
+
+from planekit.angles import to_degrees, to_radians
+
+
+@pytest.mark.parametrize(
+    ("degrees", "radians"), [(180, math.pi), (360, 2 * math.pi), (-90, -math.pi / 2), (0, 0)]
+)
+def test_known_angles(degrees, radians):
+    assert to_radians(degrees) == pytest.approx(radians)
+
+
+def test_there_and_back():
+    assert to_degrees(to_radians(33)) == pytest.approx(33)
+
+
+def test_degrees():
+    assert to_degrees(math.pi / 2) == pytest.approx(90)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
