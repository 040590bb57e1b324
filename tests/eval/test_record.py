"""A run agrees with the record of its task, or it is said how it does not."""

from __future__ import annotations

from pathlib import PurePosixPath

from eval.evidence import Evidence, Import
from eval.record import differences, foreign_modules, recorded

BASE = Evidence(
    runner="pytest",
    settings=(("rootdir", "/testbed"), ("option seed", "1"), ("ini addopts", "-q")),
    imports=(
        Import(name="spans", origin="spans/__init__.py"),
        Import(name="test_parse", origin="tests/test_parse.py", from_outside=True),
    ),
    missing=frozenset({"org", "new"}),
    plugins=frozenset({"/usr/lib/pytest_cov.py"}),
)
GOLD = Evidence(
    runner="pytest",
    settings=(("rootdir", "/testbed"), ("option seed", "2"), ("ini addopts", "-q")),
    imports=(*BASE.imports, Import(name="new", origin="new.py", from_outside=True)),
    missing=frozenset({"org"}),
)
RECORD = recorded([BASE, GOLD])


def foreign(*imports: Import, deleted: str = "") -> dict[str, PurePosixPath]:
    gone = {PurePosixPath(deleted)}
    return foreign_modules(RECORD, Evidence(imports=imports), gone)


def test_runs_without_a_candidate_do_not_differ() -> None:
    assert differences(RECORD, BASE, ()) == []
    assert differences(RECORD, GOLD, ()) == []


def test_what_differs_from_run_to_run_is_not_recorded() -> None:
    assert dict(RECORD.settings) == {"rootdir": "/testbed", "ini addopts": "-q"}
    assert RECORD.missing == {"org"}


def test_a_module_that_nothing_finds_without_the_candidate_is_foreign() -> None:
    assert foreign(Import(name="org", origin="org.py")) == {"org": PurePosixPath("org.py")}


def test_a_module_in_the_place_of_another_is_foreign() -> None:
    assert foreign(Import(name="json", origin="json.py", shadows=True))
    assert foreign(
        Import(name="test_parse", origin="tests/test_parse/__init__.py", from_outside=True)
    )


def test_a_module_that_the_runner_loads_before_collecting_is_foreign() -> None:
    assert foreign(
        Import(name="options", origin="options.py", from_outside=True, before_collection=True)
    )


def test_modules_that_a_fix_may_bring_are_not_foreign() -> None:
    assert not foreign(
        # Imported by the repository's own code, in the place of nothing.
        Import(name="helper", origin="helper.py"),
        # A test of the candidate's own.
        Import(name="test_new", origin="tests/test_new.py", from_outside=True),
    )
    # A package that lies elsewhere now; but not one that stands before the one that is there.
    moved = Import(name="spans", origin="src/spans/__init__.py")
    assert not foreign(moved, deleted="spans/__init__.py")
    assert foreign(moved)


def test_settings_plugins_functions_and_late_marks_are_said() -> None:
    run = Evidence(
        settings=(("rootdir", "/testbed/tests"), ("ini addopts", "-q"), ("ini usefixtures", "x")),
        plugins=frozenset({"/testbed/evil.py", "/testbed/conftest.py"}),
        altered=frozenset({"_pytest.runner.call from /testbed/evil.py"}),
        late=frozenset({"tests/t.py::a"}),
    )
    said = "\n".join(differences(RECORD, run, [PurePosixPath("/testbed/conftest.py")]))
    assert "rootdir, ini usefixtures" in said
    assert "/testbed/evil.py" in said
    assert "/testbed/conftest.py" not in said
    assert "_pytest.runner.call" in said
    assert "tests/t.py::a" in said
