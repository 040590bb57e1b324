"""Start of the witness: Python imports this by itself, before anything that a candidate wrote.

The first process that is a test runner takes its orders from a pipe, which is empty afterwards,
and watches the tests; every other process only loses the traces of this file. Must run on any
Python from 3.5 on.
"""

import os
import sys

_SWITCH = "KSOLVE_WITNESS"
# Holds the names by which a test runner is known, separated by colons.
_ORDERS, _EVIDENCE = 8, 9


def _is_test_runner():
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return False
    runners = os.environ[_SWITCH].split(":")
    return any(runner in os.path.basename(word) for word in words[:4] for runner in runners)


def _leave_no_trace(folder):
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    rest = [path for path in os.environ["PYTHONPATH"].split(os.pathsep) if path != folder]
    if rest == [""] or not rest:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    os.environ.pop(_SWITCH, None)


def _begin():
    folder = os.path.dirname(os.path.abspath(__file__))
    if os.environ.get(_SWITCH) and _is_test_runner():
        import ksolve_witness

        _leave_no_trace(folder)
        ksolve_witness.begin(_ORDERS, _EVIDENCE)


def _make_way():
    """Import the sitecustomize that this one stands in front of, if there is one."""
    own, folder = sys.modules.pop("sitecustomize"), os.path.dirname(os.path.abspath(__file__))
    before = sys.path[:]
    sys.path[:] = [path for path in before if os.path.abspath(path) != folder]
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        sys.modules["sitecustomize"] = own
    finally:
        sys.path[:0] = [path for path in before if os.path.abspath(path) == folder]


# A witness that cannot see must not stop the tests. It begins before another sitecustomize runs,
# which then is recorded like every module.
try:
    _begin()
except Exception:
    pass
_make_way()
