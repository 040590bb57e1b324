"""The way to the container engine: a client, further connections, and faults as one sentence each.

A Unix socket, TCP, TLS and `ssh://` lead to it (`sandbox.endpoint`). What the engine can do is not
looked at here (`sandbox.abilities`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.tls import TLSConfig

from sandbox.endpoint import Endpoint, EngineError, Fault, endpoint
from sandbox.sandbox import HostDownError, ImageMissingError, SandboxError
from sandbox.ssh import SshTunnel

THREADS = 32
"""How many calls to the engine may be under way at once."""

API_WANTED = (1, 41)
"""The oldest API that can do what ksolve asks: Docker 20.10, Podman 4."""

# Seconds for one call; creating a container takes long when the disk is busy.
_PATIENCE = 120
# Seconds until somebody must listen.
_KNOCKING = 20
# Of every engine, also of those that are too old.
_ANY_API = "1.24"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """How one more connection to the engine is made: a Unix socket, or a host and port."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None
    name: str = ""
    """The engine's address as a person knows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """An engine that answered."""

    endpoint: Endpoint
    client: DockerClient
    wire: Wire
    version: str
    api: str
    cpus: int
    """How many the engine's machine has."""
    is_podman: bool
    _ends: Callable[[], None] = field(repr=False)

    def close(self) -> None:
        """Leave it. Blocks."""
        self.client.close()
        self._ends()


def connect() -> Engine:
    """Return the engine, spoken to in the newest API that it knows. Blocks.

    Raises EngineError when it does not answer or cannot be used.
    """
    found = endpoint()
    with contextlib.ExitStack() as opened:
        wire = _wire(found, opened)
        _knock(found, wire)
        client = _client(found, wire, _ANY_API)
        try:
            told = _version(found, client)
        finally:
            client.close()
        api = str(told["ApiVersion"])
        if tuple(int(part) for part in api.split(".")) < API_WANTED:
            wanted = ".".join(str(part) for part in API_WANTED)
            raise EngineError(
                f"The engine at {found} speaks API {api}, and ksolve needs {wanted}: upgrade it to "
                "Docker 20.10 or Podman 4, or newer.",
                "old",
            )
        client = _client(found, wire, api)
        opened.callback(client.close)
        components = told.get("Components") or ()
        podman = [one for one in components if one.get("Name") == "Podman Engine"]
        return Engine(
            endpoint=found,
            client=client,
            wire=wire,
            version=str((podman or [told])[0].get("Version", "")),
            api=api,
            cpus=_cpus(client),
            is_podman=bool(podman),
            _ends=opened.pop_all().close,
        )


def _wire(found: Endpoint, opened: contextlib.ExitStack) -> Wire:
    """Return how connections are made; what that needs is opened. Raises EngineError."""
    parts = found.parts
    if parts.scheme == "unix":
        return Wire(path=str(found.socket_path), name=found.url)
    if parts.scheme == "ssh":
        try:
            tunnel = opened.enter_context(SshTunnel(found.url))
        except HostDownError as error:
            raise EngineError(str(error), "ssh") from error
        return Wire(path=str(tunnel.path), name=found.url)
    is_tls = found.certificates is not None or parts.scheme == "https"
    return Wire(
        host=parts.hostname or "",
        port=parts.port or (2376 if is_tls else 2375),
        tls=_tls_context(found) if is_tls else None,
        name=found.url,
    )


def _certificate(found: Endpoint, name: str) -> str | None:
    path = found.certificates / name if found.certificates else None
    return str(path) if path and path.is_file() else None


def _tls_context(found: Endpoint) -> ssl.SSLContext:
    ca, cert, key = (_certificate(found, name) for name in ("ca.pem", "cert.pem", "key.pem"))
    try:
        context = ssl.create_default_context(cafile=ca)
        if not found.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert and key:
            context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise EngineError(
            f"The certificates in {found.certificates} for {found.url} cannot be used "
            f"({error.strerror or error}): ca.pem, cert.pem and key.pem belong there.",
            "tls",
        ) from None
    return context


def _client(found: Endpoint, wire: Wire, api: str) -> DockerClient:
    tls: TLSConfig | bool = False
    if wire.tls is not None:
        ca, cert, key = (_certificate(found, name) for name in ("ca.pem", "cert.pem", "key.pem"))
        pair = (cert, key) if cert and key else None
        tls = TLSConfig(client_cert=pair, ca_cert=ca, verify=found.verify)
    address = f"unix://{wire.path}" if wire.path else f"tcp://{wire.host}:{wire.port}"
    if ":" in wire.host:
        address = f"tcp://[{wire.host}]:{wire.port}"
    with engine_errors():
        client = DockerClient(
            base_url=address, version=api, timeout=_PATIENCE, max_pool_size=THREADS, tls=tls
        )
    # Else REQUESTS_CA_BUNDLE, which many companies set, would replace the engine's own authority.
    client.api.trust_env = False
    return client


def _version(found: Endpoint, client: DockerClient) -> dict[str, Any]:
    """Ask the engine who it is. Raises EngineError."""
    try:
        told = dict(client.version(api_version=False))
        # What knows no version of its API is no engine.
        return told | {"ApiVersion": told["ApiVersion"]}
    except requests.exceptions.SSLError as error:
        raise _tls_error(found, error) from error
    except (DockerException, requests.exceptions.RequestException, ValueError, KeyError) as error:
        words = str(error)
        if "HTTP request to an HTTPS server" in words:
            raise EngineError(
                f"The engine at {found} wants TLS: set DOCKER_TLS_VERIFY=1, and "
                "DOCKER_CERT_PATH to the folder of its ca.pem, cert.pem and key.pem.",
                "tls",
            ) from error
        raise EngineError(
            f"What answers at {found} is no engine ({_last(error)}): correct "
            f"{found.source or 'DOCKER_HOST'}.",
            "unreachable",
        ) from error


def _cpus(client: DockerClient) -> int:
    with engine_errors():
        return int(client.info()["NCPU"])


def _tls_error(found: Endpoint, error: Exception) -> EngineError:
    words = _last(error)
    folder = found.certificates or "DOCKER_CERT_PATH"
    mend = f"{folder} must hold the ca.pem, cert.pem and key.pem that it knows"
    if "verify failed" in words.lower():
        mend = f"put its ca.pem into {folder}"
    return EngineError(f"TLS with the engine at {found} fails ({words}): {mend}.", "tls")


def _last(error: BaseException) -> str:
    """Return the words of what is at the bottom of an error."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _knock(found: Endpoint, wire: Wire) -> None:
    """Raise EngineError, with the reason, where nobody listens."""
    try:
        if wire.path:
            with socket.socket(socket.AF_UNIX) as knocking:
                knocking.connect(wire.path)
        else:
            socket.create_connection((wire.host, wire.port), _KNOCKING).close()
    except OSError as error:
        raise _unheard(found, error) from error


def _unheard(found: Endpoint, error: OSError) -> EngineError:
    path = found.socket_path
    said = f"{found.url}, which {found.source} names" if found.source else found.url
    if path is None:
        return EngineError(
            f"No engine answers at {said}: {error.strerror or error}; start it there, or correct "
            f"{found.source}.",
            "unreachable",
        )
    if isinstance(error, PermissionError):
        return EngineError(_not_permitted(path), "not permitted")
    way = (
        f"correct {found.source}, or start the engine that it means"
        if found.source
        else "run `ksolve doctor --mend`"
    )
    fault: Fault = "refused"
    why = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        fault, why = "absent", "there is no such socket"
    return EngineError(f"No engine answers at {said}: {why}; {way}.", fault)


def _not_permitted(path: Path) -> str:
    try:
        group = path.group()
    except (OSError, KeyError):
        group = ""
    mend = "ask who administers this machine"
    if group and group != "root":
        mend = f"run `sudo usermod -aG {group} $USER` and log in again"
    return f"This user may not use the engine's socket {path}: {mend}."


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn what the docker package raises into SandboxError or ImageMissingError."""
    try:
        yield
    except ImageNotFound as error:
        raise ImageMissingError(
            f"The image is not on this machine ({_line(error)}): build or pull it with "
            "`ksolve tasks build`."
        ) from error
    except NotFound as error:
        raise SandboxError(
            f"The sandbox is gone: it was removed or its lifetime ran out ({_line(error)})."
        ) from error
    except APIError as error:
        raise SandboxError(f"The engine refused: {_line(error)}.") from error
    except requests.exceptions.Timeout as error:
        raise SandboxError(
            f"The engine did not answer within {_PATIENCE} seconds: run `ksolve doctor`."
        ) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise HostDownError("The engine stopped answering: run `ksolve doctor`.") from error


def _line(error: APIError) -> str:
    """Return the engine's own words on one line."""
    return " ".join((error.explanation or str(error)).split()).rstrip(".")
