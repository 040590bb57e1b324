#!/bin/bash
set -uxo pipefail
cd /testbed
rm -rf tests
git checkout a79841077d2c362e2ae4379af10922d73f570343 -- tests
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..b0079f0
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,39 @@
+import subprocess
+import sys
+
+import pytest
+
+from stepline import Runner, UnknownAction, action_named, load_plan
+
+
+def test_example_of_the_readme():
+    plan = load_plan(
+        {
+            "prices": {"do": "give", "with": {"value": [3, 5, 4]}},
+            "mean": {"do": "mean", "needs": ["prices"]},
+        }
+    )
+    assert Runner().run(plan).values == {"prices": [3, 5, 4], "mean": 4}
+
+
+@pytest.mark.parametrize("name", ["give", "first", "unique", "chain"])
+def test_action_is_there(name):
+    assert callable(action_named(name))
+
+
+def test_actions_are_there_in_a_fresh_interpreter():
+    code = "from stepline import action_named; print(action_named('chain')([[1], [2]]))"
+    done = subprocess.run(
+        [sys.executable, "-c", code], capture_output=True, text=True, check=False
+    )
+    assert done.stdout == "[1, 2]\n"
+
+
+@pytest.mark.parametrize("name", ["sum", "mean", "join", "template"])
+def test_others_are_still_there(name):
+    assert callable(action_named(name))
+
+
+def test_unknown_action_is_still_refused():
+    with pytest.raises(UnknownAction):
+        action_named("last")
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
git checkout a79841077d2c362e2ae4379af10922d73f570343 -- tests
