#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..52a2700
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,23 @@
+from seqtools.grouping import chunked
+
+
+def test_one_item_left_over():
+    assert chunked([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
+    assert chunked(list("abcd"), 3) == [["a", "b", "c"], ["d"]]
+
+
+def test_two_items_left_over():
+    assert chunked([1, 2, 3, 4, 5], 3) == [[1, 2, 3], [4, 5]]
+
+
+def test_chunks_of_one():
+    assert chunked([1, 2, 3], 1) == [[1], [2], [3]]
+
+
+def test_a_list_of_one():
+    assert chunked([1], 4) == [[1]]
+
+
+def test_nothing_left_over():
+    assert chunked([1, 2, 3, 4, 5, 6], 3) == [[1, 2, 3], [4, 5, 6]]
+    assert chunked([], 3) == []
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
