"""A workspace in real containers: what the patch holds, and that no deed of a model spoils it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
import pytest_asyncio
from docker.errors import ImageNotFound

from agent.limits import AgentLimits
from agent.workspace import FileRefusedError, Workspace, cut, open_workspace
from sandbox.docker import DockerHost
from sandbox.fake import FakeHost, did
from sandbox.images import ensure_image
from sandbox.patch import apply_patch
from sandbox.sandbox import SandboxError
from tasks.task import ImageBuild, Issue, Task
from tasks.taskrepo import starter_path, tasks_from_repo

docker = pytest.mark.docker
pytestmark = pytest.mark.asyncio(loop_scope="module")

TAG = "ksolve-test/workspace:1"
LIMITS = AgentLimits(observation_characters=400)

# Among the files of the base are some that no agent would be allowed to add.
MAKE_REPO = r"""
set -e
cd /testbed; git init -q -b main .
mkdir -p pkg/data build; printf 'a = 1\nb = 2\nc = 3\n' > pkg/a.py; printf 'x\r\ny\r\n' > dos.txt
printf 'no end' > end.txt; printf '\211PNG\0\0' > logo.png; printf 'caf\351\n' > latin.txt
ln -s pkg/a.py link.py; echo 'a' > 'with blank.txt'; echo built > build/kept.txt
echo keep > reproduce.py; printf '#!/bin/sh\n' > run.sh; echo '*.mine' >> .git/info/exclude
printf '*.gen\n/out/\n' > .gitignore; printf 'deep.*\n!deep.py\n' > pkg/.gitignore
git add -A; git add -f build; git commit -q -m base
echo untracked > untracked.txt; echo 1 > ignored.gen; echo changed >> pkg/data/late.txt
rm end.txt; git rm -q --cached dos.txt
"""

EDIT = "sed -i 's/b = 2/b = 20/' pkg/a.py; "

# What is done; afterwards the patch makes the same of a fresh tree.
DEEDS = {
    "edit": EDIT,
    "new file": "mkdir -p new/deep; echo n > new/deep/n.py; : > new/__init__.py; chmod +x run.sh",
    "deletion": "rm -rf pkg",
    "rename": "git mv pkg/a.py pkg/c.py; mv logo.png pkg/logo.png",
    "file becomes folder": "rm pkg/a.py; mkdir pkg/a.py; echo n > pkg/a.py/n.py",
    "folder becomes file": "rm -rf pkg; echo n > pkg",
    "folder becomes link": "mv pkg away; ln -s away pkg",
    "link becomes file": "rm link.py; echo n > link.py",
    "carriage returns": "printf 'x\\r\\nz\\r\\n' > dos.txt; printf 'q\\r\\n' > new.txt",
    "no newline at the end": "printf 'a' > pkg/a.py; printf 'n' > new.txt",
    "binary": "printf '\\211PNG\\0\\1' > logo.png; printf '\\0\\1\\2' > new.bin",
    "not UTF-8": EDIT + "printf 'th\\351\\n' >> latin.txt",
    "odd names": "echo >> with*; echo 1 > $'tab\\tname.py'; "
    "echo 2 > 'caf\u00e9.py'; echo 3 > -dash",
    "links to what is no text": EDIT + "ln -s $'\\xff\\xfe' link; ln -sf $'caf\\xe9' link.py; "
    "echo n > $'no\\xfftext.py'",
    "untracked at first": "echo more >> untracked.txt; rm pkg/data/late.txt",
    "committed": EDIT + "git add -A; git commit -q -m fix; rm -f run.sh",
    "other branch": "git checkout -q --orphan other; git rm -q -rf --cached .; " + EDIT,
    "staged, then changed again": EDIT + "git add -A; sed -i 's/c = 3/c = 30/' pkg/a.py",
    "stash": EDIT + "git stash -q; echo n > n.py",
    "index is broken": EDIT + "echo rubbish > .git/index",
    "index lies": EDIT + "git update-index --assume-unchanged pkg/a.py; git update-index "
    "--skip-worktree run.sh; echo >> run.sh",
    "hooks and settings": EDIT + "printf '#!/bin/sh\\nexit 1\\n' | tee .git/hooks/pre-commit "
    ".git/hooks/post-index-change > /dev/null; chmod +x .git/hooks/*; git config core.fsmonitor "
    "/bin/false; git config core.autocrlf true; git config diff.external /bin/false; "
    "git config diff.noprefix true; git config core.worktree /tmp",
    "attributes": EDIT + "echo '* text=auto eol=crlf filter=gone' > pkg/.gitattributes",
    "rules that hide": "printf '*\\n' > .gitignore; echo n > n.py; "
    "echo '*.py' >> .git/info/exclude",
    "nested repository": "git init -q pkg; echo n > pkg/n.py; git init -q sub; echo s > sub/s.py",
    "submodule": "git init -q sub; echo s > sub/s.py; git -C sub add -A; "
    "git -C sub commit -q -m s; git -c protocol.file.allow=always submodule --quiet add ./sub sub; "
    + EDIT,
    "no repository any more": EDIT + "rm -rf .git dos.txt /var/tmp/*; echo n > n.py",
    "everything thrown away": "find . -mindepth 1 ! -name ignored.gen -delete; "
    "rm -rf /var/tmp/* /tmp/*; echo n > n.py",
    "history made anew": "rm -rf .git; git init -q; git add -A; git commit -q -m all; " + EDIT,
    "objects swept": EDIT + "rm -rf .git/refs .git/objects/*; git gc -q --prune=now",
}

# What is no part of a patch.
LEFT_OUT = {
    "nothing": "true",
    "only looked at": "git status; touch pkg/a.py; git update-index --refresh",
    "byte code": "mkdir pkg/__pycache__; echo > pkg/__pycache__/a.cpython-311.pyc; echo > x.pyc",
    "caches": "mkdir -p .pytest_cache .mypy_cache/3.11; echo > .pytest_cache/x; echo > .coverage; "
    "echo > .mypy_cache/3.11/y.json",
    "build products": "mkdir -p build/lib x.egg-info node_modules/n dist; echo > build/lib/a.py; "
    "echo > x.egg-info/PKG-INFO; echo > node_modules/n/index.js; echo > pkg/fast.so",
    "what patch leaves": "echo > pkg/a.py.orig; echo > pkg/a.py.rej; echo > run.log",
    "scratch": "echo > reproduce_bug.py; echo > repro.py; echo > test_fix_area.py; "
    "echo > scratch.txt; git diff > fix.patch; mkdir scratch; echo > scratch/a.py",
    "ignored by the base": "echo > a.gen; mkdir out; echo > out/x.py; echo > pkg/deep.txt; "
    "echo > a.mine; "
    "rm .gitignore; git checkout .gitignore",
    "data": "head -c 1100000 /dev/zero > big.dat",
    "what cannot be kept": "mkfifo pipe; mkdir empty",
}

STATE = r"""
find . -name .git -prune -o \( -type f -o -type l \) -printf '%P %M %l ' -exec sh -c '
    test -L "$1" || md5sum < "$1"' sh {} \; -printf '\n' | grep -a -v '^$' | LC_ALL=C sort
"""


# Says in the name of what starts commands that one printed "lie" and has ended.
LIE = r"""
while printf 'o\0\0\0\4lie\nx\0\0\0\4\0\0\0\0' > /proc/$1/fd/1; do sleep 0.01; done
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    host: DockerHost
    issue: Issue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder: Path = tmp_path_factory.mktemp("workspace")
    (folder / "make.sh").write_text(MAKE_REPO)
    dockerfile = "FROM ksolve/base:1\nCOPY make.sh /make.sh\nRUN bash /make.sh\n"
    recipe = ImageBuild(tag=TAG, dockerfile=dockerfile, context=folder)
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, TAG, recipe, lambda _: None)
        try:
            issue = Issue(id="i", statement="", repo="r", base_commit="HEAD", image=TAG)
            yield Place(host=host, issue=issue)
        finally:
            with contextlib.suppress(ImageNotFound):
                host.client.images.remove(TAG, force=True)


@pytest_asyncio.fixture(loop_scope="module")
async def workspace(place: Place) -> AsyncIterator[Workspace]:
    async with open_workspace(place.issue, place.host, LIMITS) as workspace:
        yield workspace


async def state(workspace: Workspace) -> str:
    seen = await workspace.run(STATE, timeout=30)
    return seen.whole or seen.text


@docker
@pytest.mark.parametrize("name", DEEDS)
async def test_patch_makes_of_a_fresh_tree_what_was_made(
    place: Place, workspace: Workspace, name: str
) -> None:
    await workspace.run(DEEDS[name], timeout=30)
    there = await state(workspace)
    patch = await workspace.patch()
    assert patch.startswith("diff --git ")
    async with open_workspace(place.issue, place.host, LIMITS) as fresh:
        applied = await apply_patch(fresh._sandbox, patch, PurePosixPath("/testbed"))
        assert (applied.ok, applied.how[:9]) == (True, "git apply"), applied.log
        assert await state(fresh) == there


@docker
@pytest.mark.parametrize("name", LEFT_OUT)
async def test_what_nobody_wrote_is_no_part_of_a_patch(workspace: Workspace, name: str) -> None:
    await workspace.run(LEFT_OUT[name], timeout=30)
    assert await workspace.patch() == ""


@docker
async def test_patch_can_be_asked_for_again_and_changes_nothing(workspace: Workspace) -> None:
    await workspace.run(EDIT + "git add -A", timeout=30)
    staged = await workspace.run("git status --porcelain", timeout=30)
    patch = await workspace.patch()
    assert await workspace.patch() == patch != ""
    assert (await workspace.run("git status --porcelain", timeout=30)).text == staged.text
    await workspace.run("sed -i 's/b = 20/b = 2/' pkg/a.py", timeout=30)
    assert await workspace.patch() == ""


@docker
async def test_base_files_that_look_like_products_are_in_the_patch(workspace: Workspace) -> None:
    await workspace.run("echo 1 >> build/kept.txt; echo 2 >> reproduce.py", timeout=30)
    patch = await workspace.patch()
    assert "+++ b/build/kept.txt" in patch
    assert "+++ b/reproduce.py" in patch


@docker
async def test_a_patch_past_all_bounds_is_none(workspace: Workspace) -> None:
    many = "for i in $(seq 9); do head -c 900000 /dev/urandom | base64 -w 0 > d$i.txt; done"
    await workspace.run(f"{many}; truncate -s 900000 d*.txt", timeout=60)
    assert await workspace.patch() == ""


@docker
async def test_reset_makes_everything_as_it_was(workspace: Workspace) -> None:
    before = await state(workspace)
    await workspace.run(
        "rm -rf /testbed/* .git; echo > ignored.gen; sleep 99 & touch /tmp/x", timeout=9
    )
    await workspace.reset()
    assert await state(workspace) == before
    assert (await workspace.run("git status --short; ls /tmp", timeout=30)).text.count("\n") >= 3
    assert await workspace.patch() == ""


@docker
async def test_each_command_is_a_shell_of_its_own_in_the_workdir(workspace: Workspace) -> None:
    seen = await workspace.run("cd pkg; x=1; pwd; echo error >&2; exit 7", timeout=30)
    assert (seen.text, seen.whole, seen.exit_code) == ("/testbed/pkg\nerror\n", "", 7)
    seen = await workspace.run('pwd; echo "x$x"; [[ -n $BASH ]]', timeout=30)
    assert (seen.text, seen.exit_code) == ("/testbed\nx\n", 0)
    seen = await workspace.run("cat; read -r line || echo nobody", timeout=30, stdin=b"given\n")
    assert seen.text == "given\nnobody\n"


@docker
async def test_commands_are_started_inside_and_nobody_there_tells_the_patch(
    workspace: Workspace,
) -> None:
    seen = await workspace.run("cat /proc/$PPID/comm", timeout=30)
    assert seen.text == "ksolve\n"
    await workspace.write("/tmp/lie.sh", LIE)
    await workspace.run(f"{EDIT} sh /tmp/lie.sh $PPID &", timeout=30)
    patch = await workspace.patch()
    assert "+b = 20" in patch
    assert "lie" not in patch


@docker
async def test_what_a_users_shell_sets_is_set(workspace: Workspace) -> None:
    """Images choose their Python there, where a shell that asks nobody does not look."""
    assert "/bin" in (await workspace.run("echo $PATH", timeout=30)).text
    assert (await workspace.run("echo $PAGER; echo $HOME", timeout=30)).text.startswith("cat\n/")


@docker
async def test_hundred_thousand_lines_are_cut_in_the_middle_and_kept(workspace: Workspace) -> None:
    seen = await workspace.run("seq 100000", timeout=30)
    assert len(seen.text) < 500
    assert seen.text.startswith("1\n2\n")
    assert seen.text.endswith("99999\n100000\n")
    assert "lines left out" in seen.text
    assert len(seen.whole.splitlines()) == 100_000


@docker
async def test_a_command_that_hangs_is_ended_and_the_next_one_runs(workspace: Workspace) -> None:
    seen = await workspace.run("echo begun; sleep 300 & sleep 300", timeout=1)
    assert seen.exit_code is None
    assert seen.text.startswith("begun\n(ended after 1 s, its deadline")
    assert (await workspace.run("pgrep sleep | wc -l; echo on", timeout=30)).text.endswith("on\n")


@docker
async def test_files_are_read_and_written_as_they_are(workspace: Workspace) -> None:
    assert await workspace.read("dos.txt") == "x\r\ny\r\n"
    assert await workspace.read("/testbed/link.py") == await workspace.read("./pkg/a.py")
    await workspace.write("new/deep/a.py", "caf\u00e9\r\nno end")
    assert await workspace.read("new/deep/a.py") == "caf\u00e9\r\nno end"
    await workspace.write("link.py", "through\n")
    assert await workspace.read("pkg/a.py") == "through\n"
    await workspace.write("/tmp/scratch.py", "")
    assert await workspace.read("/tmp/scratch.py") == ""


@docker
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("gone.py", "no file"),
        ("pkg", "folder"),
        ("latin.txt", "UTF-8"),
        ("/etc/passwd", "outside"),
        ("../etc/passwd", "outside"),
        (".git/config", "outside"),
        ("", "No path"),
        ("a\0b", "No path"),
        ("pkg/a.py/x", "no file"),
        ("x" * 5000, "x"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_a_sentence(
    workspace: Workspace, path: str, why: str
) -> None:
    with pytest.raises(FileRefusedError, match=why):
        await workspace.read(path)


@docker
@pytest.mark.parametrize("path", ["pkg", "pkg/a.py/x", "/etc/x", "x" * 300])
async def test_what_cannot_be_written_is_refused_and_no_fault(
    workspace: Workspace, path: str
) -> None:
    with pytest.raises(FileRefusedError):
        await workspace.write(path, "x")


@docker
async def test_a_dead_container_is_a_fault(place: Place) -> None:
    async with open_workspace(place.issue, place.host, LIMITS) as workspace:
        place.host.client.containers.get(workspace._sandbox.name).remove(force=True)  # type: ignore[attr-defined]
        with pytest.raises(SandboxError):
            await workspace.run("true", timeout=30)
        with pytest.raises(SandboxError):
            await workspace.read("pkg/a.py")
        with pytest.raises(SandboxError):
            await workspace.patch()


@docker
async def test_a_gold_patch_comes_back_as_it_is(place: Place) -> None:
    task = next(iter(tasks_from_repo(starter_path(), split=None)))
    assert isinstance(task, Task)
    assert task.oracle.gold_patch
    await ensure_image(place.host, task.issue.image, task.build, lambda _: None)
    async with open_workspace(task.issue, place.host, LIMITS) as workspace:
        await apply_patch(workspace._sandbox, task.oracle.gold_patch, task.issue.workdir)
        hunks = [line for line in (await workspace.patch()).splitlines() if line[:1] in "+-"]
        gold = [line for line in task.oracle.gold_patch.splitlines() if line[:1] in "+-"]
        assert hunks == gold


async def test_without_a_repository_there_is_nothing_to_work_on() -> None:
    host = FakeHost(lambda argv, stdin, sandbox: did(128, stderr=b"fatal: not a git repository"))
    issue = Issue(id="i", statement="", repo="r", base_commit="c", image="i")
    with pytest.raises(SandboxError, match="not a git repository"):
        async with open_workspace(issue, host, LIMITS):
            pass
    assert host.opened == host.closed == 1


async def test_cutting_keeps_short_texts_and_lines_where_it_can() -> None:
    assert cut("short", 10) == "short"
    assert cut("ab\n" * 10, 12) == "ab\nab\n... (18 characters, 6 lines left out) ...\nab\nab\n"
    assert cut("x" * 100, 10) == "xxxxx\n... (90 characters, 0 lines left out) ...\nxxxxx"


async def test_cutting_a_long_line_at_the_end_keeps_its_end() -> None:
    text = cut("a\n" * 5 + "x" * 1000, 20)
    assert text.startswith("a\n")
    assert text.endswith("x" * 10)
