"""The engine is found where there is one, and what is missing is said in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.engine import as_root, engine_status, install_and_start, install_packages
from sandbox.sandbox import SandboxError

NOWHERE = "unix:///nowhere/docker.sock"
NOBODY = 65534


@contextmanager
def plain_user() -> Iterator[None]:
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        os.seteuid(user)


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_engine_that_answers_is_left_alone() -> None:
    status = engine_status()
    assert status.version
    assert status.api
    assert status.why_not == ""
    said: list[str] = []
    install_and_start(said.append)
    assert said == []


def test_engine_that_does_not_answer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    status = engine_status()
    assert status.version is None
    assert NOWHERE in status.why_not


def test_foreign_engine_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    with pytest.raises(SandboxError, match="DOCKER_HOST"):
        install_and_start(lambda _: None)


@pytest.mark.parametrize("address", ["ssh://host", "https://host:2376", "nonsense"])
def test_address_of_another_kind_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert "DOCKER_HOST" in engine_status().why_not


def test_without_root_and_sudo_that_is_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with plain_user(), pytest.raises(SandboxError, match="neither root nor sudo"):
        as_root("Setting up an engine")


def test_without_apt_that_is_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="no apt"):
        install_packages(["docker.io"], lambda _: None)
