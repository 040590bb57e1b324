#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..8530b2f
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,23 @@
+from textfold import truncate, truncate_middle
+
+
+def test_text_of_exactly_the_width_is_unchanged():
+    assert truncate("spare time", 10) == "spare time"
+
+
+def test_text_as_short_as_the_ellipsis():
+    assert truncate("abc", 3) == "abc"
+
+
+def test_one_character_more_is_cut():
+    assert truncate("spare times", 10) == "spare t..."
+    assert len(truncate("abcdefghijk", 10)) == 10
+
+
+def test_other_ellipsis():
+    assert truncate("abcdef", 6, ellipsis="~") == "abcdef"
+    assert truncate("abcdefg", 6, ellipsis="~") == "abcde~"
+
+
+def test_middle_of_exactly_the_width():
+    assert truncate_middle("spare time", 10) == "spare time"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
