"""A repository's history: what came after the base commit is found, removed, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path, PurePosixPath

import pytest
import pytest_asyncio
from docker.errors import ImageNotFound

from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.history import Leak, find_leaks, remove_leaks
from sandbox.images import ensure_image
from sandbox.sandbox import Change, ExecResult, Limits, Sandbox, SandboxError
from tasks.task import ImageBuild

# One container for all, whose repository is made anew by each test.
pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

REPO = PurePosixPath("/testbed")
IMAGE = base_tag()
TAG = "ksolve-test/history:1"

# A commit takes its day; what is planted writes the ids of its objects to /tmp/planted.
MAKE_REPO = r"""
set -e
chmod -R u+w /testbed; find /testbed -mindepth 1 -delete; rm -rf /tmp/*
commit() { # day, message
    export GIT_AUTHOR_DATE="2024-$1T12:00:00Z" GIT_COMMITTER_DATE="2024-$1T12:00:00Z"
    git add -A && git commit -q -m "$2"
}
future() {
    echo 'return a * b' >> area.py && commit 06-01 "Mend the area"
    plant HEAD 'HEAD^{tree}' HEAD:area.py
}
plant() { git rev-parse "$@" >> /tmp/planted; }
git init -q -b main .
echo 'def area(a, b):' > area.py; printf '*.log\n' > .gitignore; commit 01-01 first
git tag v0.1; git tag -a -m 'An old release' v0.2
git checkout -q -b stable; echo stable > stable.txt; commit 01-02 "Of the old releases"
git tag -a -m 'Of the old line' v0.2.1; git checkout -q main; git branch -q -D stable
echo '    "Multiply."' >> area.py; commit 02-01 second
echo '    return a + b' >> area.py; commit 03-01 base
git rev-parse HEAD | tee /tmp/base
rm -rf .git/logs .git/ORIG_HEAD
"""

# What stays in the tree while leaks are planted, and must be there afterwards.
DIRTY = r"""
echo staged > staged.txt && git add staged.txt
echo changed >> area.py; echo new > untracked.txt; echo log > kept.log
"""

PLANTS = {
    "branch": ("git checkout -q -b fix; future; git checkout -q main", "ref refs/heads/fix"),
    "older branch": (
        (
            "git checkout -q -b fix v0.1; echo x > x; commit 01-15 early; plant HEAD;"
            " git checkout -q main"
        ),
        "ref refs/heads/fix",
    ),
    "tag": (
        "git checkout -q --detach; future; git tag v2.0; git checkout -q main",
        "tag refs/tags/v2.0",
    ),
    "late tag of the base": (
        (
            "export GIT_COMMITTER_DATE=2024-06-01T12:00:00Z; git tag -a -m 'Areas mended' v1.0;"
            " plant v1.0"
        ),
        "tag refs/tags/v1.0",
    ),
    "tag of a tag": (
        (
            "git tag -a -m inner inner 2> /dev/null; git tag -a -m outer outer inner 2> /dev/null;"
            " plant outer"
        ),
        "tag refs/tags/outer",
    ),
    "remote": (
        (
            "git checkout -q --detach; future; git update-ref refs/remotes/origin/main HEAD;"
            " git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main;"
            " git pack-refs --all; git checkout -q main"
        ),
        "ref refs/remotes/origin/HEAD",
    ),
    "reset": ("future; git reset -q --hard main~1", "file /testbed/.git/ORIG_HEAD"),
    "reflog": ("future; git reset -q --hard main~1", "reflog /testbed/.git/logs/HEAD"),
    "reflog of what is gone": (
        (
            "future; git reset -q --hard main~1; cp .git/logs/HEAD /tmp/log; rm .git/ORIG_HEAD;"
            " git reflog expire --expire=now --all; git gc -q --prune=now;"
            " cp /tmp/log .git/logs/HEAD"
        ),
        "reflog /testbed/.git/logs/HEAD",
    ),
    "dangling commit": (
        "future; git reset -q --hard main~1; rm -rf .git/logs .git/ORIG_HEAD",
        "commit",
    ),
    "packed": (
        (
            "future; git repack -q -a -d; git reset -q --hard main~1;"
            " rm -rf .git/logs .git/ORIG_HEAD;"
            " for pack in .git/objects/pack/*.pack; do touch ${pack%pack}keep; done;"
            " git commit-graph write --reachable; git multi-pack-index write 2> /dev/null"
        ),
        "commit",
    ),
    "dangling blob": (
        "echo 'return a * b' | git hash-object -w --stdin >> /tmp/planted",
        "object",
    ),
    "stash": ("future; git reset -q --soft main~1; git stash -q", "ref refs/stash"),
    "notes": (
        "git notes add -m 'It should multiply'; plant refs/notes/commits",
        "ref refs/notes/commits",
    ),
    "replacement": (
        "future; git reset -q --hard main~1; git replace main $(head -1 /tmp/planted)",
        "ref refs/replace/",
    ),
    "fetched": (
        (
            "git clone -q . /tmp/other; cd /tmp/other; future; cd /testbed;"
            " git fetch -q /tmp/other main; rm -rf /tmp/other"
        ),
        "file /testbed/.git/FETCH_HEAD",
    ),
    "alternates": (
        (
            "git clone -q . /tmp/other; cd /tmp/other; future; cd /testbed;"
            " echo /tmp/other/.git/objects > .git/objects/info/alternates"
        ),
        "commit",
    ),
    "worktree": (
        "git worktree add -q /tmp/tree -b fix; cd /tmp/tree; future; cd /testbed",
        "file /testbed/.git/worktrees",
    ),
    "unfinished rebase": (
        (
            "future; git reset -q --hard main~1; echo other >> area.py; commit 03-02 other;"
            " git checkout -q --detach $(head -1 /tmp/planted); git rebase -q main 2> /dev/null"
            " || git reset -q --hard; git checkout -q -f main; git reset -q --hard main~1"
        ),
        "file /testbed/.git/rebase-merge",
    ),
    "broken download": (
        "mkdir -p .git/objects/pack; echo x > .git/objects/pack/tmp_pack_abc",
        "file /testbed/.git/objects/pack/tmp_pack_abc",
    ),
}

CLEAN = {
    "base": "",
    "dirty": DIRTY,
    "own commit": "echo set-up > setup.cfg; commit 12-01 SWE-bench",
    "own reflog": "git checkout -q --detach; git checkout -q main; git branch -q other main~1",
    "packed": "git gc -q",
    "detached": "git checkout -q --detach; git branch -q -D main; rm -rf .git/logs",
    "name of what is gone": "echo 1234567890123456789012345678901234567890 > .git/ORIG_HEAD",
    "shallow": (
        "git clone -q --depth 1 file:///testbed /tmp/other; rm -rf .git *; mv /tmp/other/.git .;"
        " git reset -q --hard; rm -rf .git/logs"
    ),
    "partial": (
        "git config uploadpack.allowFilter true;"
        " git clone -q --filter=blob:none file:///testbed /tmp/other; rm -rf .git *;"
        " mv /tmp/other/.git .; git reset -q --hard; rm -rf .git/logs"
    ),
    "rewritten history": "rm -rf .git; git init -q .; commit 01-01 'All of it'",
    "no commit": "rm -rf .git; git init -q .; git add area.py",
    "no repository": "rm -rf .git",
}

STATE = r"""
export GIT_NO_REPLACE_OBJECTS=1
git log --format='%H %cd %s'; git blame -s area.py; git diff HEAD; git status --porcelain --ignored
git ls-files -s; git describe --match 'v0*'; sha256sum .git/index; git branch --show-current
find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
"""

# Nothing that was planted is left, and the repository works.
GONE = r"""
set -e
git fsck --no-dangling
touch /tmp/planted
while read -r id; do if git cat-file -e $id 2> /dev/null; then exit 7; fi; done < /tmp/planted
git show v0.2.1 > /dev/null; git commit -q -a -m next; git gc -q
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(base_image: str) -> AsyncIterator[Sandbox]:
    async with DockerHost(run_id="test") as host, host.open(IMAGE, Limits()) as sandbox:
        yield sandbox


async def sh(sandbox: Sandbox, script: str) -> str:
    result = await sandbox.exec(["bash", "-c", script], timeout=60)
    assert result.exit_code == 0, result.stderr
    return result.stdout.decode()


async def made(sandbox: Sandbox, script: str) -> str:
    """Make the repository and plant something; return the base commit."""
    return (await sh(sandbox, MAKE_REPO + script)).split()[0]


def places(leaks: Sequence[Leak]) -> list[str]:
    return [f"{leak.kind} {leak.where}" for leak in leaks]


@pytest.mark.parametrize("name", PLANTS)
async def test_leak_is_found_and_removed_and_the_rest_stays(sandbox: Sandbox, name: str) -> None:
    script, place = PLANTS[name]
    base = await made(sandbox, script + DIRTY)
    before = await sh(sandbox, STATE)
    leaks = await find_leaks(sandbox, workdir=REPO, base_commit=base)
    assert any(found.startswith(place) for found in places(leaks)), leaks
    assert await remove_leaks(sandbox, workdir=REPO, base_commit=base) == leaks
    assert await sh(sandbox, STATE) == before
    await sh(sandbox, GONE)


@pytest.mark.parametrize("name", CLEAN)
async def test_what_belongs_to_the_base_is_no_leak(sandbox: Sandbox, name: str) -> None:
    base = await made(sandbox, CLEAN[name])
    before = await sh(sandbox, f"({STATE}) 2>&1 || true")
    assert await find_leaks(sandbox, workdir=REPO, base_commit=base) == ()
    assert await remove_leaks(sandbox, workdir=REPO, base_commit=base) == ()
    assert await sh(sandbox, f"({STATE}) 2>&1 || true") == before


class Counted:
    """A sandbox that counts its commands."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.commands = 0

    async def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        cwd: PurePosixPath | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        self.commands += 1
        return await self.sandbox.exec(argv, timeout=timeout, stdin=stdin, cwd=cwd, env=env)

    async def write(self, path: PurePosixPath, data: bytes) -> None:
        await self.sandbox.write(path, data)

    async def read(self, path: PurePosixPath, limit: int) -> bytes:
        return await self.sandbox.read(path, limit)

    async def changes(self) -> dict[PurePosixPath, Change]:
        return await self.sandbox.changes()

    def resident(self) -> AbstractAsyncContextManager[Sandbox]:
        return nullcontext(self)


async def test_a_clean_repository_costs_one_command(sandbox: Sandbox) -> None:
    base = await made(sandbox, "")
    counted = Counted(sandbox)
    await remove_leaks(counted, workdir=REPO, base_commit=base)
    assert counted.commands == 1


async def test_the_sentence_tells_how_many_commits_are_newer(sandbox: Sandbox) -> None:
    script, _ = PLANTS["branch"]
    older, _ = PLANTS["older branch"]
    base = await made(sandbox, script + "; " + older.replace("fix", "other"))
    leaks = await find_leaks(sandbox, workdir=REPO, base_commit=base)
    (commits,) = [leak for leak in leaks if leak.kind == "commit"]
    assert commits.sentence.startswith("2 commits outside the history of HEAD, 1 of them newer")
    assert commits.sentence.endswith("of 2024-06-01, 'Mend the area'")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("future; future", "HEAD is 2 commits past the base commit"),
        ("git reset -q --hard main~1; git branch base $(cat /tmp/base)", "does not descend"),
    ],
)
async def test_a_head_off_its_base_is_found_and_stays(
    sandbox: Sandbox, script: str, says: str
) -> None:
    base = await made(sandbox, script)
    head = await sh(sandbox, "git rev-parse HEAD")
    leaks = await find_leaks(sandbox, workdir=REPO, base_commit=base)
    assert says in leaks[0].sentence
    await remove_leaks(sandbox, workdir=REPO, base_commit=base)
    assert await sh(sandbox, "git rev-parse HEAD") == head


async def test_a_partial_clone_loses_its_leaks_and_still_works(sandbox: Sandbox) -> None:
    future = "git checkout -q --detach; future; git tag v2.0; git checkout -q main;"
    base = await made(sandbox, future + CLEAN["partial"])
    before = await sh(sandbox, "git log; git diff; git ls-files -s")
    assert await remove_leaks(sandbox, workdir=REPO, base_commit=base)
    await sh(sandbox, "! git cat-file -e $(head -1 /tmp/planted) 2> /dev/null")
    assert await sh(sandbox, "git log; git diff; git ls-files -s") == before


async def test_caches_go_and_other_files_stay(sandbox: Sandbox) -> None:
    script = r"""
mkdir -p pkg/__pycache__ .pytest_cache/v/cache build
touch pkg/__pycache__/a.pyc .pytest_cache/v/cache/lastfailed area.py.orig area.py.rej
touch pkg/a.py build/lib.so kept.log tracked.orig && git add tracked.orig
"""
    base = await made(sandbox, script)
    assert await remove_leaks(sandbox, workdir=REPO, base_commit=base) == ()
    found = await sh(sandbox, "find . -path ./.git -prune -o -type f -printf '%P\n' | sort")
    assert found.split() == [
        *(".gitignore", "area.py", "build/lib.so", "kept.log", "pkg/a.py", "tracked.orig")
    ]


@pytest.mark.parametrize("damage", ["rm -rf .git/objects/??", "chmod -R a-w .git"])
async def test_a_repository_that_cannot_be_made_clean_is_a_fault_of_the_sandbox(
    sandbox: Sandbox, damage: str
) -> None:
    script, _ = PLANTS["branch"]
    base = await made(sandbox, f"{script}; {damage}")
    with pytest.raises(SandboxError, match="/testbed"):
        await remove_leaks(sandbox, workdir=REPO, base_commit=base)


async def test_a_folder_that_is_not_there_is_a_fault_of_the_sandbox(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="/nowhere"):
        await find_leaks(sandbox, workdir=PurePosixPath("/nowhere"), base_commit="c")


async def test_leaks_in_an_image_of_another_owner_are_removed(
    base_image: str, tmp_path: Path
) -> None:
    """Layers below stay as they are: what is deleted is deleted for the sandbox only."""
    script = MAKE_REPO + PLANTS["reset"][0] + "; " + PLANTS["branch"][0]
    (tmp_path / "make.sh").write_text(script)
    recipe = ImageBuild(
        tag=TAG,
        dockerfile=(
            f"FROM {IMAGE}\nCOPY make.sh /make.sh\nRUN bash /make.sh\n"
            "USER root\nENV GIT_CONFIG_SYSTEM=/dev/null\n"
        ),
        context=tmp_path,
    )
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, TAG, recipe, lambda _: None)
        try:
            for _ in range(2):
                async with host.open(TAG, Limits()) as sandbox:
                    base = (await sh(sandbox, "cat /tmp/base")).strip()
                    assert len(await remove_leaks(sandbox, workdir=REPO, base_commit=base)) > 3
        finally:
            with contextlib.suppress(ImageNotFound):
                host.client.images.remove(TAG, force=True)
