#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..13bdc5a
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,24 @@
+from textfold import format_table
+
+
+def test_longest_cell_first():
+    assert format_table(["name", "size"], [["notes-2023.txt", 12], ["a.txt", 7]]) == (
+        "name            size\n"
+        "--------------  ----\n"
+        "notes-2023.txt  12\n"
+        "a.txt           7"
+    )
+
+
+def test_longest_cell_in_the_middle():
+    assert format_table(["id"], [["a"], ["abcdef"], ["b"]], align="r") == (
+        "    id\n------\n     a\nabcdef\n     b"
+    )
+
+
+def test_longest_cell_last():
+    assert format_table(["id"], [["a"], ["abcd"]]) == "id\n----\na\nabcd"
+
+
+def test_header_is_the_longest():
+    assert format_table(["identity"], [["a"]]) == "identity\n--------\na"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
