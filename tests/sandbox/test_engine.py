"""The engine is found where there is one, and what is missing is said in one sentence."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_engine_that_this_user_may_not_use_is_not_missing() -> None:
    with plain_user():
        status = engine_status()
    assert status.fault == "not permitted"
    assert "usermod -aG docker" in status.why_not


@pytest.mark.parametrize(
    ("said", "fault", "words"),
    [
        ({"ApiVersion": "1.24", "Version": "1.12"}, "old", "speaks API 1.24, and ksolve needs"),
        ({"hello": "world"}, "unreachable", "is no engine"),
        (None, "unreachable", "is no engine"),
    ],
)
def test_what_answers_and_is_of_no_use_says_so(
    said: object, fault: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(said) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        status = engine_status()
    assert (status.version, status.fault) == (None, fault)
    assert words in status.why_not
    assert address in status.why_not


@contextmanager
def answering(said: object) -> Iterator[str]:
    """A server that says one thing, which is no JSON where that is None."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = b"<html>" if said is None else json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


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
