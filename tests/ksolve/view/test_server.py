"""`ksolve view` as a command: where it listens, what it says, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from ksolve.cli import app
from ksolve.errors import InputError
from ksolve.view.server import PORTS, listen
from tests.ksolve.view import made

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def viewing(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Give the address that the command prints, and its process."""
    command = [sys.executable, "-m", "ksolve.cli", "view", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.communicate(timeout=20)
            yield found[0], process
        finally:
            process.kill()


def visit(address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)


def test_ctrl_c_ends_it_and_every_open_stream_at_once(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    with viewing(str(folder), "--port", "0") as (address, process):
        with contextlib.closing(visit(address)) as connection:
            connection.request("GET", "/run/one/events")
            stream = connection.getresponse()
            assert stream.getheader("content-type", "").startswith("text/event-stream")
            lines = [stream.readline() for _ in range(3)]
            assert lines == [b"retry: 2000\n", b"\n", b"event: standing\n"]
            process.send_signal(signal.SIGINT)
            assert stream.read().endswith(b"}\n\n")
        assert process.wait(timeout=20) == 0
        assert process.communicate() == ("", "")


def test_a_visitor_who_goes_away_in_the_middle_is_no_trouble(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    with viewing(str(folder), "--port", "0") as (address, process):
        for _ in range(5):
            with contextlib.closing(visit(address)) as connection:
                connection.request("GET", "/run/one/events")
                connection.getresponse().readline()
        with contextlib.closing(visit(address)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.communicate() == ("", "")


def test_beyond_this_machine_the_address_holds_a_token_of_its_own(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    with viewing(str(folder), "--port", "0", "--host", "0.0.0.0") as (address, _):
        parts = urlsplit(address)
        assert re.fullmatch(r"token=[\w-]{32}", parts.query)
        for path, status in (("/", 401), (f"/?{parts.query}", 303)):
            with contextlib.closing(visit(f"http://127.0.0.1:{parts.port}")) as connection:
                connection.request("GET", path)
                assert connection.getresponse().status == status


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for() -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(listen("127.0.0.1", None))
        second = stack.enter_context(listen("127.0.0.1", None))
        ports = [taken.getsockname()[1] for taken in (first, second)]
        assert ports[0] < ports[1]
        assert set(ports) <= set(PORTS)
        with pytest.raises(InputError, match=f"Port {ports[0]} is taken"):
            listen("127.0.0.1", ports[0])


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_of_this_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(InputError, match=f"cannot listen on {host}"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["no/such/folder"], "no/such/folder"),
        ([".", "--token", "short"], "at least 16 characters"),
        ([".", "--token", "ö" * 20], "of ASCII"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(words: list[str], part: str) -> None:
    done = CliRunner().invoke(app, ["view", *words])
    assert done.exit_code == 2
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_the_addresses_of_ipv6_are_there_they_can_be_listened_on() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with contextlib.suppress(InputError), listen("::1", 0) as listening:
        assert listening.family == socket.AF_INET6
