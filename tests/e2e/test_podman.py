"""ksolve on Podman, as it is on the machine: of this user, rootless where that is not root.

The service and its storage are these tests' own. Where Podman is absent they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from sandbox.abilities import shortcomings
from sandbox.bootstrap import ensure_base, ensure_base_image
from sandbox.docker import DockerHost
from sandbox.engine import engine_status
from sandbox.images import ensure_image
from sandbox.orphans import remove_run
from sandbox.sandbox import MIB, ImageMissingError, Limits
from tasks.base import BASE_IMAGE

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def podman() -> Iterator[str]:
    """The address of a service."""
    if shutil.which("podman") is None:
        pytest.skip("podman is absent")
    # Paths of sockets are short, and pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="kp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = folder / "containers.conf"
        # Not every runtime goes with control groups of version 1, and runc does.
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        settings.write_text(f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\n')
        places = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        command = ["podman", *places, "system", "service", "--time=0", f"unix://{folder}/s"]
        environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
        environment.pop("DOCKER_HOST", None)
        with (folder / "log").open("wb") as log:
            service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            give_up = time.monotonic() + 20
            while not (folder / "s").is_socket():
                if service.poll() is not None or time.monotonic() > give_up:
                    pytest.skip(f"podman does not serve: {(folder / 'log').read_text()[-200:]}")
                time.sleep(0.1)
            yield f"unix://{folder}/s"
        finally:
            service.terminate()
            service.wait()
            # Files of other users are in it, where it is rootless.
            remove = ["podman", *places, "system", "reset", "--force"]
            subprocess.run(remove, env=environment, capture_output=True, check=False)


@pytest.fixture(autouse=True)
def chosen(podman: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman)


async def test_the_base_image_is_made_under_its_name() -> None:
    digest = await ensure_base_image(lambda _: None)
    async with DockerHost() as host:
        assert await host.image_digest(BASE_IMAGE) == digest
        # It is there, and not made again.
        assert await ensure_base(host, lambda _: pytest.fail("made again")) == digest
        names = [tag for one in host.client.images.list() for tag in one.tags]
        assert any("ksolve/rootfs:" in name for name in names)


def test_the_engine_is_known_for_what_it_is() -> None:
    status = engine_status()
    assert status.is_podman
    assert status.version
    assert status.why_not == ""


async def test_a_sandbox_is_one() -> None:
    limits = Limits(memory_bytes=64 * MIB, pids=40)
    async with DockerHost(run_id="test") as host:
        await ensure_base(host, lambda _: None)
        async with host.open(BASE_IMAGE, limits) as sandbox:
            said = await sandbox.exec(["cat"], stdin=b"said", timeout=60)
            assert (said.exit_code, said.stdout) == (0, b"said")
            missing = await sandbox.exec(["no-such-program"], timeout=60)
            assert missing.exit_code in (126, 127)
            code = "import socket; print(socket.gethostbyname(socket.gethostname()))"
            name = await sandbox.exec(["python3", "-c", code], timeout=60)
            assert name.exit_code == 0, name.stderr
            before = await sandbox.changes()
            await sandbox.write(PurePosixPath("/tmp/new/file"), b"x")
            late = await sandbox.exec(["sleep", "1000"], timeout=0.5)
            assert late.killed_for == "deadline"
            assert await sandbox.read(PurePosixPath("/tmp/new/file"), 9) == b"x"
            changes = await sandbox.changes()
            assert changes[PurePosixPath("/tmp/new/file")] == "added"
            assert before.items() <= changes.items()
            async with sandbox.resident() as resident:
                assert (await resident.exec(["true"], timeout=60)).exit_code == 0


async def test_limits_hold_or_doctor_says_that_they_do_not() -> None:
    await ensure_base_image(lambda _: None)
    is_limited = not any("does not limit" in one for one in await shortcomings(BASE_IMAGE))
    limits = Limits(memory_bytes=64 * MIB, pids=40)
    async with DockerHost(run_id="test") as host, host.open(BASE_IMAGE, limits) as sandbox:
        hog = await sandbox.exec(["python3", "-c", "x = bytearray(500 * 2 ** 20)"], timeout=60)
        code = "import subprocess\nfor _ in range(99): subprocess.Popen(['sleep', '9'])"
        bomb = await sandbox.exec(["python3", "-c", code], timeout=60)
    assert (hog.killed_for == "memory") is is_limited
    assert (bomb.limits_met == ("processes",)) is is_limited


async def test_an_image_that_nobody_has_is_named() -> None:
    async with DockerHost() as host:
        with pytest.raises(ImageMissingError, match="no/such:1"):
            await ensure_image(host, "127.0.0.1:1/no/such:1", None, lambda _: None)


async def test_a_disk_filler_is_ended() -> None:
    await ensure_base_image(lambda _: None)
    fill = "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > /tmp/fill$i; done"
    limits = Limits(disk_bytes=20 * MIB)
    async with DockerHost(run_id="test") as host, host.open(BASE_IMAGE, limits) as sandbox:
        result = await sandbox.exec(["sh", "-c", fill], timeout=60)
    assert result.killed_for == "disk"


async def test_nothing_is_left_behind() -> None:
    async with DockerHost(run_id="left") as host:
        await ensure_base(host, lambda _: None)
        async with host.open(BASE_IMAGE, Limits()):
            pass
        assert await remove_run("left") == []


def test_a_gold_patch_is_resolved(tmp_path: Path) -> None:
    words = ["--tasks", "starter", "--id", "ksolve__ledger-1", "--predictions", "gold"]
    command = [sys.executable, "-m", "ksolve.cli", "verify", *words, "--fresh"]
    command += ["--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
