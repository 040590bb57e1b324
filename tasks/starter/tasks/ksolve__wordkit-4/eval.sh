#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_4.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_4.py b/tests/test_issue_4.py
new file mode 100644
index 0000000..bd7f9c9
--- /dev/null
+++ b/tests/test_issue_4.py
@@ -0,0 +1,21 @@
+from wordkit.order import reverse_words, sort_words
+
+
+def test_two_words():
+    assert reverse_words("one two") == "two one"
+
+
+def test_many_words():
+    assert reverse_words("to be  or not") == "not or be to"
+
+
+def test_a_single_word():
+    assert reverse_words("again") == "again"
+
+
+def test_nothing():
+    assert reverse_words("") == ""
+
+
+def test_sorted():
+    assert sort_words(["two", "One"]) == ["One", "two"]
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_4.py
