"""The witness is understood by the versions of Python and pytest that real repositories use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.eval.test_witness import SUMMARY, TESTS, run_program

VERSIONS = [
    ("3.6", "pytest==3.10.1"),
    ("3.7", "pytest==4.6.11"),
    ("3.8", "pytest==5.4.3"),
    ("3.9", "pytest==6.2.5"),
    ("3.10", "pytest==7.4.4"),
    ("3.12", "pytest==8.3.5"),
    ("3.13", "pytest==9.0.1"),
]


def interpreter(version: str) -> Path:
    """A Python of that version on this machine; skips where there is none."""
    places = [Path.home() / ".pyenv" / "versions"]
    found = [one for place in places for one in sorted(place.glob(f"{version}.*/bin/python"))]
    named = shutil.which(f"python{version}")
    if not found and named is None:
        pytest.skip(f"there is no Python {version} on this machine")
    return found[-1] if found else Path(str(named))


@pytest.mark.registry
@pytest.mark.parametrize(("python", "requirement"), VERSIONS)
def test_the_witness_sees_what_that_version_prints(
    tmp_path: Path, python: str, requirement: str
) -> None:
    made = tmp_path / "venv"
    subprocess.run([interpreter(python), "-m", "venv", made], check=True)
    # The pip of an old Python takes what that Python cannot run.
    install = [find_uv_bin(), "pip", "install", "-q", "--python", str(made / "bin" / "python")]
    subprocess.run([*install, requirement], check=True, capture_output=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "setup.cfg").write_text("[tool:pytest]\naddopts = -p no:cacheprovider\n")
    (tmp_path / "tests" / "test_all.py").write_text(TESTS)
    words = ("-m", "pytest", "-rA", "tests")
    log, evidence = run_program(tmp_path, *words, python=str(made / "bin" / "python"))
    seen = {name: status for name, status in evidence.tests if status != "SKIPPED"}
    if requirement > "pytest==4":
        # Before, -rA told of passed tests under another heading.
        assert seen == {name.strip(): status for status, name in SUMMARY.findall(log)}, log
    assert len(seen) == 11, log
    assert evidence.exit_status == 1
    assert evidence.canary_failed is True
    assert dict(evidence.settings)["inifile"].endswith("setup.cfg")
    assert ("ini addopts", "-p no:cacheprovider") in evidence.settings
    assert [file for file, _ in evidence.codes] == ["tests/test_all.py"]
    assert not evidence.forged
    assert not evidence.late
    assert not [one for one in evidence.altered if str(tmp_path / "tests") in one]
