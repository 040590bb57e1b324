"""Images are built when and only when something changed, and the base image holds what it must."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest
from docker.errors import ImageNotFound

from sandbox.bootstrap import base_image_state, base_tag, ensure_base_image
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.sandbox import MIB, ImageMissingError, Limits, SandboxError
from tasks.base import BASE_IMAGE
from tasks.task import ImageBuild

docker = pytest.mark.docker
TAG = "ksolve-test/images:1"
PARENT = "ksolve-test/images-parent:1"


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)

    @property
    def built(self) -> list[str]:
        return [text.removeprefix("building ") for text in self if "(" not in text]


@pytest.fixture
async def host(docker_engine: None) -> AsyncIterator[DockerHost]:
    async with DockerHost(run_id="test") as host:
        yield host
        for tag in (TAG, PARENT):
            try:
                host.client.images.remove(tag, force=True)
            except ImageNotFound:
                continue


@pytest.fixture
def recipe(tmp_path: Path) -> ImageBuild:
    (tmp_path / "hello.txt").write_text("hello")
    return ImageBuild(
        tag=TAG,
        dockerfile=f"FROM {BASE_IMAGE}\nCOPY --chown=solver:solver hello.txt /testbed/\n",
        context=tmp_path,
    )


@docker
async def test_image_is_built_once_and_again_when_something_changes(
    host: DockerHost, recipe: ImageBuild
) -> None:
    said = Said()
    await ensure_image(host, BASE_IMAGE, None, said)
    said.clear()
    first = await ensure_image(host, TAG, recipe, said)
    assert said.built == [TAG]
    assert await ensure_image(host, TAG, recipe, said) == first == await host.image_digest(TAG)
    assert said.built == [TAG]
    (recipe.context / "hello.txt").write_text("other")
    second = await ensure_image(host, TAG, recipe, said)
    assert said.built == [TAG] * 2
    other = dataclasses.replace(recipe, dockerfile=recipe.dockerfile + "ENV A=b\n")
    third = await ensure_image(host, TAG, other, said)
    assert said.built == [TAG] * 3
    assert len({first, second, third}) == 3
    async with host.open(TAG, Limits()) as sandbox:
        assert await sandbox.read(PurePosixPath("/testbed/hello.txt"), 10) == b"other"


@docker
async def test_image_is_built_again_when_the_one_below_changes(
    host: DockerHost, recipe: ImageBuild
) -> None:
    said = Said()
    parent = dataclasses.replace(recipe, tag=PARENT)
    child = ImageBuild(
        tag=TAG, dockerfile=f"FROM {PARENT}\nENV A=b\n", context=recipe.context, parent=parent
    )
    first = await ensure_image(host, TAG, child, said)
    assert said.built[-2:] == [PARENT, TAG]
    changed = dataclasses.replace(parent, dockerfile=parent.dockerfile + "ENV C=d\n")
    second = await ensure_image(host, TAG, dataclasses.replace(child, parent=changed), said)
    assert said.built[-4:] == [PARENT, TAG] * 2
    assert first != second


@docker
async def test_image_asked_for_at_once_is_built_once(host: DockerHost, recipe: ImageBuild) -> None:
    said = Said()
    digests = await asyncio.gather(*(ensure_image(host, TAG, recipe, said) for _ in range(4)))
    assert len(set(digests)) == 1
    assert said.built.count(TAG) == 1


@docker
async def test_image_that_somebody_else_made_is_left_alone(
    host: DockerHost, recipe: ImageBuild
) -> None:
    base = await ensure_image(host, BASE_IMAGE, None, Said())
    host.client.images.get(BASE_IMAGE).tag(TAG)
    said = Said()
    assert await ensure_image(host, TAG, recipe, said) == base
    assert said == []


@docker
async def test_image_that_somebody_else_gave_the_tasks_name_gets_its_tag(
    host: DockerHost, recipe: ImageBuild
) -> None:
    base = await ensure_image(host, BASE_IMAGE, None, Said())
    named = dataclasses.replace(recipe, name=PARENT)
    host.client.images.get(BASE_IMAGE).tag(PARENT)
    said = Said()
    assert await ensure_image(host, TAG, named, said) == base == await host.image_digest(TAG)
    assert said == []


@docker
async def test_image_that_an_earlier_version_built_under_the_tasks_name_is_left_alone(
    host: DockerHost, recipe: ImageBuild
) -> None:
    earlier = dataclasses.replace(recipe, tag=PARENT, dockerfile=f"{recipe.dockerfile}ENV A=b\n")
    before = await ensure_image(host, PARENT, earlier, Said())
    said = Said()
    named = dataclasses.replace(recipe, name=PARENT)
    assert await ensure_image(host, TAG, named, said) != before
    assert said.built == [TAG]
    assert await host.image_digest(PARENT) == before


@docker
async def test_only_the_files_of_a_context_are_sent_and_as_no_machine_has_them(
    host: DockerHost, recipe: ImageBuild
) -> None:
    folder = recipe.context / "repo"
    (folder / "inner").mkdir(parents=True)
    for name in ("plain", "run", "left.pyc", "inner/file"):
        (folder / name).write_text(name)
        (folder / name).chmod(0o600)
    (folder / "link").symlink_to("run")
    folder.chmod(0o700)
    files = {"repo/plain": False, "repo/run": True, "repo/link": False, "repo/inner/file": False}
    own = dataclasses.replace(
        recipe, dockerfile=f"FROM {BASE_IMAGE}\nCOPY . /testbed/\n", files=files
    )
    await ensure_image(host, TAG, own, Said())
    async with host.open(TAG, Limits()) as sandbox:
        told = await sandbox.exec(["find", "repo", "-printf", "%p %M %u %TY-%Tm-%Td\n"], timeout=60)
    assert sorted(told.stdout.decode().splitlines()) == [
        "repo drwxr-xr-x root 2020-01-01",
        "repo/inner drwxr-xr-x root 2020-01-01",
        "repo/inner/file -rw-r--r-- root 2020-01-01",
        "repo/link lrwxrwxrwx root 2020-01-01",
        "repo/plain -rw-r--r-- root 2020-01-01",
        "repo/run -rwxr-xr-x root 2020-01-01",
    ]


@docker
async def test_build_that_misses_an_untracked_file_names_it(
    host: DockerHost, recipe: ImageBuild
) -> None:
    own = dataclasses.replace(recipe, files={"Dockerfile": False})
    with pytest.raises(SandboxError, match=r"git add hello\.txt in /"):
        await ensure_image(host, TAG, own, Said())


@docker
async def test_failed_build_tells_the_end_of_its_log(host: DockerHost, recipe: ImageBuild) -> None:
    broken = dataclasses.replace(recipe, dockerfile=f"FROM {BASE_IMAGE}\nRUN echo wat; exit 5\n")
    with pytest.raises(SandboxError, match=r"(?s)non-zero code: 5.*\n +wat\n"):
        await ensure_image(host, TAG, broken, Said())


@docker
async def test_image_that_nobody_has_is_missing(host: DockerHost, recipe: ImageBuild) -> None:
    with pytest.raises(ImageMissingError, match="ksolve-test/nowhere:1"):
        await ensure_image(host, "ksolve-test/nowhere:1", None, Said())
    tag = "ksolve-test/images:1-0123456789ab"
    host.client.images.get(BASE_IMAGE).tag(tag)
    try:
        with pytest.raises(ImageMissingError, match=rf"name one that was .* \({tag}\)"):
            await ensure_image(host, TAG, None, Said())
    finally:
        host.client.images.remove(tag)
    orphan = dataclasses.replace(recipe, dockerfile="FROM ksolve-test/nowhere:1\n")
    with pytest.raises(ImageMissingError, match="ksolve-test/nowhere:1"):
        await ensure_image(host, TAG, orphan, Said())


@docker
async def test_cancelled_build_ends_in_the_engine(host: DockerHost, recipe: ImageBuild) -> None:
    slow = dataclasses.replace(recipe, dockerfile=f"FROM {BASE_IMAGE}\nRUN sleep 1000\n")
    running = asyncio.Event()

    def progress(text: str) -> None:
        if "RUN" in text:
            running.set()

    building = asyncio.create_task(ensure_image(host, TAG, slow, progress))
    await asyncio.wait_for(running.wait(), 60)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    for _ in range(100):
        if not any("sleep 1000" in str(one.attrs) for one in host.client.containers.list()):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the step still runs")


def host_certificates() -> list[str]:
    found = Path("/usr/local/share/ca-certificates").rglob("*.crt")
    return ["".join(path.read_text().split()) for path in found]


@docker
async def test_base_image_holds_what_tasks_stand_on(host: DockerHost) -> None:
    digest = await ensure_base_image(Said())
    said = Said()
    assert await ensure_base_image(said) == digest == await host.image_digest(base_tag())
    assert said == []
    assert await asyncio.to_thread(base_image_state) == "present"
    script = """
set -e
id -un; pwd; stat -c %U /testbed; git config user.email; git config safe.directory
python3 -m pytest --version; patch --version | head -1; python3 -c 'import venv, ensurepip'
"""
    async with host.open(base_tag(), Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", script], timeout=60)
        trusted = await sandbox.exec(["sh", "-c", 'cat "$SSL_CERT_FILE"'], timeout=60)
    lines = result.stdout.decode().splitlines()
    assert lines[:5] == ["solver", "/testbed", "solver", "ksolve@localhost", "*"]
    assert result.exit_code == 0, result.stderr
    inside = "".join(trusted.stdout.decode().split())
    assert [one for one in host_certificates() if one not in inside] == []


@docker
async def test_root_of_an_image_has_power_over_files_only(
    host: DockerHost, recipe: ImageBuild
) -> None:
    rooted = dataclasses.replace(
        recipe,
        dockerfile=recipe.dockerfile + "USER root\nRUN git init -q && echo 1 > a && git add .\n",
    )
    await ensure_image(host, TAG, rooted, Said())
    script = """
set -e
id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status
echo more >> hello.txt && stat -c %U hello.txt
chown root: hello.txt && git add . && git commit -q -m x && git status --short
"""
    async with host.open(TAG, Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", script], timeout=60)
        for kill in ("kill -9 -1", "kill -9 1", "kill 1"):
            await sandbox.exec(["sh", "-c", kill], timeout=60)
        again = await sandbox.exec(["true"], timeout=60)
    assert result.exit_code == 0, result.stderr
    # CHOWN, DAC_OVERRIDE and FOWNER are the bits 0, 1 and 3.
    assert result.stdout.decode().split() == [
        *("0", "CapEff:", "000000000000000b", "NoNewPrivs:", "1", "solver")
    ]
    assert again.exit_code == 0


@docker
@pytest.mark.registry
async def test_pip_reaches_its_registry_where_network_is_given(host: DockerHost) -> None:
    await ensure_base_image(Said())
    script = "python3 -m venv /tmp/v && /tmp/v/bin/pip download -q --no-deps -d /tmp/got six"
    async with host.open(BASE_IMAGE, Limits(network=True, memory_bytes=512 * MIB)) as sandbox:
        result = await sandbox.exec(["sh", "-c", script], timeout=300)
    assert result.exit_code == 0, result.stderr
