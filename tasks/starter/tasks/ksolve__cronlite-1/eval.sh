#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..275870f
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,27 @@
+import pytest
+
+from cronlite import RetryPolicy
+
+
+def test_the_first_wait_is_the_base_delay():
+    assert RetryPolicy(base_delay=1).delay(1) == 1
+    assert RetryPolicy(base_delay=0.5, factor=3).delay(1) == 0.5
+
+
+def test_each_wait_is_a_multiple_of_the_one_before():
+    assert list(RetryPolicy(max_attempts=4, base_delay=1).delays()) == [1, 2, 4]
+    assert list(RetryPolicy(max_attempts=4, base_delay=2, factor=3).delays()) == [2, 6, 18]
+
+
+def test_total():
+    assert RetryPolicy(max_attempts=5, base_delay=1).total() == 15
+
+
+def test_the_cap_comes_in_at_the_right_attempt():
+    policy = RetryPolicy(max_attempts=6, base_delay=10, max_delay=40)
+    assert list(policy.delays()) == [10, 20, 40, 40, 40]
+
+
+def test_attempts_are_counted_from_one():
+    with pytest.raises(ValueError):
+        RetryPolicy().delay(0)
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
