#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout 9c3019a1f8ef103ce24d1cb0f6d395fa70e3c0f3 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..94efaa0
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,53 @@
+import pytest
+
+from stepline import Runner, load_plan
+
+
+@pytest.fixture
+def table():
+    return {
+        "in": {"do": "number", "with": {"value": 9}},
+        "out": {"do": "number", "with": {"value": 5}},
+        "rest": {"do": "minus", "needs": ["out", "in"]},
+    }
+
+
+def test_inputs_the_other_way_round_are_another_result(table):
+    runner = Runner()
+    assert runner.run(load_plan(table)).values["rest"] == -4
+    table["rest"]["needs"] = ["in", "out"]
+    again = runner.run(load_plan(table))
+    assert (again.values["rest"], again.ran) == (4, ["rest"])
+
+
+def test_both_ways_round_in_one_plan(table):
+    table["debt"] = {"do": "minus", "needs": ["in", "out"]}
+    values = Runner().run(load_plan(table)).values
+    assert (values["rest"], values["debt"]) == (-4, 4)
+
+
+def test_what_follows_runs_again(table):
+    table["text"] = {"do": "template", "needs": ["rest"], "with": {"text": "{} left"}}
+    runner = Runner()
+    runner.run(load_plan(table))
+    table["rest"]["needs"].reverse()
+    assert runner.run(load_plan(table)).values["text"] == "4 left"
+
+
+def test_a_third_input_counts(table):
+    runner = Runner()
+    runner.run(load_plan(table))
+    table["rest"]["needs"].append("out")
+    assert runner.run(load_plan(table)).values["rest"] == -9
+
+
+def test_same_inputs_are_used_again(table):
+    runner = Runner()
+    runner.run(load_plan(table))
+    assert runner.run(load_plan(table)).ran == []
+
+
+def test_order_of_the_steps_in_the_plan_does_not_matter(table):
+    runner = Runner()
+    runner.run(load_plan(table))
+    assert runner.run(load_plan(dict(reversed(table.items())))).ran == []
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
git checkout 9c3019a1f8ef103ce24d1cb0f6d395fa70e3c0f3 -- tests
