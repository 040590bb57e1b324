"""Where the container engine is, found as the `docker` command finds it.

That is DOCKER_HOST, else DOCKER_CONTEXT, else the current context of the command's settings, else
the usual socket. The docker package reads contexts too, but none where there is no config.json,
and no certificates unless there are all three. Whether anybody listens is not looked at here.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from sandbox.sandbox import HostDownError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"

Fault = Literal["absent", "refused", "not permitted", "unreachable", "tls", "ssh", "old", "setting"]
"""Why an engine cannot be used: no socket; nobody listens; this user may not; no way there; the
certificates; ssh; an API that is too old; the setting that names it cannot be read."""

_SCHEMES = ("unix", "tcp", "http", "https", "ssh")


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
