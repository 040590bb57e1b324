"""The engine is found as the docker command finds it, and reached over every way that leads to it.

TLS and ssh are real, on loopback, in front of the engine of this machine; contexts are written by
the docker command itself where it is here.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from sandbox.connection import connect
from sandbox.docker import DockerHost
from sandbox.endpoint import EngineError, endpoint
from sandbox.sandbox import HostDownError, Limits, SandboxError
from sandbox.ssh import SshTunnel

IMAGE = "ksolve/base:1"
SAID = bytes(range(256)) * 4000
PROXY = Path(__file__).with_name("tls_proxy.py")
SOCKET = "/var/run/docker.sock"


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings of the docker command: none but those that a test makes."""
    for name in ("HOST", "CONTEXT", "TLS", "TLS_VERIFY", "CERT_PATH"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    settings = tmp_path / "docker settings"
    settings.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(settings))
    return settings


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Folders of ca.pem, cert.pem and key.pem: of the engine, of a client, of a stranger."""

    engine: Path
    client: Path
    stranger: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is absent")
    root = tmp_path_factory.mktemp("certificates")
    folders = [root / name for name in ("engine", "client", "stranger")]
    for folder in folders:
        folder.mkdir()
        # The stranger knows neither the engine's authority, nor does it know him.
        authority = root / ("other" if folder.name == "stranger" else "authority")
        if not authority.with_suffix(".pem").exists():
            openssl(
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", f"/CN={authority.name}", "-keyout", f"{authority}.key"),
                *("-out", f"{authority}.pem"),
            )
        names = folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={folder.name}"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "request")),
        )
        openssl(
            *("x509", "-req", "-in", str(folder / "request"), "-days", "2", "-CAcreateserial"),
            *("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-extfile", str(names)),
            *("-out", str(folder / "cert.pem")),
        )
        shutil.copy(f"{authority}.pem", folder / "ca.pem")
    engine, client, stranger = folders
    return Certificates(engine=engine, client=client, stranger=stranger)


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def tls_address(docker_engine: None, certificates: Certificates) -> Iterator[str]:
    """Of the engine of this machine, behind TLS that wants a client's certificate."""
    own = certificates.engine
    files = [str(own / name) for name in ("ca.pem", "cert.pem", "key.pem")]
    command = [sys.executable, str(PROXY), SOCKET, *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield f"tcp://127.0.0.1:{proxy.stdout.readline().strip()}"
        proxy.kill()


async def use_it() -> None:
    """Do all that goes over the wire: calls, files, and commands whose input ends."""
    async with DockerHost(run_id="test") as host, host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["cat"], stdin=SAID, timeout=60)
        assert (result.exit_code, result.stdout) == (0, SAID)
        await sandbox.write(PurePosixPath("/tmp/file"), SAID)
        assert await sandbox.read(PurePosixPath("/tmp/file"), len(SAID)) == SAID
        late = await sandbox.exec(["sleep", "1000"], timeout=0.5)
        assert late.killed_for == "deadline"
        async with sandbox.resident() as resident:
            for _ in range(3):
                again = await resident.exec(["cat", "/tmp/file"], timeout=60)
                assert again.stdout == SAID


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_tls_leads_to_the_engine(
    tls_address: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", tls_address)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates.client))
    # As companies set it for their proxy: it says nothing of the engine.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.stranger / "ca.pem"))
    await use_it()


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_tls_of_a_context_leads_to_the_engine(
    tls_address: str, certificates: Certificates, nothing_said: Path
) -> None:
    own = certificates.client
    parts = [f"{name}={own / name}.pem" for name in ("ca", "cert", "key")]
    docker("context", "create", "far", "--docker", f"host={tls_address},{','.join(parts)}")
    docker("context", "use", "far")
    assert endpoint().source == "the docker context far"
    await use_it()


def docker(*arguments: str) -> None:
    """Run the docker command, with the settings of a test."""
    if shutil.which("docker") is None:
        pytest.skip("the docker command is absent")
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


@pytest.mark.docker
@pytest.mark.parametrize("whose", ["stranger", "nobody"])
def test_tls_that_fails_says_so(
    tls_address: str,
    certificates: Certificates,
    whose: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = certificates.stranger if whose == "stranger" else tmp_path
    if whose == "nobody":
        shutil.copy(certificates.client / "ca.pem", tmp_path)
    monkeypatch.setenv("DOCKER_HOST", tls_address)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
    with pytest.raises(EngineError, match="TLS") as error:
        connect()
    assert error.value.fault == "tls"
    assert str(folder) in str(error.value)


@pytest.mark.docker
def test_an_engine_that_wants_tls_is_not_spoken_to_without(
    tls_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", tls_address)
    with pytest.raises(EngineError, match=tls_address):
        connect()


@pytest.fixture
def ssh_address(
    docker_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Of this machine, by a daemon of ours and an `ssh` that knows its key."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    ssh = shutil.which("ssh")
    if sshd is None or ssh is None or shutil.which("docker") is None:
        pytest.skip("sshd, ssh or the docker command is absent")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        key = str(tmp_path / name)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]
        subprocess.run(command, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin yes\nSetEnv PATH={os.environ['PATH']}\n"
    )
    client = tmp_path / "ssh_config"
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    client.write_text(
        f"IdentityFile {tmp_path}/user\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n"
        "StrictHostKeyChecking yes\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {client} "$@"\n')
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    command = [sshd, "-D", "-e", "-f", str(settings)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        give_up = time.monotonic() + 20
        while not listens(port) and time.monotonic() < give_up:
            time.sleep(0.05)
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
        daemon.kill()


def listens(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_ssh_leads_to_the_engine(ssh_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", ssh_address)
    await use_it()


@pytest.mark.docker
def test_ssh_leads_to_the_socket_that_its_address_names(
    ssh_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"{ssh_address}{SOCKET}")
    engine = connect()
    try:
        assert engine.client.ping()
    finally:
        engine.close()
    monkeypatch.setenv("DOCKER_HOST", f"{ssh_address}/no/such.sock")
    with pytest.raises(SandboxError):
        connect()


@pytest.mark.docker
def test_nothing_of_ssh_is_left_behind(ssh_address: str) -> None:
    with SshTunnel(ssh_address) as tunnel:
        folder = tunnel.path.parent
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tunnel.path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.")
        processes = list(tunnel.processes)
    assert processes
    assert all(process.poll() is not None for process in processes)
    assert not folder.exists()


def test_ssh_that_does_not_work_says_how_to_try_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("ssh is absent")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"ssh://me@127.0.0.1:{port}")
    with pytest.raises(HostDownError, match=f"ssh -l me -p {port} -- 127.0.0.1 true"):
        connect()


def test_what_is_said_nearest_wins(nothing_said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the docker command: DOCKER_HOST, DOCKER_CONTEXT, its settings, the usual."""
    assert endpoint().url == "unix:///var/run/docker.sock"
    docker("context", "create", "one", "--docker", "host=tcp://one:2375")
    docker("context", "create", "two", "--docker", "host=ssh://me@two")
    assert endpoint().source == ""
    docker("context", "use", "one")
    assert (endpoint().url, endpoint().source) == ("tcp://one:2375", "the docker context one")
    monkeypatch.setenv("DOCKER_CONTEXT", "two")
    assert endpoint().url == "ssh://me@two"
    # Which the docker command reads even where there are no settings of its own.
    (nothing_said / "config.json").unlink()
    assert endpoint().url == "ssh://me@two"
    monkeypatch.setenv("DOCKER_HOST", "tcp://three:2375")
    assert (endpoint().url, endpoint().source) == ("tcp://three:2375", "DOCKER_HOST")


def test_a_context_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(EngineError, match="'gone', which DOCKER_CONTEXT names") as error:
        endpoint()
    assert error.value.fault == "setting"


@pytest.mark.parametrize(
    "address", ["nonsense", "unix://", "tcp://", "tcp://host:port", "fd://", "npipe:////./pipe/x"]
)
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match="DOCKER_HOST says") as error:
        endpoint()
    assert error.value.fault == "setting"
