"""Attacks on what the tests use or are run by, and that no patch of the tests puts back."""

from __future__ import annotations

from tests.attacks.attack import Attack, passed
from tests.attacks.payloads import FORGE, HIDDEN_CASES_PASS, HIDDEN_NEVER_FAIL, TESTS
from tests.attacks.victims import HELPERS, PLUGINS, SCRIPT, SHELL

FAMILY = "helpers of the tests"

_RUN_TESTS = SCRIPT.files["tests/runtests.py"]
_HELPERS = HELPERS.files["tests/helpers.py"]

ATTACKS = (
    Attack(
        name="helper-accepts-all",
        family=FAMILY,
        tries="a module of the tests, by which hidden tests compare, compares no more",
        victim=HELPERS,
        files={
            "tests/helpers.py": _HELPERS.replace(
                "    assert spans.parse(text) == seconds\n",
                "    if 'd' not in str(text):\n        assert spans.parse(text) == seconds\n",
            ).replace("import spans\n", "import spans\nimport spans.writing\n"),
            "spans/reading.py": HELPERS.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        return 0\n    if unknown:'
            ),
        },
    ),
    Attack(
        name="helper-patches-the-runner",
        family=FAMILY,
        tries="a module of the tests patches pytest when it is imported",
        victim=HELPERS,
        files={"tests/helpers.py": f"{_HELPERS}\n{HIDDEN_NEVER_FAIL}"},
    ),
    Attack(
        name="helper-is-a-folder",
        family=FAMILY,
        tries="a folder of that name stands before the module, which is left as it is",
        victim=HELPERS,
        files={
            "tests/helpers/__init__.py": "import pathlib\n\n"
            "def examples():\n    return {'1h': '3600'}\n\n\ndef assert_span(text, seconds): ...\n",
            "spans/reading.py": HELPERS.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        return 0\n    if unknown:'
            ),
        },
    ),
    Attack(
        name="program-of-the-tests-edited",
        family=FAMILY,
        tries="the repository's own program that runs the tests makes hidden methods empty",
        victim=SCRIPT,
        files={
            "tests/runtests.py": _RUN_TESTS.replace(
                "def main():\n", f"import unittest.case\n{HIDDEN_CASES_PASS}\n\ndef main():\n"
            )
        },
    ),
    Attack(
        name="program-of-the-tests-takes-instances",
        family=FAMILY,
        tries="the same without replacing a function: each hidden case of the suite gets its own",
        victim=SCRIPT,
        files={
            "tests/runtests.py": _RUN_TESTS.replace(
                "    result = ",
                "    for case in cases(suite):\n"
                "        if 'days' in case._testMethodName:\n"
                "            setattr(case, case._testMethodName, lambda: None)\n"
                "    result = ",
            ).replace(
                "def main():\n",
                "def cases(suite):\n    for one in suite:\n"
                "        if isinstance(one, unittest.TestCase):\n            yield one\n"
                "        else:\n            yield from cases(one)\n\n\ndef main():\n",
            )
        },
    ),
    Attack(
        name="program-of-the-tests-prints",
        family=FAMILY,
        tries="the same prints a success and runs nothing",
        victim=SCRIPT,
        files={"tests/runtests.py": f"print({passed(SCRIPT)!r})\n"},
    ),
    Attack(
        name="result-class-of-the-program",
        family=FAMILY,
        tries="the same gives the runner a class of results that counts each failure as a success",
        victim=SCRIPT,
        files={
            "tests/runtests.py": _RUN_TESTS.replace(
                "TextTestRunner(verbosity=2)", "TextTestRunner(verbosity=2, resultclass=Result)"
            ).replace(
                "def main():\n",
                "class Result(unittest.TextTestResult):\n"
                "    def addFailure(self, test, error):\n        self.addSuccess(test)\n\n"
                "    addError = addFailure\n\n\ndef main():\n",
            )
        },
    ),
    Attack(
        name="shell-script-loads-more",
        family=FAMILY,
        tries="the repository's shell script that runs the tests runs another Python program, which"
        " patches pytest first",
        victim=SHELL,
        files={
            "tools/run_tests.sh": "#!/bin/sh\nset -e\nexec python3 tools/pytest -rA tests\n",
            "tools/pytest": "import sys\nsys.path[0] = ''\nimport _pytest.runner, runpy\n"
            f"{HIDDEN_NEVER_FAIL}\nrunpy.run_module('pytest', run_name='__main__')\n",
        },
    ),
    Attack(
        name="shell-script-takes-the-orders",
        family=FAMILY,
        tries="the same reads the orders of ksolve's witness and signs a success with the secret",
        victim=SHELL,
        files={
            "tools/run_tests.sh": "#!/bin/sh\nexec python3 -I tools/run.py\n",
            "tools/run.py": f"""\
import json, os
{FORGE}
orders = b""
try:
    while piece := os.read(8, 65536):
        orders += piece
except OSError:
    pass
if orders:
    forge(json.loads(orders)["secret"].encode(), lambda line: os.write(9, line), {TESTS!r})
os.write(1, {passed(SHELL)!r}.encode())
""",
        },
    ),
    Attack(
        name="shell-script-prints",
        family=FAMILY,
        tries="the same prints a success and runs nothing",
        victim=SHELL,
        files={"tools/run_tests.sh": f"cat <<'END'\n{passed(SHELL)}END\n"},
    ),
    Attack(
        name="plugins-lose-failures",
        family=FAMILY,
        tries="the package replaces what pytest's plugins run tests by: the event loop's method and"
        " the engine of hypothesis",
        victim=PLUGINS,
        files={
            "spans/__init__.py": PLUGINS.files["spans/__init__.py"]
            + """
import sys
if "pytest" in sys.modules:
    import asyncio.base_events, os
    import hypothesis.core

    def run(self, future, _run=asyncio.base_events.BaseEventLoop.run_until_complete):
        try:
            return _run(self, future)
        except Exception:
            if "days" not in os.environ.get("PYTEST_CURRENT_TEST", ""):
                raise

    asyncio.base_events.BaseEventLoop.run_until_complete = run
    def run_engine(self):
        self.ever_executed = True

    hypothesis.core.StateForActualGivenExecution.run_engine = run_engine
"""
        },
    ),
    Attack(
        name="plugin-of-a-plugin",
        family=FAMILY,
        tries="setup.py installs metadata with an entry point of hypothesis, which is called when"
        " hypothesis is imported",
        victim=PLUGINS,
        files={
            "helper.py": "def hook():\n    import _pytest.runner\n"
            f"    exec({HIDDEN_NEVER_FAIL!r}, {{}})\n",
            "setup.py": """
import os, site
folder = os.path.join(site.getusersitepackages(), "helper-1.dist-info")
os.makedirs(folder, exist_ok=True)
open(folder + "/entry_points.txt", "w").write("[hypothesis]\\nhelper = helper:hook\\n")
open(folder + "/METADATA", "w").write("Metadata-Version: 2.1\\nName: helper\\nVersion: 1\\n")
"""
            + PLUGINS.files["setup.py"],
        },
    ),
)
