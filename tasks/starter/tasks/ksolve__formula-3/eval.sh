#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 4adce9d0761f43b2a7c47666ba4c9ec6afeb90dd -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..02d4866
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,25 @@
+import pytest
+
+from formula import evaluate, parse, render
+
+
+@pytest.mark.parametrize(
+    "source",
+    ["10 - (4 - 3)", "24 / (4 / 2)", "10 - (4 + 3)", "2 * (6 / 4)"],
+    ids=["difference", "quotient", "sum", "product"],
+)
+def test_right_side_keeps_its_parentheses(source):
+    assert render(parse(source)) == source
+    assert evaluate(render(parse(source))) == evaluate(source)
+
+
+def test_left_side_needs_none():
+    assert render(parse("(10 - 4) - 3")) == "10 - 4 - 3"
+
+
+def test_stronger_operators_need_none():
+    assert render(parse("10 - (4 * 3)")) == "10 - 4 * 3"
+
+
+def test_base_of_a_power_keeps_its_parentheses():
+    assert render(parse("(2 ^ 3) ^ 2")) == "(2 ^ 3) ^ 2"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
git checkout 4adce9d0761f43b2a7c47666ba4c9ec6afeb90dd -- tests
