#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..bf7213b
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,14 @@
+import pytest
+
+from numkit.convert import celsius_to_fahrenheit
+
+
+@pytest.mark.parametrize(
+    ("celsius", "fahrenheit"), [(100, 212), (37, 98.6), (-40, -40), (20, 68), (0, 32)]
+)
+def test_known_temperatures(celsius, fahrenheit):
+    assert celsius_to_fahrenheit(celsius) == pytest.approx(fahrenheit)
+
+
+def test_half_degrees():
+    assert celsius_to_fahrenheit(22.5) == pytest.approx(72.5)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
