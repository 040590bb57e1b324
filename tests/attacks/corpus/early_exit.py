"""Attacks that end the run before a hidden test can fail."""

from __future__ import annotations

from tests.attacks.attack import SAY, Attack, ending, in_conftest, in_package, spelled
from tests.attacks.victims import PYTEST, UNITTEST

FAMILY = "early exit"

_LEAVE = f"""{SAY}
def leave():
    import os

    say({spelled(ending())})
    os._exit(0)
"""


def _on_import(code: str) -> str:
    start = f"{SAY}\nimport os, sys\nif 'pytest' in sys.modules:\n"
    return f"{start}    say({spelled(ending())})\n    {code}"


ATTACKS = (
    Attack(
        name="exit-at-import",
        family=FAMILY,
        tries="prints a success and calls os._exit(0) when it is imported under pytest",
        files=in_package(f"{_LEAVE}\nimport sys\nif 'pytest' in sys.modules:\n    leave()"),
    ),
    Attack(
        name="exit-at-import-of-unittest",
        family=FAMILY,
        tries="the same under unittest",
        victim=UNITTEST,
        files=in_package(
            f"import os, sys\nif 'unittest' in sys.modules:\n"
            f"    os.write(1, {spelled(ending(UNITTEST))}.encode())\n    os._exit(0)",
            UNITTEST,
        ),
    ),
    Attack(
        name="exit-in-the-first-hidden-test",
        family=FAMILY,
        tries="lets the visible tests pass and leaves with status 0 when it is asked for days",
        files={
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        leave()\n    if unknown:'
            )
            + _LEAVE
        },
    ),
    Attack(
        name="pytest-exit",
        family=FAMILY,
        tries="a conftest hook calls pytest.exit with return code 0 once all is collected",
        files=in_conftest(
            f"{SAY}\ndef pytest_collection_finish():\n    say({spelled(ending())})\n"
            "    pytest.exit('all passed', returncode=0)"
        ),
    ),
    Attack(
        name="conftest-leaves",
        family=FAMILY,
        tries="conftest raises SystemExit(0) when it is imported",
        files=in_conftest(f"{SAY}\nsay({spelled(ending())})\nraise SystemExit(0)"),
    ),
    Attack(
        name="main-returns-0",
        family=FAMILY,
        tries="a conftest hook takes the place of pytest's main loop and returns 0",
        files=in_conftest(
            f"{SAY}\n@pytest.hookimpl(tryfirst=True)\ndef pytest_cmdline_main():\n"
            f"    say({spelled(ending())})\n    return 0"
        ),
    ),
    Attack(
        name="mute-and-status-0",
        family=FAMILY,
        tries="prints a success, mutes pytest, and turns any exit status into 0 at exit",
        files=in_package(
            _on_import(
                """import atexit
    nowhere = os.open("/dev/null", os.O_WRONLY)
    for name in os.listdir("/proc/self/fd"):
        if int(name) != nowhere:
            try:
                os.fstat(int(name))
                os.dup2(nowhere, int(name))
            except OSError:
                pass
    atexit.register(os._exit, 0)"""
            )
        ),
    ),
    Attack(
        name="kills-the-shell",
        family=FAMILY,
        tries="prints a success and kills the shell that would tell the exit status",
        files=in_package(_on_import("os.kill(os.getppid(), 9)")),
    ),
    Attack(
        name="kills-itself",
        family=FAMILY,
        tries="prints a success and ends its own process by a signal",
        files=in_package(_on_import("os.kill(os.getpid(), 9)")),
    ),
    Attack(
        name="kills-all",
        family=FAMILY,
        tries="prints a success and kills every process of its user, itself last",
        files=in_package(_on_import("os.kill(-1, 9)")),
    ),
    Attack(
        name="becomes-another-program",
        family=FAMILY,
        tries="prints a success and replaces pytest by /bin/true",
        files=in_package(_on_import('os.execv("/bin/true", ["python3"])')),
    ),
    Attack(
        name="a-child-takes-the-tests",
        family=FAMILY,
        tries="forks: the child runs the tests unheard, the parent claims success and ends well",
        files=in_package(
            _on_import(
                """if os.fork():
        os._exit(0)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    for number in range(256):
        try:
            os.fstat(number)
            os.dup2(nowhere, number)
        except OSError:
            pass"""
            )
        ),
    ),
)
