"""What every provider of sandboxes promises, as one suite: subclass it and give it a host.

Eight commands are all that it runs. A provider that runs nothing (the fake) is told how the
eight are answered; whatever the provider itself does about them is what is tested.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandbox.sandbox import ImageMissingError, Limits, SandboxError, SandboxHost

EXIT_3 = ("sh", "-c", "exit 3")
BOTH = ("sh", "-c", "echo out; echo err >&2")
CAT = ("cat",)
FLOOD = ("sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
HANG = ("sleep", "1000")
NO_PROGRAM = ("no-such-program",)
LIST = ("cat", "/tmp/a/b.txt")
OK = ("true",)

ODD_NAMES = (
    "plain.txt",
    "with space.txt",
    "-dash.txt",
    "--help",
    "new\nline",
    "qu'o\"te$(x)`y`",
    "umlaut-ä-中.txt",
    "deep/er/and/deeper.txt",
)


class SandboxContract:
    """The suite. `image` is one that the host has, with `sh` and the usual small programs."""

    image: str

    @pytest.fixture
    def host(self) -> SandboxHost:
        raise NotImplementedError

    async def test_exit_status_is_the_commands_own(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            result = await sandbox.exec(EXIT_3, timeout=60)
        assert result.exit_code == 3
        assert not result.timed_out
        assert result.killed_for == ""

    async def test_outputs_are_kept_apart(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            result = await sandbox.exec(BOTH, timeout=60)
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")
        assert not result.truncated

    async def test_stdin_arrives_whole_and_is_closed(self, host: SandboxHost) -> None:
        sent = bytes(range(256)) * 4000
        async with host.open(self.image, Limits()) as sandbox:
            result = await sandbox.exec(CAT, stdin=sent, timeout=60)
        assert result.exit_code == 0
        assert result.stdout == sent

    async def test_output_is_cut_at_its_limit(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits(output_bytes=1000)) as sandbox:
            result = await sandbox.exec(FLOOD, timeout=60)
        assert result.truncated
        assert (len(result.stdout), len(result.stderr)) == (1000, 1000)
        assert result.exit_code == 0

    async def test_sandbox_is_usable_after_a_deadline(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/kept"), b"kept")
            late = await sandbox.exec(HANG, timeout=0.5)
            again = await sandbox.exec(OK, timeout=60)
            kept = await sandbox.read(PurePosixPath("/tmp/kept"), 100)
        assert late.timed_out
        assert late.killed_for == "deadline"
        assert late.exit_code is None
        assert again.exit_code == 0
        assert kept == b"kept"

    async def test_missing_program_is_a_failing_command(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            result = await sandbox.exec(NO_PROGRAM, timeout=60)
        assert result.exit_code in (126, 127)
        assert b"not found" in result.stderr
        assert result.stdout == b""

    @pytest.mark.parametrize("name", ODD_NAMES)
    async def test_what_is_written_is_read(self, host: SandboxHost, name: str) -> None:
        path = PurePosixPath("/tmp/odd") / name
        data = name.encode() + bytes(range(256))
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(path, data)
            assert await sandbox.read(path, 1 << 20) == data
            await sandbox.write(path, b"shorter")
            assert await sandbox.read(path, 1 << 20) == b"shorter"
            assert await sandbox.read(path, 5) == b"short"

    async def test_commands_see_what_is_written(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/a/b.txt"), b"seen")
            result = await sandbox.exec(LIST, timeout=60)
        assert result.stdout == b"seen"

    async def test_missing_file_and_folder_are_file_not_found(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/folder/file"), b"")
            for path in ("/tmp/nothing", "/tmp/folder", "/tmp/folder/file/below", "/no/where"):
                with pytest.raises(FileNotFoundError):
                    await sandbox.read(PurePosixPath(path), 10)

    async def test_writing_below_a_file_or_over_a_folder_fails(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/folder/file"), b"")
            for path in ("/tmp/folder/file/below", "/tmp/folder"):
                with pytest.raises(SandboxError):
                    await sandbox.write(PurePosixPath(path), b"x")

    async def test_changes_are_told_apart_from_the_image(self, host: SandboxHost) -> None:
        path = PurePosixPath("/tmp/new/file")
        async with host.open(self.image, Limits()) as sandbox:
            assert path not in await sandbox.changes()
            await sandbox.write(path, b"x")
            assert (await sandbox.changes())[path] == "added"

    async def test_sandboxes_share_nothing(self, host: SandboxHost) -> None:
        path = PurePosixPath("/tmp/mine")
        async with host.open(self.image, Limits()) as one, host.open(self.image, Limits()) as two:
            await one.write(path, b"1")
            with pytest.raises(FileNotFoundError):
                await two.read(path, 1)

    async def test_with_cheaper_commands_it_is_the_same_sandbox(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/a/b.txt"), b"seen")
            async with sandbox.resident() as resident:
                result = await resident.exec(LIST, timeout=60)
                await resident.write(PurePosixPath("/tmp/c"), b"kept")
            assert await sandbox.read(PurePosixPath("/tmp/c"), 9) == b"kept"
        assert result.stdout == b"seen"

    async def test_closed_sandbox_is_at_fault_not_the_command(self, host: SandboxHost) -> None:
        async with host.open(self.image, Limits()) as sandbox:
            pass
        with pytest.raises(SandboxError):
            await sandbox.exec(OK, timeout=60)
        with pytest.raises(SandboxError):
            await sandbox.write(PurePosixPath("/tmp/x"), b"")
        with pytest.raises(SandboxError):
            await sandbox.read(PurePosixPath("/tmp/x"), 1)

    async def test_missing_image_is_named_as_such(self, host: SandboxHost) -> None:
        with pytest.raises(ImageMissingError):
            await host.image_digest("ksolve/no-such-image:1")
        with pytest.raises(ImageMissingError):
            async with host.open("ksolve/no-such-image:1", Limits()):
                pass

    async def test_image_has_a_digest(self, host: SandboxHost) -> None:
        digest = await host.image_digest(self.image)
        assert digest.startswith("sha256:")
        assert digest == await host.image_digest(self.image)
