"""The base image, which needs no registry: a small Debian or Ubuntu with Python and git.

Where a registry answers it stands on the official Debian image; elsewhere on what `debootstrap`
makes of the packages that this machine itself is installed from. What is in it does not differ:
a user `solver`, /testbed, pytest, git, and the certificates that this machine was told to trust
(without them nothing inside could download through a company's proxy).
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import platformdirs
import zstandard

from sandbox.build import Progress, add_tag, build, import_archive, label_of, pull
from sandbox.docker import DockerHost
from sandbox.engine import as_root, install_packages, program
from sandbox.sandbox import SandboxError
from tasks.base import BASE_IMAGE, DOCKERFILE, PACKAGES, RECIPE

_OFFICIAL = "debian:bookworm-slim"
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_INSTALL = (
    "RUN apt-get update && apt-get install -y --no-install-recommends "
    + " ".join(PACKAGES)
    + " && rm -rf /var/lib/apt/lists/*"
)


def base_tag() -> str:
    """Return what the base image of this version is called on this machine.

    Another version has another one, and so has a machine that trusts other authorities.
    """
    return f"{BASE_IMAGE}-{_wanted()[:12]}"


def base_image_state() -> Literal["present", "other", "absent"]:
    """Say whether the base image is here, as this version makes it or in another way.

    Blocks. Raises SandboxError without an engine.
    """

    async def look() -> tuple[str | None, str | None]:
        async with DockerHost() as host:
            return await label_of(host, base_tag()), await label_of(host, BASE_IMAGE)

    own, any_version = asyncio.run(look())
    if own is not None:
        return "present"
    return "absent" if any_version is None else "other"


async def ensure_base_image(progress: Progress) -> str:
    """Make the base image unless it is here; return its digest. Raises SandboxError."""
    async with DockerHost() as host:
        return await ensure_base(host, progress)


async def ensure_base(host: DockerHost, progress: Progress) -> str:
    """Do as `ensure_base_image`, with a host that is open already."""
    tag, wanted = base_tag(), _wanted()
    if await label_of(host, tag) is None:
        # Versions before tags with digests called it so.
        if await label_of(host, BASE_IMAGE) != wanted:
            await _build(host, tag, wanted, progress)
        else:
            await host.call(add_tag, host, BASE_IMAGE, tag)
    if await label_of(host, BASE_IMAGE) is None:
        await host.call(add_tag, host, tag, BASE_IMAGE)
    return await host.image_digest(tag)


async def _build(host: DockerHost, tag: str, label: str, progress: Progress) -> None:
    start = await _image_below(host, progress)
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(_copy_certificates, Path(folder, "certificates"))
        await build(host, tag, start + DOCKERFILE, Path(folder), label=label, progress=progress)


def _wanted() -> str:
    """Return the digest of all that the base image is made of, versions of packages left out."""
    digest = hashlib.sha256(RECIPE)
    for path in _certificates():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _certificates() -> list[Path]:
    return sorted(_CERTIFICATES.rglob("*.crt"))


def _copy_certificates(folder: Path) -> None:
    folder.mkdir()
    for path in _certificates():
        name = "-".join(path.relative_to(_CERTIFICATES).parts)
        (folder / name).write_bytes(path.read_bytes())


async def _image_below(host: DockerHost, progress: Progress) -> str:
    """Make an image with the packages ready; return how the Dockerfile starts from it."""
    archive = _archive()
    own = f"ksolve/rootfs:{archive.name.removeprefix('rootfs-').removesuffix('.tar.zst')}"
    if await label_of(host, own) is not None:
        return f"FROM {own}"
    if not archive.exists():
        if await label_of(host, _OFFICIAL) is not None or await pull(host, _OFFICIAL, progress):
            return f"FROM {_OFFICIAL}\n{_INSTALL}"
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(progress, text)

        await asyncio.to_thread(_make_archive, archive, tell)
    await import_archive(host, own, _unpacked(archive), progress)
    return f"FROM {own}"


def _archive() -> Path:
    """Return where the packed file system is kept, so that an empty engine is filled quickly."""
    packages = hashlib.sha256(repr(PACKAGES).encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("ksolve") / f"rootfs-{_release()}-{packages}.tar.zst"


def _unpacked(archive: Path) -> Iterator[bytes]:
    try:
        with archive.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            while piece := reader.read(1 << 20):
                yield piece
    except zstandard.ZstdError as error:
        archive.unlink()
        raise SandboxError(f"{archive} was damaged and is removed: run this again.") from error


def _make_archive(archive: Path, tell: Progress) -> None:
    """Install the packages into a folder and pack it. Blocks for a minute or so."""
    mirror, components = _mirror()
    root = as_root("Making the base image where no container registry answers")
    if program("debootstrap") is None:
        install_packages(["debootstrap"], tell)
    archive.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="rootfs-", dir=archive.parent))
    try:
        _debootstrap(root, folder / "rootfs", mirror, components, tell)
        tell("packing the base image")
        partial = folder / archive.name
        command = [*root, "tar", "-C", str(folder / "rootfs"), "--exclude=./dev/*"]
        command += ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "-c", "."]
        with partial.open("wb") as file, subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
            assert tar.stdout is not None
            zstandard.ZstdCompressor(level=6, threads=-1).copy_stream(tar.stdout, file)
        if tar.returncode != 0:
            raise SandboxError(f"The base image cannot be packed in {folder}: tar failed.")
        partial.rename(archive)
    except OSError as error:
        raise SandboxError(f"The base image cannot be packed in {folder}: {error}.") from error
    finally:
        subprocess.run([*root, "rm", "-rf", "--one-file-system", str(folder)], check=False)


def _debootstrap(
    root: list[str], folder: Path, mirror: str, components: str, tell: Progress
) -> None:
    command = [*root, program("debootstrap") or "debootstrap", "--variant=minbase"]
    command += [f"--components={components}", f"--include={','.join(PACKAGES)}"]
    command += [_release(), str(folder), mirror]
    last = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            last = line.strip() or last
            tell(f"making a file system of Debian packages ({last.removeprefix('I: ')})")
    if running.returncode != 0:
        raise SandboxError(f"debootstrap could not make the base image from {mirror}: {last}")


def _release() -> str:
    """Return the code name of this machine's own release."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    except OSError:
        return "unknown"


def _mirror() -> tuple[str, str]:
    """Return the address that apt itself uses for this release, and its components."""
    lines: list[list[str]] = []
    if program("apt-get") is not None:
        command = ["apt-get", "indextargets", "--format", "$(RELEASE) $(SITE) $(COMPONENT)"]
        told = subprocess.run(
            [*command, "Created-By: Packages"], capture_output=True, text=True, check=False
        )
        lines = [line.split() for line in told.stdout.splitlines()]
    known = [(site, component) for release, site, component in lines if release == _release()]
    if not known:
        raise SandboxError(
            "No container registry answers, and this machine has no apt with a source of its "
            f"release ({_release()}) to make {BASE_IMAGE} from: bring it here with `docker load`."
        )
    site = known[0][0]
    if site.startswith("mirror+file:"):
        listed = Path(site.removeprefix("mirror+file:")).read_text().split()
        site = next(word for word in listed if word.startswith("http"))
    return site, ",".join(dict.fromkeys(component for _, component in known))
