#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 09d2aaaee0f2ec6bdc3d967ef38ab1b47c4a2b31 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..0cf5316
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,19 @@
+from lrustore import Cache, Stats
+
+
+def test_unused_cache_has_a_hit_rate():
+    assert Cache(3).stats.hit_rate == 0.0
+
+
+def test_reset_cache_has_a_summary():
+    stats = Stats(hits=3, misses=1)
+    stats.reset()
+    assert stats.summary() == "0 lookups, 0% hits, 0 evicted, 0 expired"
+
+
+def test_hit_rate_counts_hits():
+    assert Stats(hits=3, misses=1).hit_rate == 0.75
+
+
+def test_only_misses():
+    assert Stats(misses=2).hit_rate == 0.0
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
git checkout 09d2aaaee0f2ec6bdc3d967ef38ab1b47c4a2b31 -- tests
