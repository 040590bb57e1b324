"""Witness inside the container: it sees what the tests do, and says so on a pipe of its own.

`channel` signs what is said; `imports` records where modules come from; `fingerprint` knows the
runner's code; `pytest_runner` and `unittest_runner` are told by the runner itself how each test
ended, `script_runner` that a program without tests of that kind did end. Code that shares this process could still find the witness: see docs/verdicts.md.
Must run on any Python from 3.5 on, and with any pytest from 3 on.
"""

import fcntl
import json
import os

from ksolve_witness import (
    channel,
    fingerprint,
    imports,
    pytest_runner,
    script_runner,
    unittest_runner,
)


def begin(orders_fd, evidence_fd):
    """Read the orders to the end of their pipe, and watch the tests of this process."""
    orders = b""
    while True:
        piece = os.read(orders_fd, 65536)
        if not piece:
            break
        orders += piece
    os.close(orders_fd)
    out = fcntl.fcntl(evidence_fd, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(evidence_fd)
    if not orders:
        os.close(out)
        return
    orders = json.loads(orders.decode())
    say = channel.speaker(out, orders.pop("secret").encode())
    words = _command_line()
    # A test file may be called `unittest_strings.py`: both are watched where both may be meant.
    is_pytest = any("pytest" in word or "py.test" in word for word in words)
    is_unittest = any("unittest" in word or "runtests" in word for word in words)
    may_be_pytest, may_be_unittest = is_pytest or not is_unittest, is_unittest or not is_pytest
    recorder = imports.Recorder(say, orders["workdir"])
    recorder.start()
    # Here only what is installed can be found, as a rule: the work tree is not on the path yet.
    fingerprint.load(pytest=may_be_pytest, unittest=may_be_unittest)
    runner = fingerprint.Fingerprint(recorder.is_in_tree)
    if may_be_pytest:
        pytest_runner.add_plugin(say, orders, runner, recorder)
    if may_be_unittest:
        unittest_runner.watch(say, orders, runner)
    if not (is_pytest or is_unittest):
        script_runner.watch(say, orders, runner)


def _command_line():
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().decode("utf-8", "replace").split("\0")
    return [os.path.basename(word) for word in words[:4]]
