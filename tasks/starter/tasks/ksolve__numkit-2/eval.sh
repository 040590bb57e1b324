#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..f914dda
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,31 @@
+import pytest
+
+from numkit.averages import median
+
+
+def test_four_numbers():
+    assert median([1, 2, 3, 4]) == 2.5
+
+
+def test_two_numbers():
+    assert median([10, 20]) == 15
+
+
+def test_six_numbers_in_any_order():
+    assert median([9, 1, 8, 2, 6, 4]) == 5
+
+
+def test_odd_lengths():
+    assert median([7]) == 7
+    assert median([5, 1, 4, 2, 3]) == 3
+
+
+def test_the_list_is_left_as_it_was():
+    numbers = [4, 1, 3, 2]
+    assert median(numbers) == 2.5
+    assert numbers == [4, 1, 3, 2]
+
+
+def test_no_numbers_are_refused():
+    with pytest.raises(ValueError):
+        median([])
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
