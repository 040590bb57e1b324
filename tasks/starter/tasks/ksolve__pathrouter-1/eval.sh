#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..c52f069
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,21 @@
+from pathrouter import merge_query, parse_query
+
+
+def test_value_with_equals_signs():
+    assert parse_query("page=2&token=YWJjZA==") == {"page": ["2"], "token": ["YWJjZA=="]}
+
+
+def test_value_that_is_an_equation():
+    assert parse_query("filter=size=10&filter=a=b=c") == {"filter": ["size=10", "a=b=c"]}
+
+
+def test_merging_keeps_such_values():
+    assert merge_query("/list?token=ab==", {"page": 3}) == "/list?token=ab%3D%3D&page=3"
+
+
+def test_name_alone_and_empty_value():
+    assert parse_query("debug&x=&y=1") == {"debug": [""], "x": [""], "y": ["1"]}
+
+
+def test_empty_pieces_are_skipped():
+    assert parse_query("a=1&&b=2&") == {"a": ["1"], "b": ["2"]}
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
