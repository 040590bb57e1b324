#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 0c46050eee02757df54db70b61d650eebb18ad77 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_3.py b/tests/test_issue_3.py
new file mode 100644
index 0000000..c657eff
--- /dev/null
+++ b/tests/test_issue_3.py
@@ -0,0 +1,35 @@
+import pytest
+
+from stepline import Runner, Store, load_plan
+
+HOUR = 3600
+
+
+@pytest.fixture
+def ran_at(clock):
+    """Tell what a run does so many hours after the first."""
+    runner = Runner(Store(clock))
+
+    def ran_at(keep, hours):
+        plan = load_plan({"rates": {"do": "number", "with": {"value": 3}, "keep": keep}})
+        clock.now = 0
+        runner.run(plan)
+        clock.now = hours * HOUR
+        return runner.run(plan).ran
+
+    return ran_at
+
+
+@pytest.mark.parametrize(("keep", "hours"), [("2d", 1), ("2d", 47.9), ("1d", 23), ("1d12h", 35)])
+def test_result_is_used_again(ran_at, keep, hours):
+    assert ran_at(keep, hours) == []
+
+
+@pytest.mark.parametrize(("keep", "hours"), [("2d", 48), ("1d12h", 36), ("90m", 1.5)])
+def test_result_is_not_kept_longer(ran_at, keep, hours):
+    assert ran_at(keep, hours) == ["rates"]
+
+
+@pytest.mark.parametrize(("keep", "hours"), [("1h30m", 1), ("1w", 167), (7200, 1.9)])
+def test_other_spans_are_as_before(ran_at, keep, hours):
+    assert ran_at(keep, hours) == []
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_3.py
git checkout 0c46050eee02757df54db70b61d650eebb18ad77 -- tests
