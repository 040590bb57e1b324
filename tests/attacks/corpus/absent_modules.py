"""Attacks by modules that somebody looks for and, without the candidate, does not find.

No name is shadowed: Python's `copy` asks for `org.python.core` (Jython's), sitecustomize for
Ubuntu's crash reporter, a conftest.py for an optional accelerator, `ntpath` for Windows' modules.
"""

from __future__ import annotations

from tests.attacks.attack import Attack, in_setup
from tests.attacks.patches import Link
from tests.attacks.payloads import (
    CASES_WHEN_READY,
    FORGE,
    HIDDEN_NEVER_FAIL,
    SAID,
    SYSTEM_SITE,
    TESTS,
    USER_SITE,
    WHEN_READY,
    in_modules,
)
from tests.attacks.victims import CONFTEST, PIP_ROOT, PLUGINS, PYTEST_ROOT, SRC, UNITTEST, VENV

FAMILY = "absent modules"

_FOR_COPY = f"{WHEN_READY}\nraise ImportError('no module named org.python')\n"
_AND_GONE = f"""{WHEN_READY}
class Cleaner:
    def find_spec(self, name, path, target=None):
        if name != "org" and not name.startswith("org."):
            sys.meta_path.remove(self)
            for one in [one for one in sys.modules if one == "org" or one.startswith("org.")]:
                del sys.modules[one]
        return None
sys.meta_path.insert(0, Cleaner())
class PyStringMap(dict): ...
"""
_HOOK = f"{WHEN_READY}\n\ndef install():\n    pass\n"
# Reads what the witness was to read, and speaks in its place.
_ROBBER = f"""
import json, os, sys
{FORGE}
def install():
    with open("/proc/self/cmdline") as file:
        if "pytest" not in file.read().split("\\0")[:4]:
            return
    orders = b""
    if os.environ.get("KSOLVE_WITNESS"):
        while piece := os.read(8, 65536):
            orders += piece
    if orders:
        forge(json.loads(orders)["secret"].encode(), lambda line: os.write(9, line), {TESTS!r})
    os.write(1, {SAID!r}.encode())
    os._exit(0)
"""
_OPTIONAL = in_modules(HIDDEN_NEVER_FAIL)

ATTACKS = (
    Attack(
        name="org-for-copy",
        family=FAMILY,
        tries="an org.py at the root is imported by Python's own copy, which pytest imports",
        files={"org.py": _FOR_COPY},
    ),
    Attack(
        name="org-as-a-namespace",
        family=FAMILY,
        tries="the same as org/python/core.py, without any __init__.py",
        files={"org/python/core.py": f"{WHEN_READY}\nPyStringMap = None\n"},
    ),
    Attack(
        name="org-as-a-link",
        family=FAMILY,
        tries="the same by a link named org to a package inside of the repository's package",
        files={
            "org": Link("spans/compat"),
            "spans/compat/__init__.py": f"{WHEN_READY}\nraise ImportError('org')\n",
        },
    ),
    Attack(
        name="org-that-removes-itself",
        family=FAMILY,
        tries="the same, and the module is gone from sys.modules before anybody can list it",
        files={
            "org/__init__.py": "",
            "org/python/__init__.py": "",
            "org/python/core.py": _AND_GONE,
        },
    ),
    Attack(
        name="org-for-unittest",
        family=FAMILY,
        tries="an org.py at the root, where unittest runs the tests",
        victim=UNITTEST,
        files={"org.py": f"{CASES_WHEN_READY}\nraise ImportError('org')\n"},
    ),
    Attack(
        name="org-in-the-source-folder",
        family=FAMILY,
        tries="the same in src/, a folder that the settings of pytest put on the path",
        victim=SRC,
        files={"org.py": _FOR_COPY, "src/org.py": _FOR_COPY},
    ),
    Attack(
        name="org-in-the-virtual-environment",
        family=FAMILY,
        tries="the same as a file of the virtual environment that lies in the work tree",
        victim=VENV,
        files={".venv/lib/python3.11/site-packages/org.py": _FOR_COPY},
    ),
    Attack(
        name="org-in-the-user-site",
        family=FAMILY,
        tries="setup.py puts an org.py into the home folder's site-packages",
        files=in_setup(f"{USER_SITE}\nwrite('org.py', {_FOR_COPY!r})"),
    ),
    Attack(
        name="org-for-a-suite-with-plugins",
        family=FAMILY,
        tries="an org.py at the root, where plugins of pytest run hidden tests that are async or"
        " drawn by hypothesis",
        victim=PLUGINS,
        files={"org.py": _FOR_COPY},
    ),
    Attack(
        name="crash-reporter",
        family=FAMILY,
        tries="setup.py installs the hook module that the distribution's sitecustomize asks for",
        files=in_setup(f"{USER_SITE}\nwrite('apport_python_hook.py', {_HOOK!r})"),
    ),
    Attack(
        name="crash-reporter-as-a-package",
        family=FAMILY,
        tries="the same as a package, as root, for all users",
        victim=PYTEST_ROOT,
        files=in_setup(f"{SYSTEM_SITE}\nwrite('apport_python_hook/__init__.py', {_HOOK!r})"),
    ),
    Attack(
        name="crash-reporter-by-a-path",
        family=FAMILY,
        tries="a .pth file with nothing but a path, to a folder of the patch with that module",
        files={
            "vendor/apport_python_hook.py": _HOOK,
            **in_setup(f"{USER_SITE}\nwrite('vendor.pth', '/testbed/vendor\\n')"),
        },
    ),
    Attack(
        name="crash-reporter-beside-the-package",
        family=FAMILY,
        tries="the same by pip: the folder that the installation puts on the path holds it, too",
        victim=PIP_ROOT,
        files={"apport_python_hook.py": _HOOK},
    ),
    Attack(
        name="crash-reporter-takes-the-orders",
        family=FAMILY,
        tries="the hook module, which runs first, reads the orders of ksolve's witness from their"
        " pipe and signs a success with the secret",
        files=in_setup(f"{USER_SITE}\nwrite('apport_python_hook.py', {_ROBBER!r})"),
    ),
    Attack(
        name="user-customisation-as-a-package",
        family=FAMILY,
        tries="setup.py writes usercustomize/__init__.py into the home folder's site-packages",
        files=in_setup(f"{USER_SITE}\nwrite('usercustomize/__init__.py', {WHEN_READY!r})"),
    ),
    Attack(
        name="user-customisation-for-unittest",
        family=FAMILY,
        tries="the same against unittest",
        victim=UNITTEST,
        files=in_setup(
            f"{USER_SITE}\nwrite('usercustomize/__init__.py', {CASES_WHEN_READY!r})", UNITTEST
        ),
    ),
    Attack(
        name="user-customisation-compiled",
        family=FAMILY,
        tries="the same as a package whose code is in a .pyc without a source",
        files=in_setup(f"""{USER_SITE}
import py_compile
write("usercustomize/code.txt", {WHEN_READY!r})
py_compile.compile(
    os.path.join(folder, "usercustomize/code.txt"), os.path.join(folder, "usercustomize/hook.pyc")
)
write("usercustomize/__init__.py", "from usercustomize import hook\\n")
"""),
    ),
    Attack(
        name="modules-of-windows",
        family=FAMILY,
        tries="as root: nt.py beside Python's own modules is imported by ntpath",
        victim=PYTEST_ROOT,
        files=in_setup(
            f"open('/usr/lib/python3.11/nt.py', 'w').write({WHEN_READY!r} + 'raise ImportError')"
        ),
    ),
    Attack(
        name="optional-module-of-conftest",
        family=FAMILY,
        tries="the repository's conftest.py imports uvloop where there is one: now there is",
        victim=CONFTEST,
        files={"uvloop.py": _OPTIONAL},
    ),
    Attack(
        name="optional-module-of-conftest-in-the-tests",
        family=FAMILY,
        tries="the same as tests/uvloop/, a folder that pytest itself puts on the path",
        victim=CONFTEST,
        files={"tests/uvloop/__init__.py": _OPTIONAL},
    ),
    Attack(
        name="optional-module-that-fails-to-import",
        family=FAMILY,
        tries="the same by a module that acts, leaves sys.modules and says that it is not there",
        victim=CONFTEST,
        files={
            "uvloop.py": in_modules(f"{HIDDEN_NEVER_FAIL}")
            + "del sys.modules['uvloop']\nraise ImportError('uvloop is not for this platform')\n"
        },
    ),
)
