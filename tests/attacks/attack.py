"""What an attack is, and the pieces of code that many of them share.

An attacker is taken to know everything that is public of a task: the repository, the names of
the hidden tests and the evaluation script. It does not know what is drawn for one verification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.attacks.patches import Change, diff
from tests.attacks.victims import PYTEST, Victim

Reference = Literal["resolved", "unresolved", "not_applied", "timeout"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """One hostile patch: it wants to be called resolved and does not mend the bug."""

    name: str
    family: str
    tries: str
    # One line on what it attempts.
    files: Mapping[str, Change]
    victim: Victim = PYTEST
    raw: str = ""
    # A patch that `diff` would not write, in front of that of the files.
    reference: Reference = "resolved"
    # What swebench 5.0.2 says of it, as measured by benchmarks/attacks.py.

    @property
    def patch(self) -> str:
        """The patch itself."""
        return self.raw + diff(self.victim.files, self.files)


MARKERS = (">>>>> Start Test Output", ">>>>> End Test Output", ">>>>> Test Exit Code: 0")


def passed(victim: Victim = PYTEST) -> str:
    """Return the lines that the parser of the victim's log reads as a full success."""
    tests = victim.pass_to_pass + victim.fail_to_pass
    if victim.log_parser == "parse_log_pytest":
        return "".join(f"PASSED {test}\n" for test in tests)
    return "".join(f"{test} ... ok\n" for test in tests)


def ending(victim: Victim = PYTEST) -> str:
    """Return a success that closes the block of the test output, as a later one is not read."""
    return f"\n{passed(victim)}{MARKERS[1]}\n{MARKERS[2]}\n"


def block(victim: Victim = PYTEST) -> str:
    """Return a whole forged run, for the log to begin with."""
    return f"\n{MARKERS[0]}\n{passed(victim)}{MARKERS[1]}\n{MARKERS[2]}\n"


def spelled(text: str) -> str:
    """Return an expression for a text that does not show its markers where the patch is shown."""
    return f"{text.replace('>>>>>', '~~~~~')!r}.replace('~~~~~', '>>>>>')"


SAY = '''
def say(text):
    """Write past every redirection: into what the shell above this process writes to."""
    import os

    os.write(os.open(f"/proc/{os.getppid()}/fd/1", os.O_WRONLY), text.encode())
'''

HIDE = '''
def hide(work):
    """Do something in a process that no shell waits for, for as long as it may take."""
    import os

    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    nowhere = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    try:
        work()
    finally:
        os._exit(0)


def until(condition, seconds=20):
    """Wait for something; tell whether it came."""
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.002)
    return False


def running(word):
    """Return the processes with a word in their command line."""
    import os

    found = []
    for name in os.listdir("/proc"):
        try:
            words = open(f"/proc/{name}/cmdline").read() if name.isdecimal() else ""
        except OSError:
            continue
        if word in words and int(name) != os.getpid():
            found.append(int(name))
    return found
'''


def in_setup(code: str, victim: Victim = PYTEST) -> dict[str, Change]:
    """Run some code when the preparation runs `setup.py`."""
    return {"setup.py": f"{code}\n{victim.files['setup.py']}"}


def in_package(code: str, victim: Victim = PYTEST) -> dict[str, Change]:
    """Run some code whenever the package is imported."""
    return {"spans/__init__.py": f"{victim.files['spans/__init__.py']}\n{code}"}


def in_conftest(code: str) -> dict[str, Change]:
    """Run some code when pytest starts."""
    return {"tests/conftest.py": f"{PYTEST.files['tests/conftest.py']}\n{code}"}
