"""The way to the Docker Engine: its address, a client, and its faults as one sentence each.

The engine is reached over a Unix socket or plain TCP; TLS and SSH addresses are refused, because
a command's standard input cannot be closed by itself through them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from docker import DockerClient
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from sandbox.sandbox import HostDownError, ImageMissingError, SandboxError

THREADS = 32
"""How many calls to the engine may be under way at once."""

_PATIENCE = 120
# Seconds for one call; creating a container takes long when the disk is busy.


def engine_address() -> str:
    """Return where the engine is, as `unix:///...` or `tcp://...`.

    It is `DOCKER_HOST`, else what `docker context` says. Raises SandboxError for an address of
    another kind.
    """
    address = os.environ.get("DOCKER_HOST", "")
    if not address:
        # Of a context that is chosen but not there, the package returns nothing.
        address = getattr(ContextAPI.get_current_context(), "Host", None) or ""
    if os.environ.get("DOCKER_TLS_VERIFY") or not address.startswith(("unix://", "tcp://")):
        raise SandboxError(
            f"The Docker Engine at {address or 'no address'} is reached neither by a Unix socket "
            "nor by plain TCP: set DOCKER_HOST to unix:///path/of/docker.sock."
        )
    return address


def connect() -> DockerClient:
    """Return a client that speaks the newest API version the engine knows. Blocks.

    Raises SandboxError when the engine does not answer.
    """
    address = engine_address()
    _knock(address)
    with engine_errors():
        return DockerClient(
            base_url=address, version="auto", timeout=_PATIENCE, max_pool_size=THREADS
        )


def _knock(address: str) -> None:
    """Raise SandboxError where nobody listens: the docker package would leave a socket open."""
    parts = urlsplit(address)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as knocking:
                knocking.connect(parts.path)
        else:
            socket.create_connection((parts.hostname, parts.port), _PATIENCE).close()
    except OSError as error:
        raise HostDownError(
            f"No Docker Engine answers at {address} ({error.strerror or error}): "
            "run `ksolve doctor`."
        ) from error


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
        raise SandboxError(f"The Docker Engine refused: {_line(error)}.") from error
    except requests.exceptions.Timeout as error:
        raise SandboxError(
            f"The Docker Engine did not answer within {_PATIENCE} seconds: run `ksolve doctor`."
        ) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise HostDownError(
            f"The Docker Engine at {engine_address()} stopped answering: run `ksolve doctor`."
        ) from error


def _line(error: APIError) -> str:
    """Return the engine's own words on one line."""
    return " ".join((error.explanation or str(error)).split()).rstrip(".")
