"""How one image comes to be here: built from a Dockerfile, pulled, or imported from an archive.

Each is one long request to the engine, which tells its progress in lines of JSON. Cancelling it
ends the work in the engine, too. Nothing here decides whether an image is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import tarfile
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from docker.auth import get_config_header, resolve_repository_name
from docker.types import CancellableStream
from docker.utils import parse_repository_tag
from requests import Response
from requests.exceptions import RequestException

from sandbox.docker import DockerHost
from sandbox.sandbox import HostDownError, ImageMissingError, SandboxError
from tasks.context import entries

Progress = Callable[[str], None]

BUILD_LABEL = "ksolve.build"
"""On an image that ksolve built: the digest of everything that it was built from."""

MTIME = 1_577_836_800
"""Of every file that is sent to be built: 2020-01-01, which is no machine's own time."""

_DOCKERFILE = ".ksolve.Dockerfile"
_TAR = {"Content-Type": "application/x-tar"}
_LOG_LINES = 15
# Shown of a build that failed.
_REGISTRY_SECONDS = 20.0
_SILENCE_SECONDS = 3600.0
# A step may compile for long without a word.


async def build(
    host: DockerHost,
    tag: str,
    dockerfile: str,
    context: Path,
    *,
    files: Mapping[str, bool] | None = None,
    label: str,
    progress: Progress,
) -> None:
    """Build an image from a folder, or from `files` of it alone (see `ImageBuild`), with network.

    Raises SandboxError with the log's end.
    """
    params = {
        "t": tag,
        "dockerfile": _DOCKERFILE,
        "labels": json.dumps({BUILD_LABEL: label}),
        "rm": "1",
        "forcerm": "1",
    }
    with tempfile.TemporaryFile() as archive:
        with context_errors(context):
            await asyncio.to_thread(_pack, archive, dockerfile, context, files)
        try:
            await _job(
                host,
                "/build",
                params,
                name=f"building {tag}",
                body=archive,
                headers=_TAR,
                progress=progress,
            )
        except SandboxError as error:
            missed = await asyncio.to_thread(_missed, str(error).partition("\n")[0], context, files)
            if not missed:
                raise
            raise SandboxError(
                f"{error}\nWhat git does not track was not sent: git add {missed} in {context}."
            ) from error


async def pull(host: DockerHost, image: str, progress: Progress) -> bool:
    """Pull an image; False when no registry answers in time or none has it."""
    # Podman cannot be asked whether a registry has one, and does not try for long.
    cannot_ask = host.engine.is_podman
    if not cannot_ask and not await host.call(_registry_has, host, image):
        return False
    repository, tag = parse_repository_tag(image)
    params = {"fromImage": repository, "tag": tag or "latest"}
    try:
        await _job(
            host,
            "/images/create",
            params,
            name=f"pulling {image}",
            body=None,
            headers=_credentials(host, image),
            progress=progress,
        )
    except HostDownError:
        raise
    except SandboxError:
        if cannot_ask:
            return False
        raise
    return True


async def import_archive(
    host: DockerHost, tag: str, archive: Iterator[bytes], progress: Progress
) -> None:
    """Make an image of one layer from the pieces of an uncompressed tar archive."""
    repository, version = parse_repository_tag(tag)
    params = {"fromSrc": "-", "repo": repository, "tag": version or "latest"}
    told = await _job(
        host,
        "/images/create",
        params,
        name=f"importing {tag}",
        body=archive,
        headers=_TAR,
        progress=progress,
    )
    # Podman 4 leaves out the tag, and says which image it made.
    if await label_of(host, tag) is None:
        await host.call(host.client.api.tag, told, repository, version or "latest")


def add_tag(host: DockerHost, image: str, tag: str) -> None:
    """Give a local image one more tag. Blocks."""
    repository, version = parse_repository_tag(tag)
    host.client.images.get(image).tag(repository, version)


async def label_of(host: DockerHost, image: str) -> str | None:
    """Return the `BUILD_LABEL` of a local image, "" when it has none; None without the image."""
    try:
        found = await host.call(host.client.images.get, image)
    except ImageMissingError:
        return None
    return str(found.labels.get(BUILD_LABEL, ""))


@contextlib.contextmanager
def context_errors(context: Path) -> Iterator[None]:
    """Turn what goes wrong with a build context, or the disk, into SandboxError."""
    try:
        yield
    except OSError as error:
        raise SandboxError(f"The folder {context} cannot be sent to be built: {error}.") from error


def _missed(said: str, context: Path, files: Mapping[str, bool] | None) -> str:
    """Return the path that a build was refused for and that was only not sent, "" when none is."""
    if files is None:
        return ""
    sent = {entry.name for entry in entries(context, files)}
    every = {entry.name for entry in entries(context, None)}
    found = [name for name in every - sent if re.search(rf"(?<![^\s/]){re.escape(name)}\b", said)]
    return min(found, key=len, default="")


def _pack(
    archive: IO[bytes], dockerfile: str, context: Path, files: Mapping[str, bool] | None
) -> None:
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for entry in entries(context, files):
            member = tarfile.TarInfo(entry.name)
            member.mtime = MTIME
            member.mode = 0o755 if entry.executable else 0o644
            if entry.kind == "file":
                with entry.path.open("rb") as file:
                    member.size = os.fstat(file.fileno()).st_size
                    tar.addfile(member, file)
                continue
            if entry.kind == "folder":
                member.type = tarfile.DIRTYPE
            else:
                member.type, member.linkname = tarfile.SYMTYPE, os.fspath(entry.path.readlink())
            tar.addfile(member)
        member = tarfile.TarInfo(_DOCKERFILE)
        member.size = len(dockerfile.encode())
        tar.addfile(member, io.BytesIO(dockerfile.encode()))
    archive.seek(0)


def _registry_has(host: DockerHost, image: str) -> bool:
    """Ask the image's registry; no answer within a while is a no. Blocks."""
    api = host.client.api
    url = f"{api.base_url}/v{api.api_version}/distribution/{image}/json"
    try:
        return api.get(url, headers=_credentials(host, image), timeout=_REGISTRY_SECONDS).ok
    except RequestException:
        return False


def _credentials(host: DockerHost, image: str) -> dict[str, str]:
    registry, _ = resolve_repository_name(parse_repository_tag(image)[0])
    header = get_config_header(host.client.api, registry)
    return {"X-Registry-Auth": header.decode()} if header else {}


async def _job(
    host: DockerHost,
    path: str,
    params: Mapping[str, str],
    *,
    name: str,
    body: IO[bytes] | Iterator[bytes] | None,
    headers: Mapping[str, str],
    progress: Progress,
) -> str:
    """Run one long request to its end; return the engine's last status, "" when it has none.

    Raises SandboxError when the engine reports an error.
    """
    loop = asyncio.get_running_loop()
    cancelled = threading.Event()
    streams: list[CancellableStream[bytes]] = []

    def tell(text: str) -> None:
        loop.call_soon_threadsafe(progress, text)

    def work() -> str:
        api = host.client.api
        with api.post(
            f"{api.base_url}/v{api.api_version}{path}",
            params=params,
            data=body,
            headers=headers,
            stream=True,
            timeout=_SILENCE_SECONDS,
        ) as answer:
            if not answer.ok:
                raise SandboxError(f"The Docker Engine refused {name}: {_message(answer)}")
            streams.append(CancellableStream(answer.iter_lines(), answer))
            return "" if cancelled.is_set() else _follow(streams[0], name, tell)

    tell(name)
    working = host.call(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        cancelled.set()
        for stream in streams:
            stream.close()
        await asyncio.wait([working])
        working.exception()  # nobody waits for it any more
        raise


def _follow(lines: Iterator[bytes], name: str, tell: Progress) -> str:
    status = ""
    log: deque[str] = deque(maxlen=_LOG_LINES)
    for line in lines:
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            shown = "".join(f"\n    {logged}" for logged in log)
            raise SandboxError(
                f"{name[0].upper()}{name[1:]} failed: {said['error']}\nIts last words:{shown}"
            )
        status = str(said.get("status") or status)
        text = str(said.get("stream") or said.get("status") or "").strip()
        log.extend(text.splitlines())
        if text.upper().startswith("STEP "):
            tell(f"{name} ({text.splitlines()[0]})")
    return status


def _message(answer: Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return f"status {answer.status_code}"
