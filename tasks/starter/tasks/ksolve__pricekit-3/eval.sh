#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..8b6c27d
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,16 @@
+import pytest
+
+from pricekit.changes import percent_change, percent_of
+
+
+@pytest.mark.parametrize(
+    ("old", "new", "expected"), [(50, 75, 50), (100, 50, -50), (20, 60, 200), (10, 0, -100)]
+)
+def test_changes(old, new, expected):
+    assert percent_change(old, new) == pytest.approx(expected)
+
+
+def test_nothing_to_compare_with():
+    with pytest.raises(ValueError):
+        percent_change(0, 5)
+    assert percent_of(3, 0) == 0
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
