"""The way to the container engine: where it is, a client, and its faults as one sentence each.

It is found as the `docker` command finds it: DOCKER_HOST, else DOCKER_CONTEXT, else the current
context of the command's settings, else the usual socket. A Unix socket, TCP, TLS and `ssh://` lead
to it. What the engine can do is not looked at here (`sandbox.engine`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.tls import TLSConfig

from sandbox.sandbox import HostDownError, ImageMissingError, SandboxError
from sandbox.ssh import SshTunnel

THREADS = 32
"""How many calls to the engine may be under way at once."""

API_WANTED = (1, 41)
"""The oldest API that can do what ksolve asks: Docker 20.10, Podman 4."""

DEFAULT_SOCKET = "unix:///var/run/docker.sock"

Fault = Literal["absent", "refused", "not permitted", "unreachable", "tls", "ssh", "old", "setting"]
"""Why an engine cannot be used: no socket; nobody listens; this user may not; no way there; the
certificates; ssh; an API that is too old; the setting that names it cannot be read."""

# Seconds for one call; creating a container takes long when the disk is busy.
_PATIENCE = 120
# Seconds until somebody must listen.
_KNOCKING = 20
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")
# Of every engine, also of those that are too old.
_ANY_API = "1.24"


class EngineError(HostDownError):
    """The engine cannot be reached, or not be used. The message says why, and what mends it."""

    def __init__(self, sentence: str, fault: Fault) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where an engine is, and who says so."""

    url: str
    source: str
    """`DOCKER_HOST`, `the docker context NAME`, or "" where nothing was said."""
    certificates: Path | None = None
    """The folder of ca.pem, cert.pem and key.pem, as far as there are; None without TLS."""
    verify: bool = True
    """Whether the engine's certificate is checked."""

    @property
    def parts(self) -> SplitResult:
        """The address in its parts."""
        return urlsplit(self.url)

    @property
    def socket_path(self) -> Path | None:
        """The Unix socket, None for an engine that is reached in another way."""
        parts = self.parts
        return Path(f"{parts.netloc}{parts.path}") if parts.scheme == "unix" else None

    def __str__(self) -> str:
        return f"{self.url} (set by {self.source})" if self.source else self.url


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


def endpoint() -> Endpoint:
    """Return where the engine is. Raises EngineError for a setting that cannot be used."""
    address = os.environ.get("DOCKER_HOST", "")
    if address:
        return _checked(Endpoint(url=address, source="DOCKER_HOST", **_tls_of_environment()))
    settings = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT") or _current_context(settings / "config.json")
    if name == "default":
        return _checked(Endpoint(url=DEFAULT_SOCKET, source=""))
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = settings / "contexts" / "meta" / key / "meta.json"
    source = f"the docker context {name}"
    try:
        told = json.loads(meta.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        url, verify = str(told.get("Host") or DEFAULT_SOCKET), not told.get("SkipTLSVerify")
    except FileNotFoundError:
        by = "DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else settings / "config.json"
        raise EngineError(
            f"There is no docker context {name!r}, which {by} names: choose one of "
            "`docker context ls`.",
            "setting",
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(f"{meta} of {source} cannot be read: {error!r}.", "setting") from None
    folder = settings / "contexts" / "tls" / key / "docker"
    certificates = folder if folder.is_dir() or not verify else None
    return _checked(Endpoint(url=url, source=source, certificates=certificates, verify=verify))


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
            version=str((podman or [told])[0]["Version"]),
            api=api,
            cpus=_cpus(client),
            is_podman=bool(podman),
            _ends=opened.pop_all().close,
        )


def _checked(found: Endpoint) -> Endpoint:
    """Return an endpoint whose address is one. Raises EngineError."""
    parts = found.parts
    try:
        if parts.scheme in _SCHEMES and (
            parts.path if parts.scheme == "unix" else parts.hostname and (parts.port or 1)
        ):
            return found
    except ValueError:
        # A port that is no number.
        pass
    raise EngineError(
        f"{found.source or 'The setting'} says {found.url!r}, which is no address of an engine: "
        "write unix:///path/of/docker.sock, tcp://host:port or ssh://user@host.",
        "setting",
    )


def _tls_of_environment() -> dict[str, Any]:
    """Return what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say, as the docker command reads them."""
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    folder = os.environ.get("DOCKER_CERT_PATH")
    if not (verify or folder or os.environ.get("DOCKER_TLS")):
        return {}
    settings = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    return {"certificates": Path(folder or settings), "verify": verify}


def _current_context(settings: Path) -> str:
    """Return the context that the docker command uses; an unreadable file says nothing."""
    try:
        return str(json.loads(settings.read_text(encoding="utf-8"))["currentContext"] or "default")
    except (OSError, ValueError, TypeError, KeyError):
        return "default"


def _wire(found: Endpoint, opened: contextlib.ExitStack) -> Wire:
    """Return how connections are made; what that needs is opened."""
    parts = found.parts
    if parts.scheme == "unix":
        return Wire(path=str(found.socket_path), name=found.url)
    if parts.scheme == "ssh":
        tunnel = opened.enter_context(SshTunnel(found.url))
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
        return dict(client.version(api_version=False))
    except requests.exceptions.SSLError as error:
        raise _tls_error(found, error) from error
    except (DockerException, requests.exceptions.RequestException, ValueError) as error:
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
