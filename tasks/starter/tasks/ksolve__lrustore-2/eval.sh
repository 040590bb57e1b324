#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout f9a5a4291be25a800946de0b000b2c43f3d93ea2 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..582fcba
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,39 @@
+from lrustore import Cache
+
+
+def test_overwriting_evicts_nothing():
+    cache = Cache(2)
+    cache.set("a", 1)
+    cache.set("b", 2)
+    cache.set("b", 3)
+    assert cache.get("a") == 1
+    assert cache.get("b") == 3
+    assert cache.stats.evictions == 0
+
+
+def test_overwriting_the_next_victim_evicts_nothing():
+    cache = Cache(2)
+    cache.set("a", 1)
+    cache.set("b", 2)
+    cache.set("a", 3)
+    assert len(cache) == 2
+    assert cache.stats.evictions == 0
+
+
+def test_overwriting_counts_as_use():
+    cache = Cache(3)
+    cache.set("a", 1)
+    cache.set("b", 2)
+    cache.set("a", 3)
+    cache.set("c", 4)
+    cache.set("d", 5)
+    assert "a" in cache
+    assert "b" not in cache
+
+
+def test_new_key_still_evicts():
+    cache = Cache(2)
+    for key in "abc":
+        cache.set(key, 1)
+    assert len(cache) == 2
+    assert cache.stats.evictions == 1
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
git checkout f9a5a4291be25a800946de0b000b2c43f3d93ea2 -- tests
