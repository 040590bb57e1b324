"""`ksolve doctor` says why a part cannot be used and what mends it, not only that it is missing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ksolve.cli import app

NOBODY = 65534
ENGINE = ("doctor", "--part", "engine", "--part", "base-image")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def doctor(*words: str, **variables: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*ENGINE, *words], env={"COLUMNS": "200", **variables})
    return done.exit_code, done.stdout


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
def test_what_stands_has_its_version_and_no_reason() -> None:
    code, said = doctor("--json")
    told = json.loads(said)
    assert code == 0
    assert told["engine"]
    assert told["base-image"] == "present"
    assert told["why_not"] == {}


def test_a_wrong_docker_host_is_named(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    code, said = doctor("--json", DOCKER_HOST=address)
    told = json.loads(said)
    assert (code, told["engine"], told["base-image"]) == (3, None, None)
    reason = told["why_not"]["engine"]
    assert f"{address}, which DOCKER_HOST names: there is no such socket" in reason
    assert "correct DOCKER_HOST" in reason
    # Not missing: nobody can look.
    assert "cannot be used" in told["why_not"]["base-image"]
    code, said = doctor(DOCKER_HOST=address)
    assert (code, "not usable" in said, "missing" in said, reason in said) == (3, True, False, True)


def test_nobody_mends_what_somebody_chose(tmp_path: Path) -> None:
    code, said = doctor("--mend", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert code == 3
    assert "Setting up engine" in said
    assert (
        "DOCKER_HOST"
        in CliRunner()
        .invoke(app, [*ENGINE, "--mend"], env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
        .stderr
    )


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_socket_that_this_user_may_not_use_is_named(open_path: Path) -> None:
    cache = open_path / "cache"
    cache.mkdir()
    os.chown(cache, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        code, said = doctor("--json", XDG_CACHE_HOME=str(cache), DOCKER_CONFIG=str(cache))
    finally:
        os.seteuid(0)
    assert code == 3
    reason = json.loads(said)["why_not"]["engine"]
    assert "may not use the engine's socket" in reason
    assert "`sudo usermod -aG docker $USER`" in reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_cache_that_cannot_be_looked_at_is_named(open_path: Path) -> None:
    kept = open_path / "ksolve" / "models"
    kept.mkdir(parents=True)
    kept.chmod(0o700)
    os.chown(open_path / "ksolve", NOBODY, NOBODY)
    name = "qwen2.5-coder-0.5b"
    os.seteuid(NOBODY)
    try:
        done = CliRunner().invoke(
            app,
            ["doctor", "--part", name, "--json"],
            env={"XDG_CACHE_HOME": str(open_path)},
        )
    finally:
        os.seteuid(0)
    assert done.exit_code == 3
    reason = json.loads(done.stdout)["why_not"][name]
    assert str(kept) in reason
    assert "Permission denied" in reason


def test_what_is_just_not_there_says_who_needs_it(tmp_path: Path) -> None:
    name = "qwen2.5-coder-0.5b"
    done = CliRunner().invoke(
        app, ["doctor", "--part", name], env={"COLUMNS": "200", "XDG_CACHE_HOME": str(tmp_path)}
    )
    assert done.exit_code == 3
    assert "missing" in done.stdout
    assert f"`ksolve doctor --mend --part {name}`" in done.stdout
