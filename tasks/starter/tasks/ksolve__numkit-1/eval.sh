#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..0643e3f
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,21 @@
+from numkit.primes import is_prime, primes_up_to
+
+
+def test_squares_of_primes():
+    assert [n for n in (4, 9, 25, 49, 121, 169, 961) if is_prime(n)] == []
+
+
+def test_products_of_near_primes():
+    assert [n for n in (6, 15, 35, 143, 323, 899) if is_prime(n)] == []
+
+
+def test_primes():
+    assert [n for n in (2, 3, 5, 7, 97, 101, 7919) if not is_prime(n)] == []
+
+
+def test_numbers_below_two():
+    assert [n for n in (-7, -1, 0, 1) if is_prime(n)] == []
+
+
+def test_all_to_thirty():
+    assert primes_up_to(30) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
