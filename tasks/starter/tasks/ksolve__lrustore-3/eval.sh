#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout ee81107c03f0c674d32365e256f4c0969d55b6b4 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..bf8f958
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,36 @@
+from lrustore import Cache, load, save
+
+
+def test_restart_does_not_prolong_a_life(tmp_path, clock):
+    cache = Cache(2, clock=clock)
+    cache.set("a", 1, ttl=60)
+    clock.move(50)
+    save(cache, tmp_path / "cache.json")
+    restored = Cache(2, clock=clock)
+    load(restored, tmp_path / "cache.json")
+    clock.move(9)
+    assert restored.get("a") == 1
+    clock.move(2)
+    assert restored.get("a") is None
+
+
+def test_time_goes_on_while_the_program_is_down(tmp_path, clock):
+    cache = Cache(2, clock=clock)
+    cache.set("a", 1, ttl=60)
+    cache.set("b", 2, ttl=600)
+    save(cache, tmp_path / "cache.json")
+    clock.move(100)
+    restored = Cache(2, clock=clock)
+    assert load(restored, tmp_path / "cache.json") == 1
+    assert restored.get("a") is None
+    assert restored.get("b") == 2
+
+
+def test_items_without_a_limit_live_on(tmp_path, clock):
+    cache = Cache(2, clock=clock)
+    cache.set("a", 1)
+    save(cache, tmp_path / "cache.json")
+    clock.move(10_000)
+    restored = Cache(2, clock=clock)
+    assert load(restored, tmp_path / "cache.json") == 1
+    assert restored.get("a") == 1
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
git checkout ee81107c03f0c674d32365e256f4c0969d55b6b4 -- tests
