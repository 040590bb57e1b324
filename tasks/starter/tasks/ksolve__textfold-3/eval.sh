#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_3.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..cdfcb75
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,25 @@
+from textfold import fill, wrap
+
+
+def test_indented_lines_stay_within_the_width():
+    assert wrap("one two three four five six", 14, subsequent_indent="      ") == [
+        "one two three",
+        "      four",
+        "      five six",
+    ]
+
+
+def test_room_of_a_long_first_indent_is_used_afterwards():
+    assert wrap("aa bb cc dd", 8, initial_indent="note: ") == ["note: aa", "bb cc dd"]
+
+
+def test_no_line_of_a_paragraph_is_too_long():
+    text = fill("the quick brown fox jumps over the lazy dog " * 3, 20, subsequent_indent="    ")
+    assert max(len(line) for line in text.split("\n")) <= 20
+
+
+def test_equal_indents():
+    assert wrap("one two three", 9, initial_indent="- ", subsequent_indent="  ") == [
+        "- one two",
+        "  three",
+    ]
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
