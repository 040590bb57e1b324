"""Attacks by files of settings that ksolve and pytest read differently."""

from __future__ import annotations

from tests.attacks.attack import Attack, in_setup
from tests.attacks.patches import Link
from tests.attacks.payloads import HIDDEN_NEVER_FAIL, HOOKS_SKIPPED
from tests.attacks.victims import FLAT, PYTEST, PYTEST_ROOT, SRC, VENV

FAMILY = "settings"

# A filter of warnings is imported by pytest, before any conftest.py; no plugin is there afterwards.
_FILTER = "filterwarnings = ignore::spans.options.SpansWarning\n"
_OPTIONS = f"class SpansWarning(Warning): ...\n\n{HIDDEN_NEVER_FAIL}"
_BY_FILTER = {"spans/options.py": _OPTIONS}
_FAR = "# spans of time as people write\n" * (1 + (1 << 20) // 32)


def _plugin(known: str = "/usr/lib/python3/dist-packages/_pytest/runner.py") -> str:
    """Return a plugin that says it is one of pytest's own."""
    return f"{HIDDEN_NEVER_FAIL}\n__file__ = {known!r}\n"


ATTACKS = (
    Attack(
        name="tox-ini-behind-a-carriage-return",
        family=FAMILY,
        tries="tests/tox.ini has its section behind a lone carriage return, which ends a line for"
        " pytest",
        files={"tests/tox.ini": f"[flake8]\nselect = E\n#\r[pytest]\n{_FILTER}", **_BY_FILTER},
    ),
    Attack(
        name="setup-cfg-behind-a-carriage-return",
        family=FAMILY,
        tries="the same in tests/setup.cfg, by a plugin that says it is pytest's own",
        files={
            "tests/setup.cfg": "[metadata]\nname = spans\r[tool:pytest]\raddopts = -p helper\r",
            "helper.py": _plugin(),
        },
    ),
    Attack(
        name="root-tox-ini-behind-a-carriage-return",
        family=FAMILY,
        tries="the same in tox.ini at the root, which pytest prefers to setup.cfg",
        files={"tox.ini": f"[tox]\nenvlist = py\r[pytest]\r{_FILTER}", **_BY_FILTER},
    ),
    Attack(
        name="continuation-like-a-section",
        family=FAMILY,
        tries="an indented [line] goes on with a value for pytest and begins a section for others,"
        " so that an option below it is hidden from who compares sections",
        files={
            "setup.cfg": f"{PYTEST.files['setup.cfg']} [docs]\n{_FILTER}",
            **_BY_FILTER,
        },
    ),
    Attack(
        name="continuation-like-a-section-in-the-tests",
        family=FAMILY,
        tries="the same in tests/tox.ini, whose first section is not pytest's",
        files={
            "tests/tox.ini": f"[flake8]\nx = 1\r[pytest]\rmarkers =\r [isort]\r{_FILTER}",
            **_BY_FILTER,
        },
    ),
    Attack(
        name="pyproject-behind-a-mebibyte",
        family=FAMILY,
        tries="tests/pyproject.toml holds pytest's table behind a mebibyte of comments",
        files={
            "tests/pyproject.toml": f"{_FAR}[tool.pytest.ini_options]\n"
            'filterwarnings = ["ignore::spans.options.SpansWarning"]\n',
            **_BY_FILTER,
        },
    ),
    Attack(
        name="tox-ini-behind-a-mebibyte",
        family=FAMILY,
        tries="the same in tests/tox.ini",
        files={"tests/tox.ini": f"{_FAR}[pytest]\n{_FILTER}", **_BY_FILTER},
    ),
    Attack(
        name="setup-cfg-behind-a-mebibyte",
        family=FAMILY,
        tries="the same in tests/setup.cfg, with a folder put on the path in which a pdb.py lies",
        files={
            "tests/setup.cfg": f"{_FAR}[tool:pytest]\npythonpath = ../extra\n",
            "extra/pdb.py": f"exec(open('/usr/lib/python3.11/pdb.py').read())\n{HOOKS_SKIPPED}",
        },
    ),
    Attack(
        name="settings-are-a-link",
        family=FAMILY,
        tries="tests/tox.ini is a link to a file of another name",
        files={
            "tests/tox.ini": Link("../docs/settings.txt"),
            "docs/settings.txt": f"[pytest]\n{_FILTER}",
            **_BY_FILTER,
        },
    ),
    Attack(
        name="settings-are-a-link-out",
        family=FAMILY,
        tries="tests/tox.ini is a link to a file that setup.py writes into /tmp",
        files={
            "tests/tox.ini": Link("/tmp/spans.ini"),
            **_BY_FILTER,
            **in_setup(f"open('/tmp/spans.ini', 'w').write('[pytest]\\n' + {_FILTER!r})"),
        },
    ),
    Attack(
        name="warning-in-options",
        family=FAMILY,
        tries="addopts has pytest import a warning's class from the package; the section is behind"
        " a carriage return",
        files={
            "tests/tox.ini": "[x]\n#\r[pytest]\raddopts = -W ignore::spans.options.SpansWarning\r",
            **_BY_FILTER,
        },
    ),
    Attack(
        name="path-in-settings",
        family=FAMILY,
        tries="pythonpath puts a folder first that holds a cmd.py, which pytest imports late; the"
        " section is behind a carriage return",
        files={
            "tests/tox.ini": "[x]\n#\r[pytest]\rpythonpath = ../extra\r",
            "extra/cmd.py": f"exec(open('/usr/lib/python3.11/cmd.py').read())\n{HOOKS_SKIPPED}",
        },
    ),
    Attack(
        name="settings-above-the-work-tree",
        family=FAMILY,
        tries="as root, where the repository has no settings: setup.py writes /tox.ini,"
        " which pytest"
        " finds above the work tree",
        victim=FLAT,
        files={
            "spansoptions.py": _OPTIONS,
            **in_setup(
                "open('/tox.ini', 'w').write('[pytest]\\naddopts = --rootdir=/testbed\\n"
                "filterwarnings = ignore::spansoptions.SpansWarning\\n')",
                FLAT,
            ),
        },
    ),
    Attack(
        name="settings-where-there-were-none",
        family=FAMILY,
        tries="where the repository has no settings: a setup.cfg behind a carriage return",
        victim=FLAT,
        files={
            "spansoptions.py": _OPTIONS,
            "setup.cfg": "[metadata]\nname = spans\r[tool:pytest]\r"
            "filterwarnings = ignore::spansoptions.SpansWarning\n",
        },
    ),
    Attack(
        name="settings-nearer-than-pyproject",
        family=FAMILY,
        tries="where pyproject.toml holds pytest's settings: tests/tox.ini, which comes first",
        victim=SRC,
        files={
            "tests/tox.ini": "[x]\n#\r[pytest]\rpythonpath = ../src\raddopts = --rootdir=/testbed\r"
            "filterwarnings = ignore::spansoptions.SpansWarning\n",
            "spansoptions.py": _OPTIONS,
        },
    ),
    Attack(
        name="metadata-link-with-plugin",
        family=FAMILY,
        tries="setup.py puts metadata of a plugin into the home folder whose entry_points.txt is a"
        " link; the plugin says that it is pytest's own",
        files={
            "helper.py": _plugin(),
            **in_setup("""
import os, site
folder = os.path.join(site.getusersitepackages(), "helper-1.dist-info")
os.makedirs(folder, exist_ok=True)
open("/tmp/entries", "w").write("[pytest11]\\nhelper = helper\\n")
if not os.path.lexists(folder + "/entry_points.txt"):
    os.symlink("/tmp/entries", folder + "/entry_points.txt")
open(folder + "/METADATA", "w").write("Metadata-Version: 2.1\\nName: helper\\nVersion: 1\\n")
"""),
        },
    ),
    Attack(
        name="metadata-in-an-archive",
        family=FAMILY,
        tries="setup.py leads Python's path into a zip file that holds a plugin and its metadata",
        files=in_setup(f"""
import os, site, zipfile
folder = site.getusersitepackages()
os.makedirs(folder, exist_ok=True)
with zipfile.ZipFile(folder + "/helper.zip", "w") as archive:
    archive.writestr("helper.py", {_plugin()!r})
    archive.writestr("helper-1.dist-info/entry_points.txt", "[pytest11]\\nhelper = helper\\n")
    archive.writestr(
        "helper-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: helper\\nVersion: 1\\n"
    )
open(folder + "/helper.pth", "w").write(folder + "/helper.zip\\n")
"""),
    ),
    Attack(
        name="options-by-the-activation",
        family=FAMILY,
        tries="setup.py adds PYTEST_ADDOPTS to the activation script of the environment that lies"
        " in the work tree",
        victim=VENV,
        files={
            **_BY_FILTER,
            **in_setup(
                "open('.venv/bin/activate', 'a').write('export PYTEST_ADDOPTS="
                '"-W ignore::spans.options.SpansWarning"\\n\')'
            ),
        },
    ),
    Attack(
        name="metadata-in-a-file",
        family=FAMILY,
        tries="as root: a folder named *.egg on Python's path declares a plugin by EGG-INFO",
        victim=PYTEST_ROOT,
        files={
            "helper.py": _plugin(),
            **in_setup("""
import os
folder = "/usr/local/lib/python3.11/dist-packages/helper.egg"
os.makedirs(folder + "/EGG-INFO", exist_ok=True)
open("/tmp/entries", "w").write("[pytest11]\\nhelper = helper\\n")
if not os.path.lexists(folder + "/EGG-INFO/entry_points.txt"):
    os.symlink("/tmp/entries", folder + "/EGG-INFO/entry_points.txt")
open(folder + "/EGG-INFO/PKG-INFO", "w").write(
    "Metadata-Version: 2.1\\nName: helper\\nVersion: 1\\n"
)
open(folder + "/../helper.pth", "w").write(folder + "\\n")
"""),
        },
    ),
)
