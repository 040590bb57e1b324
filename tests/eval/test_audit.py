"""What an image gives away is found wherever it was left, and what the base holds is no leak."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest
import pytest_asyncio
from docker.errors import ImageNotFound

from eval.audit import audit
from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.sandbox import Limits, Sandbox, SandboxError
from tasks.load import load_tasks
from tasks.task import Issue, Oracle, Task
from tasks.taskrepo import starter_path

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

IMAGE = base_tag()
LEAKY = "ksolve-test/leaky:1"

GOLD = """\
diff --git a/shapes/area.py b/shapes/area.py
--- a/shapes/area.py
+++ b/shapes/area.py
@@ -1,2 +1,4 @@
 def area(width, height):
-    return width + height
+    if width < 0 or height < 0:
+        raise ValueError("a side is negative")
+    return width * height
"""

TESTS = """\
diff --git a/tests/test_area.py b/tests/test_area.py
--- a/tests/test_area.py
+++ b/tests/test_area.py
@@ -3,3 +3,7 @@

 def test_square():
     assert area(2, 2) == 4
+
+
+def test_oblong():
+    assert area(2, 3) == 6
diff --git a/tests/test_issue.py b/tests/test_issue.py
new file mode 100644
--- /dev/null
+++ b/tests/test_issue.py
@@ -0,0 +1,8 @@
+import pytest
+
+from shapes.area import area
+
+
+def test_negative_sides_are_refused():
+    with pytest.raises(ValueError):
+        area(-1, 2)
"""

MAKE_REPO = r"""
set -e
mkdir shapes tests && touch shapes/__init__.py conftest.py
printf '%s\n' 'def area(width, height):' '    return width + height' > shapes/area.py
printf '%s\n' 'def check(side):' '    if side < 0:' \
    '        raise ValueError("a side is negative")' > shapes/check.py
printf '%s\n' 'from shapes.area import area' '' '' 'def test_square():' \
    '    assert area(2, 2) == 4' > tests/test_area.py
printf '%s\n' __pycache__/ .pytest_cache/ build/ dist/ > .gitignore
export GIT_AUTHOR_DATE=2024-03-01T12:00:00Z GIT_COMMITTER_DATE=2024-03-01T12:00:00Z
git init -q . && git add -A && git commit -q -m base && git rev-parse HEAD
"""

# `mended` and `tested` run something while a patch is applied.
PLANT = r"""
set -e
mended() { git apply /tmp/gold.patch; eval "$1"; git apply -R /tmp/gold.patch; }
tested() { git apply /tmp/test.patch; eval "$1"; git apply -R /tmp/test.patch; }
site=/home/solver/.local/lib/python3.11/site-packages
"""

PLANTS = {
    "patch": ("cp /tmp/gold.patch ~/notes.txt", "gold patch /home/solver/notes.txt"),
    "tests in a patch": ("cp /tmp/test.patch /var/tmp/x", "test patch /var/tmp/x"),
    "build": (
        "mended 'mkdir -p build/lib; cp -r shapes build/lib'",
        "gold patch /testbed/build/lib/shapes/area.py",
    ),
    "installed copy": (
        "mended 'mkdir -p $site; cp -r shapes $site'",
        "gold patch /home/solver/.local/lib/python3.11/site-packages/shapes/area.py",
    ),
    "backup": (
        "mended 'cp shapes/area.py shapes/area.py.orig'",
        "gold patch /testbed/shapes/area.py.orig",
    ),
    "wheel": (
        "mended 'mkdir dist; python3 -m zipfile -c dist/shapes-2.0-py3-none-any.whl shapes'",
        "gold patch /testbed/dist/shapes-2.0-py3-none-any.whl",
    ),
    "source distribution": (
        "mended 'mkdir dist; tar -czf dist/shapes-2.0.tar.gz shapes'",
        "gold patch /testbed/dist/shapes-2.0.tar.gz",
    ),
    "compiled": (
        "mended 'python3 -m compileall -q shapes'",
        "cache /testbed/shapes/__pycache__/area.cpython-311.pyc",
    ),
    "compiled and installed": (
        (
            "mended 'mkdir -p $site; cp -r shapes $site; python3 -m compileall -q -b $site'; "
            "rm $site/shapes/*.py"
        ),
        "cache /home/solver/.local/lib/python3.11/site-packages/shapes/area.pyc",
    ),
    "compiled hidden test": (
        "tested 'python3 -m compileall -q tests'",
        "cache /testbed/tests/__pycache__/test_issue.cpython-311.pyc",
    ),
    "noted by pytest": (
        "tested 'python3 -m pytest -q || true'; rm -r tests/__pycache__",
        "cache /testbed/.pytest_cache/v/cache/lastfailed",
    ),
    "test file": (
        "git apply --include=tests/test_issue.py /tmp/test.patch",
        "test patch /testbed/tests/test_issue.py",
    ),
    "test in a test file": (
        "git apply --include=tests/test_area.py /tmp/test.patch; git commit -q -a -m set-up",
        "test patch /testbed/tests/test_area.py",
    ),
    "committed": (
        "git apply /tmp/gold.patch; git commit -q -a -m set-up",
        "gold patch /testbed/shapes/area.py",
    ),
    "committed and rewritten": (
        "git apply /tmp/gold.patch; rm -r .git; git init -q; git add .; git commit -q -m all",
        "gold patch /testbed",
    ),
    "staged": ("git apply --cached /tmp/gold.patch", "gold patch the object"),
    "object": (
        (
            "git apply /tmp/gold.patch; git commit -q -a -m 'the fix'; git reset -q --hard HEAD~1;"
            " rm -r .git/logs .git/ORIG_HEAD"
        ),
        "gold patch the object",
    ),
    "history": ("git commit -q --allow-empty -m next; git reset -q --hard HEAD~1", "reflog"),
}

CLEAN = {
    "base": "",
    "set-up": "echo x > setup.cfg; git add -A; git commit -q -m SWE-bench",
    "used": (
        "python3 -m pytest -q; mkdir -p build/lib dist $site; cp -r shapes build/lib;"
        " cp -r shapes $site; tar -czf dist/shapes-1.0.tar.gz shapes tests;"
        " cp shapes/area.py shapes/area.py.orig; echo broken > dist/broken.whl"
    ),
    "lines of the base elsewhere": "cp shapes/check.py notes.txt; cp shapes/check.py ~/area.py",
    "no repository": "rm -rf .git",
}


class Planted:
    """A host whose sandboxes hold the project, and what somebody left there."""

    def __init__(self, host: DockerHost, script: str) -> None:
        self.host = host
        self.script = script

    @contextlib.asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        async with self.host.open(image, limits) as sandbox:
            await sandbox.write(PurePosixPath("/tmp/gold.patch"), GOLD.encode())
            await sandbox.write(PurePosixPath("/tmp/test.patch"), TESTS.encode())
            script = f"{MAKE_REPO}{PLANT}{self.script}\nrm /tmp/*.patch"
            made = await sandbox.exec(["bash", "-c", script], timeout=60)
            assert made.exit_code == 0, made.stdout + made.stderr
            yield sandbox

    async def image_digest(self, image: str) -> str:
        return await self.host.image_digest(image)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def task(base_image: str) -> Task:
    async with DockerHost(run_id="test") as host, host.open(IMAGE, Limits()) as sandbox:
        made = await sandbox.exec(["bash", "-c", MAKE_REPO], timeout=60)
    issue = Issue(
        id="shapes-1",
        statement="area(2, 3) is 5",
        repo="shapes",
        base_commit=made.stdout.decode().strip(),
        image=IMAGE,
    )
    oracle = Oracle(
        eval_script="",
        fail_to_pass=("tests/test_issue.py::test_negative_sides_are_refused",),
        pass_to_pass=(),
        log_parser="parse_log_pytest",
        test_patch=TESTS,
        gold_patch=GOLD,
    )
    return Task(issue=issue, oracle=oracle)


@pytest.mark.parametrize("name", PLANTS)
async def test_what_gives_the_answer_away_is_found(task: Task, name: str) -> None:
    script, place = PLANTS[name]
    async with DockerHost(run_id="test") as host:
        found = await audit(task, Planted(host, script))
    places = [f"{leak.kind} {leak.where}" for leak in found.leaks]
    assert any(one.startswith(place) for one in places), found.leaks
    assert not found.clean


@pytest.mark.parametrize("name", CLEAN)
async def test_what_the_base_holds_is_no_leak(task: Task, name: str) -> None:
    async with DockerHost(run_id="test") as host:
        found = await audit(task, Planted(host, CLEAN[name]))
    assert found.leaks == ()
    assert found.clean


async def test_an_image_without_its_folder_is_a_fault_of_the_sandbox(task: Task) -> None:
    issue = dataclasses.replace(task.issue, workdir=PurePosixPath("/nowhere"))
    async with DockerHost(run_id="test") as host:
        with pytest.raises(SandboxError, match="/nowhere"):
            await audit(dataclasses.replace(task, issue=issue), host)


async def test_the_command_tells_the_leaky_image_from_the_clean_one(
    tmp_path: Path, base_image: str
) -> None:
    """A task repo of two: one as it is shipped, one whose image was made carelessly."""
    repo = tmp_path / "repo"
    (repo / "tasks").mkdir(parents=True)
    shutil.copytree(starter_path() / "images" / "ledger", repo / "images" / "ledger")
    shutil.copy(starter_path() / "sweb.yaml", repo)
    clean = repo / "tasks" / "ksolve__ledger-1"
    shutil.copytree(starter_path() / "tasks" / clean.name, clean)
    leaky = repo / "tasks" / "ksolve__ledger-9"
    shutil.copytree(clean, leaky)
    settings = (clean / "task.yaml").read_text().replace(clean.name, leaky.name)
    (leaky / "task.yaml").write_text(settings.replace("ksolve-starter/ledger-1:1", LEAKY))
    with (leaky / "Dockerfile").open("a") as dockerfile:
        # The fixed project, where only root may write.
        dockerfile.write(
            "USER root\nCOPY gold.patch /srv/\n"
            "RUN cp -r /testbed/ledger /opt/ledger && cd /opt && git apply /srv/gold.patch"
            " && rm /srv/gold.patch\nUSER solver\n"
        )
    (image,) = (task.issue.image for task in load_tasks(str(repo), ids=[leaky.name]))
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "ksolve.cli", "tasks", "audit", str(repo), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        remove(image)
    assert done.returncode == 1, done.stderr
    first, second = json.loads(done.stdout)
    assert first == {"id": clean.name, "clean": True, "leaks": []}
    assert second["id"] == leaky.name
    assert [leak["where"] for leak in second["leaks"]] == ["/opt/ledger/money.py"]
    assert "1 of 2 images give nothing away" in done.stderr


def remove(image: str) -> None:
    import docker

    client = docker.from_env()
    with contextlib.suppress(ImageNotFound):
        client.images.remove(image, force=True)
    client.close()
