"""The fake keeps the contract, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest

from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.sandbox import ExecResult, Limits, SandboxError
from tests.sandbox import contract


def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
    if argv == contract.LIST:
        return did(0, sandbox.files[PurePosixPath(argv[1])])
    return {
        contract.EXIT_3: did(3),
        contract.BOTH: did(0, b"out\n", b"err\n"),
        contract.CAT: did(0, stdin),
        contract.FLOOD: did(0, bytes(300_000), bytes(300_000)),
        contract.HANG: did(0, seconds=1000),
        contract.NO_PROGRAM: did(127, b"", b"not found"),
        contract.OK: did(),
    }[tuple(argv)]


class TestFake(contract.SandboxContract):
    image = "img"

    @pytest.fixture
    def host(self) -> FakeHost:
        return FakeHost(answer, images={"img": {}})


async def test_fake_counts_open_and_closed_sandboxes() -> None:
    host = FakeHost(answer)
    async with host.open("any", Limits()):
        assert (host.opened, host.closed) == (1, 0)
    assert (host.opened, host.closed) == (1, 1)


async def test_fake_passes_on_faults_and_files_of_the_image() -> None:
    def broken(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        raise SandboxError("The disk is full.")

    host = FakeHost(broken, images={"img": {PurePosixPath("/testbed/a.py"): b"x = 1\n"}})
    async with host.open("img", Limits()) as sandbox:
        assert await sandbox.read(PurePosixPath("a.py"), 100) == b"x = 1\n"
        with pytest.raises(SandboxError):
            await sandbox.exec(["true"], timeout=1)
