"""The two commands of a verification: what reaches the tests, and what does not."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest

from eval.stages import Orders, Ran, prepare, run_tests, split
from sandbox.docker import DockerHost
from sandbox.fake import FakeHost, did
from sandbox.sandbox import Limits, Sandbox, SandboxError
from tasks.load import load_tasks
from tasks.task import EXIT_CODE_PARSER, Oracle

WORKDIR = PurePosixPath("/testbed")
START, END = ": '>>>>> Start Test Output'", ": '>>>>> End Test Output'"
NOTHING = Orders()


def oracle(*lines: str) -> Oracle:
    return Oracle(
        eval_script="\n".join(lines),
        fail_to_pass=("t",),
        pass_to_pass=(),
        log_parser=EXIT_CODE_PARSER,
    )


def test_a_script_is_split_at_its_markers() -> None:
    script = split(oracle("cd /testbed", START, "pytest", END, "git checkout ."))
    assert script.before.endswith("cd /testbed")
    assert script.tests == "pytest"
    assert not script.marked


def test_markers_inside_a_file_of_the_script_do_not_split_it() -> None:
    inside = ["cat > f <<'EOF'", f'+x = "{START}"', "EOF"]
    script = split(oracle(*inside, START, "pytest", END))
    assert script.before.splitlines()[1:] == inside
    assert script.tests == "pytest"


@pytest.mark.parametrize(
    "lines", [(END, "pytest", START), (START, START, "pytest", END), ("pytest",)]
)
def test_a_script_of_another_shape_is_left_whole(lines: tuple[str, ...]) -> None:
    script = split(oracle(*lines))
    assert script.marked
    assert script.tests.splitlines()[1:] == list(lines)


def test_every_script_of_the_starter_suite_is_split() -> None:
    assert not [task.id for task in load_tasks("starter") if split(task.oracle).marked]


async def test_a_stage_that_cannot_begin_is_a_fault_of_the_sandbox() -> None:
    host = FakeHost(lambda *_: did(exit_code=125, stdout=b"mktemp: no room\n"))
    async with host.open("i", Limits()) as sandbox:
        with pytest.raises(SandboxError, match="mktemp: no room"):
            await prepare(sandbox, "", "true", workdir=WORKDIR, timeout=60)


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
class TestInAContainer:
    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        async with (
            DockerHost(run_id=f"test-{uuid.uuid4().hex}") as host,
            host.open("ksolve/base:1", Limits()) as sandbox,
        ):
            yield sandbox

    async def run(self, sandbox: Sandbox, before: str, tests: str, orders: Orders = NOTHING) -> Ran:
        script = split(oracle(before, START, tests, END))
        prepared = await prepare(sandbox, "", script.before, workdir=WORKDIR, timeout=60)
        assert prepared.shell is not None
        return await run_tests(sandbox, script, prepared.shell, orders, workdir=WORKDIR, timeout=60)

    async def test_the_tests_find_the_shell_as_the_script_left_it(self, sandbox: Sandbox) -> None:
        tested = await self.run(
            sandbox,
            "mkdir 'a b'\ncd 'a b'\nexport A='1\n2'\nb=3\nf() { echo \"f $1\"; }\nset +x\n"
            "list=(x 'y z')\nshopt -s nullglob\nreadonly R=4",
            'pwd; printenv A; echo $b; f 5; echo "${list[1]}"; echo none*; set -o | grep nounset',
        )
        lines = tested.log.splitlines()
        assert lines[:6] == ["/testbed/a b", "1", "2", "3", "f 5", "y z"]
        assert lines[6] == ""
        assert lines[7].split() == ["nounset", "on"]
        assert tested.exit_code == 0

    async def test_the_tests_miss_what_the_script_took_away(self, sandbox: Sandbox) -> None:
        tested = await self.run(
            sandbox, "unset PIP_CERT\numask 077", "umask; printenv PIP_CERT || echo gone"
        )
        assert [line for line in tested.log.splitlines() if line[0] != "+"] == ["0077", "gone"]

    async def test_without_network_nothing_is_fetched_again_and_the_tests_do_not_see_it(
        self, sandbox: Sandbox
    ) -> None:
        script = split(oracle("export CARGO_NET_RETRY=3; env | grep -i retr", START, "env", END))
        prepared = await prepare(sandbox, "", script.before, workdir=WORKDIR, timeout=60)
        assert "PIP_RETRIES=0" in prepared.log.splitlines()
        assert prepared.shell is not None
        tested = await run_tests(
            sandbox, script, prepared.shell, NOTHING, workdir=WORKDIR, timeout=60
        )
        assert "RETRIES" not in tested.log

    async def test_the_exit_status_is_that_of_the_last_command(self, sandbox: Sandbox) -> None:
        assert (await self.run(sandbox, "true", "exit 7")).exit_code == 7
        assert (await self.run(sandbox, "true", "false | true")).exit_code == 1

    async def test_what_the_preparation_left_running_is_gone(self, sandbox: Sandbox) -> None:
        tested = await self.run(
            sandbox,
            "setsid sh -c 'while :; do echo bad > /testbed/t; done' > /dev/null 2>&1 &\nsleep 0.2",
            "rm -f t; sleep 0.3; ls",
        )
        assert "t" not in tested.log.splitlines()

    async def test_tests_that_end_everything_do_not_end_well(self, sandbox: Sandbox) -> None:
        tested = await self.run(sandbox, "true", "echo PASSED; kill -9 -1; kill -9 $$ $PPID")
        assert tested.exit_code is None

    async def test_neither_secret_is_to_be_seen_by_the_tests(self, sandbox: Sandbox) -> None:
        spy = (
            "set; env; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; find /tmp -type f | xargs cat"
        )
        quiet = Orders(witness=True)
        tested = await self.run(sandbox, "true", spy, quiet)
        assert len(tested.log) > 1000
        assert tested.secret not in tested.log

    async def test_a_guarded_file_that_was_touched_is_told(self, sandbox: Sandbox) -> None:
        guard = [WORKDIR / "kept.py"]
        orders = Orders(guarded=guard)
        assert (await self.run(sandbox, "echo 1 > kept.py", "cat kept.py", orders)).intact
        back = "cp -p kept.py k; echo 2 > kept.py; cp -p k kept.py"
        assert not (await self.run(sandbox, "true", back, orders)).intact

    async def test_a_script_that_stops_before_its_tests_has_no_shell(
        self, sandbox: Sandbox
    ) -> None:
        script = split(oracle("exit 0", START, "true", END))
        prepared = await prepare(sandbox, "", script.before, workdir=WORKDIR, timeout=60)
        assert prepared.shell is None
