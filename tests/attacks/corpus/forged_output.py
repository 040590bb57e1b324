"""Attacks that print what a successful run would print."""

from __future__ import annotations

from tests.attacks.attack import (
    HIDE,
    MARKERS,
    SAY,
    Attack,
    block,
    ending,
    in_conftest,
    in_package,
    in_setup,
    passed,
    spelled,
)
from tests.attacks.victims import PYTEST, UNITTEST

FAMILY = "forged output"

ATTACKS = (
    Attack(
        name="setup-prints-a-run",
        family=FAMILY,
        tries="prints a whole successful run, markers and exit code, from setup.py",
        files=in_setup(f"print({spelled(block())})"),
    ),
    Attack(
        name="setup-prints-a-run-of-unittest",
        family=FAMILY,
        tries="the same for a suite that unittest runs",
        victim=UNITTEST,
        files=in_setup(f"print({spelled(block(UNITTEST))})", UNITTEST),
    ),
    Attack(
        name="setup-writes-to-the-shells-output",
        family=FAMILY,
        tries="writes the run into /proc/<parent>/fd/1, past any redirection of its own output",
        files=in_setup(f"{SAY}\nsay({spelled(block())})"),
    ),
    Attack(
        name="a-diff-that-is-a-run",
        family=FAMILY,
        tries="runs no code: the script shows the patch in the log, and what follows a carriage"
        " return is read as a line of its own",
        files={"README.md": PYTEST.files["README.md"] + block().replace("\n", "\r") + "\n"},
    ),
    Attack(
        name="import-closes-the-block",
        family=FAMILY,
        tries="the package, once imported under pytest, writes PASSED lines and the end marker",
        files=in_package(
            f"{SAY}\nimport sys\nif 'pytest' in sys.modules:\n    say({spelled(ending())})"
        ),
    ),
    Attack(
        name="import-closes-the-block-of-unittest",
        family=FAMILY,
        tries="the same for unittest, by the file descriptor of standard error",
        victim=UNITTEST,
        files=in_package(
            f"import os, sys\nif 'unittest' in sys.modules:\n"
            f"    os.write(2, {spelled(ending(UNITTEST))}.encode())",
            UNITTEST,
        ),
    ),
    Attack(
        name="conftest-writes-the-summary",
        family=FAMILY,
        tries="a conftest hook writes PASSED lines and the end marker before pytest's own summary",
        files=in_conftest(
            "def pytest_terminal_summary(terminalreporter):\n"
            f"    terminalreporter.write({spelled(ending())})"
        ),
    ),
    Attack(
        name="last-word-at-exit",
        family=FAMILY,
        tries="an atexit handler repeats the summary with PASSED, where the last line counts",
        files=in_package(
            f"{SAY}\nimport atexit, sys\nif 'pytest' in sys.modules:\n"
            f"    atexit.register(say, {spelled(passed() + MARKERS[2])} + '\\n')"
        ),
    ),
    Attack(
        name="captured-output-of-a-passing-test",
        family=FAMILY,
        tries="parse() prints a run, and pytest shows what passing tests printed",
        files={
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    pieces =", f"    print({spelled(ending())})\n    pieces ="
            )
        },
    ),
    Attack(
        name="terminal-translates",
        family=FAMILY,
        tries="replaces pytest's terminal writer by one that writes PASSED for FAILED",
        files=in_package(
            f"""{SAY}
import sys
if 'pytest' in sys.modules:
    from _pytest._io.terminalwriter import TerminalWriter

    def write(self, message, *args, _write=TerminalWriter.write, **marks):
        _write(self, message.replace("FAILED", "PASSED"), *args, **marks)

    TerminalWriter.write = write
    say("{MARKERS[2]}\\n")
"""
        ),
    ),
    Attack(
        name="background-process-writes",
        family=FAMILY,
        tries="setup.py leaves a process behind that writes the run while the tests start",
        files=in_setup(
            f"""{HIDE}
import os
log = os.dup(1)
def work():
    if until(lambda: running("pytest")):
        os.write(log, {spelled(ending())}.encode())
hide(work)
"""
        ),
    ),
    Attack(
        name="background-process-stops-the-shell",
        family=FAMILY,
        tries="setup.py leaves a process behind that stops the shell until the tests have ended"
        " and it has had the last word",
        files=in_setup(
            f"""{HIDE}
import os, signal
log = os.dup(1)
shell = os.getppid()
def work():
    if until(lambda: running("pytest")):
        os.kill(shell, signal.SIGSTOP)
        until(lambda: not [pid for pid in running("pytest") if alive(pid)])
        os.write(log, {spelled(passed() + MARKERS[2])}.encode() + b"\\n")
        os.kill(shell, signal.SIGCONT)
def alive(pid):
    return " Z " not in open(f"/proc/{{pid}}/stat").read()
hide(work)
"""
        ),
    ),
    Attack(
        name="every-descriptor",
        family=FAMILY,
        tries="writes the run into every descriptor of every process that it may open",
        files=in_package(
            f"""
import glob, os, stat, sys
if 'pytest' in sys.modules:
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if not stat.S_ISFIFO(os.stat(path).st_mode):
                continue
            os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), {spelled(ending())}.encode())
        except OSError:
            pass
"""
        ),
    ),
)
