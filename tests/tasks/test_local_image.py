from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.sandbox import Limits, Sandbox, SandboxError
from tasks.local import NO_PYTHON, local_task
from tasks.pythons import exactly
from tasks.task import TESTBED, Task

LIMITS = Limits(lifetime=300.0)


def task_of(repo: Path, test_command: str = "pytest -q", **options: Any) -> Task:
    cache = repo.parent / "cache"
    return local_task(
        repo, "It weighs too little.", test_command, include_dirty=True, cache=cache, **options
    )


@asynccontextmanager
async def sandbox_of(task: Task) -> AsyncIterator[Sandbox]:
    """Build the task's image, open a sandbox of it, and remove the image."""
    async with DockerHost() as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        try:
            async with host.open(task.issue.image, LIMITS) as sandbox:
                yield sandbox
        finally:
            # Two runs of the tests at once share this image, and one of them is first.
            with suppress(APIError):
                await asyncio.to_thread(host.client.images.remove, task.issue.image, force=True)


async def said(sandbox: Sandbox, script: str) -> str:
    done = await sandbox.exec(["bash", "-c", script], timeout=120.0, cwd=TESTBED)
    return (done.stdout + done.stderr).decode().strip()


@pytest.mark.docker
async def test_the_image_holds_the_state_and_its_script_tells_right_from_wrong(
    docker_engine: None, repo: Path
) -> None:
    (repo / "tests" / "test_new.py").write_text("def test_new():\n    pass\n")
    task = task_of(repo, "python3 -m pytest -q")
    script = f"({task.oracle.eval_script}) 2>&1 | grep -E '^[0-9]+ (passed|failed)'"
    async with sandbox_of(task) as sandbox:
        assert await said(sandbox, "git status --short; git rev-parse HEAD") == (
            task.issue.base_commit
        )
        assert await said(sandbox, "stat -c %U anvil/__init__.py; id -un") == "solver\nsolver"
        assert "1 failed, 1 passed" in await said(sandbox, script)
        await said(sandbox, "echo 'def test_weight(): pass' > tests/test_anvil.py")
        assert "1 failed, 1 passed" in await said(sandbox, script)
        await said(sandbox, "sed -i 's/n - 1/n/' anvil/__init__.py")
        assert "2 passed" in await said(sandbox, script)
        assert await said(sandbox, "git status --short") == "M anvil/__init__.py"


@pytest.mark.docker
async def test_a_setup_runs_in_an_environment_where_the_systems_pytest_sees_it(
    docker_engine: None, repo: Path
) -> None:
    installed = (
        "echo 'carat = 5' > $(python3 -c 'import site; print(site.getsitepackages()[0])')/gem.py"
        " && echo made > generated.txt && pip --version"
    )
    (repo / "tests" / "test_anvil.py").write_text(
        "import gem\n\ndef test_gem():\n    assert gem.carat == 5\n"
    )
    async with sandbox_of(task_of(repo, setup=installed)) as sandbox:
        assert "1 passed" in await said(sandbox, "pytest -q")
        assert await said(sandbox, "cat generated.txt; git status --short") == "made"


@pytest.mark.docker
@pytest.mark.registry
async def test_a_setup_may_install_packages_of_the_system_and_leaves_all_to_the_tests_user(
    docker_engine: None, repo: Path
) -> None:
    setup = "sudo apt-get install hello && touch made.txt ~/.made && pip install sortedcontainers"
    async with sandbox_of(task_of(repo, setup=setup)) as sandbox:
        assert await said(sandbox, "hello") == "Hello, world!"
        assert await said(sandbox, "python -c 'import sortedcontainers' && id -un") == "solver"
        not_ours = "find /testbed /opt/venv /home/solver ! -user solver"
        assert await said(sandbox, not_ours) == ""
        assert await said(sandbox, "git status --short") == ""
        assert "1 failed" in await said(sandbox, "python -m pytest -q")


@pytest.mark.docker
async def test_the_image_has_what_builds_software(docker_engine: None, repo: Path) -> None:
    async with sandbox_of(task_of(repo)) as sandbox:
        assert await said(sandbox, "python --version") == await said(sandbox, "python3 --version")
        for program in ("cc", "make", "git", "pip", "pkg-config"):
            assert await said(sandbox, f"command -v {program}") != ""
        compiled = "echo 'int main() { return 7; }' > a.c && cc a.c && ./a.out; echo $?"
        assert await said(sandbox, compiled) == "7"


@pytest.mark.docker
@pytest.mark.registry
async def test_what_a_repository_says_it_needs_is_installed(
    docker_engine: None, repo: Path
) -> None:
    (repo / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "anvil"\nversion = "1"\n[tool.setuptools]\npackages = ["anvil"]\n'
        '[dependency-groups]\ntest = ["sortedcontainers"]\n'
    )
    async with sandbox_of(task_of(repo)) as sandbox:
        assert await said(sandbox, "cd / && python -c 'import anvil, sortedcontainers'") == ""


@pytest.mark.docker
@pytest.mark.registry
async def test_a_python_that_cannot_be_had_is_told_by_the_build(
    docker_engine: None, repo: Path
) -> None:
    with pytest.raises(SandboxError, match=f"{NO_PYTHON}, but Python 3"):
        async with sandbox_of(task_of(repo, python=exactly("3.99"))):
            pass


@pytest.mark.docker
async def test_a_python_that_the_image_has_needs_no_download(
    docker_engine: None, repo: Path
) -> None:
    (repo / "setup.cfg").write_text("[options]\npython_requires = >=3.9\n")
    async with sandbox_of(task_of(repo)) as sandbox:
        assert "1 failed" in await said(sandbox, "/opt/venv/bin/python -m pytest -q")


@pytest.mark.docker
@pytest.mark.registry
async def test_an_installable_package_is_there_to_import(docker_engine: None, repo: Path) -> None:
    (repo / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "anvil"\nversion = "1"\n[tool.setuptools]\npackages = ["anvil"]\n'
    )
    async with sandbox_of(task_of(repo)) as sandbox:
        assert (
            await said(sandbox, "cd / && python3 -c 'import anvil; print(anvil.weight(2))'") == "1"
        )
        assert await said(sandbox, "git status --short") == ""
