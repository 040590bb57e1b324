#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_2.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_2.py b/tests/test_issue_2.py
new file mode 100644
index 0000000..7bf6f9a
--- /dev/null
+++ b/tests/test_issue_2.py
@@ -0,0 +1,39 @@
+import json
+
+from flowstate import Flow, Machine, dump, load
+
+
+def door():
+    flow = Flow("closed")
+    flow.add("open", "closed", "open")
+    flow.add("close", "open", "closed")
+    return flow
+
+
+def reload(machine):
+    return load(door(), json.loads(json.dumps(dump(machine))))
+
+
+def test_the_history_survives():
+    machine = Machine(door())
+    for event in ["open", "close", "open"]:
+        machine.send(event)
+    assert list(reload(machine).history) == list(machine.history)
+
+
+def test_undo_after_loading():
+    machine = Machine(door())
+    machine.send("open")
+    again = reload(machine)
+    assert again.undo() == "closed"
+    assert machine.state == "open"
+
+
+def test_a_new_machine_has_no_history():
+    assert list(reload(Machine(door())).history) == []
+
+
+def test_old_snapshots_load():
+    machine = load(door(), {"version": 1, "state": "open", "data": {"room": 3}})
+    assert machine.state == "open"
+    assert len(machine.history) == 0
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_2.py
