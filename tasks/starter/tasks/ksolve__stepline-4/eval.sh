#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 9803f2b030dae41be11d066e0fa61fbc02ab2da8 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_4.py b/tests/test_issue_4.py
new file mode 100644
index 0000000..f51e25f
--- /dev/null
+++ b/tests/test_issue_4.py
@@ -0,0 +1,44 @@
+import pytest
+
+from stepline import Runner, load_plan
+
+
+@pytest.fixture
+def plan():
+    return load_plan(
+        {
+            "a": {"do": "number", "with": {"value": 7}},
+            "b": {"do": "number", "with": {"value": 5}},
+            "both": {"do": "sum", "needs": ["a", "b"]},
+            "text": {"do": "join", "needs": ["both", "a"]},
+        }
+    )
+
+
+def test_run_after_a_preview(plan):
+    runner = Runner()
+    runner.preview(plan)
+    assert runner.run(plan).values["text"] == "12 7"
+
+
+def test_preview_can_be_asked_for_twice(plan):
+    runner = Runner()
+    assert runner.preview(plan) == "1. a, b\n2. both\n3. text"
+    assert runner.preview(plan) == "1. a, b\n2. both\n3. text"
+
+
+def test_preview_leaves_results_that_are_kept(plan):
+    runner = Runner()
+    runner.run(plan)
+    runner.preview(plan)
+    assert runner.run(plan).ran == []
+
+
+def test_preview_of_one_target(plan):
+    assert Runner().preview(plan, ["both"]) == "1. a, b\n2. both"
+
+
+def test_preview_runs_nothing(plan):
+    runner = Runner()
+    runner.preview(plan)
+    assert len(runner.store) == 0
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_4.py
git checkout 9803f2b030dae41be11d066e0fa61fbc02ab2da8 -- tests
