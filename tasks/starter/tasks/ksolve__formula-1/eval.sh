#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 117f09fa128f4cfae23d6979be60446186a32720 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..2884625
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,21 @@
+import pytest
+
+from formula import EvaluationError, evaluate
+
+
+def test_small_letters():
+    assert evaluate("sum(1, 2)") == 3
+
+
+def test_mixed_letters():
+    assert evaluate('Upper("abc")') == "ABC"
+    assert evaluate("Max(1, round(2.6))") == 3
+
+
+def test_capital_letters():
+    assert evaluate("SUM(1, 2)") == 3
+
+
+def test_unknown_function_is_named_as_written():
+    with pytest.raises(EvaluationError, match="function foo"):
+        evaluate("foo(1)")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
git checkout 117f09fa128f4cfae23d6979be60446186a32720 -- tests
