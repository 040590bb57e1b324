#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..c41aae1
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,17 @@
+import pytest
+
+from wordkit.counting import count_vowels, count_words
+
+
+@pytest.mark.parametrize(("text", "count"), [("guru", 2), ("music", 2), ("UNUSUAL", 4)])
+def test_vowels(text, count):
+    assert count_vowels(text) == count
+
+
+def test_each_vowel():
+    assert [count_vowels(letter) for letter in "aeiou"] == [1] * 5
+
+
+def test_consonants():
+    assert count_vowels("bcdfg, xyz!") == 0
+    assert count_words("guru  music") == 2
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
