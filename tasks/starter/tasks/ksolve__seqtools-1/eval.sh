#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..56ffe03
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,25 @@
+import pytest
+
+from seqtools.search import binary_search
+
+
+def test_last_item():
+    assert binary_search([1, 4, 9], 9) == 2
+
+
+def test_only_item():
+    assert binary_search([7], 7) == 0
+
+
+@pytest.mark.parametrize("length", [2, 5, 8, 13])
+def test_every_item(length):
+    items = [3 * i for i in range(length)]
+    assert [binary_search(items, item) for item in items] == list(range(length))
+
+
+def test_items_that_are_not_there():
+    assert [binary_search([2, 4, 6, 8], target) for target in (1, 3, 5, 7, 9)] == [-1] * 5
+
+
+def test_empty_list():
+    assert binary_search([], 1) == -1
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
