#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..bf41537
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,25 @@
+from seqtools.merging import merge_sorted
+
+
+def test_second_list_holds_the_largest():
+    assert merge_sorted([1, 2], [3, 4]) == [1, 2, 3, 4]
+    assert merge_sorted([1, 5], [2, 6, 7, 9]) == [1, 2, 5, 6, 7, 9]
+
+
+def test_first_list_is_empty():
+    assert merge_sorted([], [1, 2]) == [1, 2]
+
+
+def test_first_list_holds_the_largest():
+    assert merge_sorted([3, 4], [1, 2]) == [1, 2, 3, 4]
+    assert merge_sorted([2], []) == [2]
+
+
+def test_equal_items_are_all_kept():
+    assert merge_sorted([1, 1, 2], [1, 2, 2]) == [1, 1, 1, 2, 2, 2]
+
+
+def test_the_lists_are_left_as_they_were():
+    left, right = [1, 3], [2, 4]
+    assert merge_sorted(left, right) == [1, 2, 3, 4]
+    assert (left, right) == ([1, 3], [2, 4])
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
