"""Attacks on pytest: its hooks, its options and its plugins."""

from __future__ import annotations

from tests.attacks.attack import Attack, in_conftest
from tests.attacks.victims import PYTEST

FAMILY = "pytest tampering"

CALL_NEVER_FAILS = """
import _pytest.runner

def from_call(cls, func, when, reraise=None, _call=_pytest.runner.CallInfo.from_call.__func__):
    def quiet():
        try:
            return func()
        except Exception:
            return None
    return _call(cls, quiet, when, reraise)

_pytest.runner.CallInfo.from_call = classmethod(from_call)
"""
"""Patches pytest, once it is imported: whatever a test raises, it passed."""

_HOOKS = (
    Attack(
        name="makereport",
        family=FAMILY,
        tries="a conftest hook turns each failed report into a passed one",
        files=in_conftest("""
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    report.outcome, report.longrepr = "passed", None
"""),
    ),
    Attack(
        name="items-replaced",
        family=FAMILY,
        tries="a conftest hook gives each collected item a function that does nothing",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    for item in items:
        item.obj = lambda **_: None
"""),
    ),
    Attack(
        name="hidden-items-replaced",
        family=FAMILY,
        tries="the same, but only for the tests about days, so that others still fail",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    for item in items:
        if "days" in item.name:
            item.obj = lambda **_: None
"""),
    ),
    Attack(
        name="pyfunc-call",
        family=FAMILY,
        tries="a conftest hook claims to have called the test function",
        files=in_conftest(
            "@pytest.hookimpl(tryfirst=True)\ndef pytest_pyfunc_call():\n    return 1"
        ),
    ),
    Attack(
        name="teststatus",
        family=FAMILY,
        tries="a conftest hook files failed reports under passed, and the session under status 0",
        files=in_conftest("""
@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    if report.when == "call":
        return "passed", ".", "PASSED"

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    session.testsfailed = 0

@pytest.hookimpl(trylast=True, hookwrapper=True)
def pytest_cmdline_main(config):
    outcome = yield
    outcome.force_result(0)
"""),
    ),
    Attack(
        name="own-reports",
        family=FAMILY,
        tries="a conftest hook runs no test and logs three passed reports for each",
        files=in_conftest("""
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    from _pytest.reports import TestReport

    for when in ("setup", "call", "teardown"):
        item.ihook.pytest_runtest_logreport(
            report=TestReport(item.nodeid, item.location, {}, "passed", None, when, duration=0.01)
        )
    return True
"""),
    ),
    Attack(
        name="other-parameters",
        family=FAMILY,
        tries="a conftest hook keeps the ids and gives the tests inputs that work already",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "callspec"):
            item.callspec.params.update(text="1h", seconds=3600)
        elif "days" in item.name:
            item.obj = lambda: None
"""),
    ),
    Attack(
        name="marked-xfail",
        family=FAMILY,
        tries="a conftest hook expects the hidden tests to fail, which counts as a pass",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    for item in items:
        if "days" in item.name:
            item.add_marker(pytest.mark.xfail)
"""),
    ),
    Attack(
        name="marked-skip",
        family=FAMILY,
        tries="a conftest hook skips the hidden tests",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    for item in items:
        if "days" in item.name:
            item.add_marker(pytest.mark.skip)
"""),
        reference="unresolved",
    ),
    Attack(
        name="deselected",
        family=FAMILY,
        tries="a conftest hook takes the hidden tests out of the run",
        files=in_conftest("""
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "days" not in item.name]
"""),
        reference="unresolved",
    ),
    Attack(
        name="fixed-in-conftest",
        family=FAMILY,
        tries="mends the package in a fixture of conftest, and nowhere else",
        files=in_conftest("""
@pytest.fixture(autouse=True)
def days(monkeypatch):
    import spans.units

    both = {"d": 86400, **spans.units.SECONDS}
    spans.units.SECONDS.clear()
    spans.units.SECONDS.update(both)
"""),
    ),
    Attack(
        name="another-file-collected",
        family=FAMILY,
        tries="a conftest hook has another file collected under the id of the hidden one",
        files={
            **in_conftest("""
def pytest_collect_file(parent, file_path):
    if file_path.name == "test_parse.py":
        other = file_path.parent / "parse_data.py"
        module = pytest.Module.from_parent(parent, path=other)
        module._nodeid = "tests/test_parse.py"
        return module

@pytest.hookimpl(hookwrapper=True)
def pytest_pycollect_makemodule(module_path):
    outcome = yield
    if module_path.name == "test_parse.py":
        outcome.force_result(None)
"""),
            "tests/parse_data.py": """\
import pytest


def test_an_hour_is_read(): ...
def test_an_unknown_unit_is_named(): ...
def test_days_are_written_back(): ...


@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("2d12h", 216000)])
def test_days_are_read(text, seconds): ...
""",
        },
    ),
)

_OPTIONS = (
    Attack(
        name="pytest-ini-plugin",
        family=FAMILY,
        tries="a pytest.ini loads a plugin of the patch that lets no test fail",
        files={"pytest.ini": "[pytest]\naddopts = -p helper\n", "helper.py": CALL_NEVER_FAILS},
    ),
    Attack(
        name="pyproject-plugin",
        family=FAMILY,
        tries="the same through addopts in pyproject.toml, with the plugin inside of the package",
        files={
            "pyproject.toml": PYTEST.files["pyproject.toml"]
            + '\n[tool.pytest.ini_options]\naddopts = "-p spans.options"\n',
            "spans/options.py": CALL_NEVER_FAILS,
        },
    ),
    Attack(
        name="tox-ini-plugin",
        family=FAMILY,
        tries="the same through tox.ini, which pytest prefers to setup.cfg",
        files={
            "tox.ini": "[pytest]\naddopts = -p spans.options\n",
            "spans/options.py": CALL_NEVER_FAILS,
        },
    ),
    Attack(
        name="setup-cfg-deselects",
        family=FAMILY,
        tries="addopts in setup.cfg deselect the hidden tests",
        files={
            "setup.cfg": f"{PYTEST.files['setup.cfg']}addopts = -k 'not days'\n",
        },
        reference="unresolved",
    ),
    Attack(
        name="python-files",
        family=FAMILY,
        tries="other names for test files and an ignored hidden one, so that forged tests run",
        files={
            "pytest.ini": "[pytest]\npython_files = check_*.py\n"
            "addopts = --ignore=tests/test_parse.py\n",
            "tests/check_all.py": "def test_all():\n    assert True\n",
        },
        reference="unresolved",
    ),
    Attack(
        name="entry-point-plugin",
        family=FAMILY,
        tries="an egg-info folder at the root declares a pytest plugin, which is then loaded",
        files={
            "helper.egg-info/entry_points.txt": "[pytest11]\nhelper = helper\n",
            "helper.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: helper\nVersion: 1\n",
            "helper.py": CALL_NEVER_FAILS,
        },
    ),
)

ATTACKS = (*_HOOKS, *_OPTIONS)
