#!/bin/bash
set -uxo pipefail
cd /testbed
rm -f tests/test_issue_1.py
git apply -v - <<'EOF_TESTS'
diff --git a/tests/test_issue_1.py b/tests/test_issue_1.py
new file mode 100644
index 0000000..9ae7125
--- /dev/null
+++ b/tests/test_issue_1.py
@@ -0,0 +1,40 @@
+from flowstate import Entry, Flow, History, Machine
+
+
+def filled(*events, limit=None):
+    history = History(limit)
+    for event in events:
+        history.record(Entry(event, "a", "a"))
+    return history
+
+
+def names(entries):
+    return [entry.event for entry in entries]
+
+
+def test_the_newest_steps_oldest_of_them_first():
+    assert names(filled("pay", "pack", "ship", "deliver").latest(2)) == ["ship", "deliver"]
+
+
+def test_the_newest_step_alone():
+    assert names(filled("pay", "pack", "ship").latest()) == ["ship"]
+
+
+def test_more_than_there_are():
+    assert names(filled("pay", "pack").latest(5)) == ["pay", "pack"]
+
+
+def test_none_at_all():
+    assert filled("pay").latest(0) == []
+    assert History().latest(3) == []
+
+
+def test_of_a_machine():
+    flow = Flow("on")
+    flow.add("off", "on", "off")
+    flow.add("on", "off", "on")
+    lamp = Machine(flow, history_limit=3)
+    for event in ["off", "on", "off", "on"]:
+        lamp.send(event)
+    assert names(lamp.history.latest(2)) == ["off", "on"]
+    assert lamp.history.latest()[0].target == "on"
EOF_TESTS
: '>>>>> Start Test Output'
python3 -m pytest -rA -p no:cacheprovider tests
: '>>>>> End Test Output'
rm -f tests/test_issue_1.py
