"""An installed wheel gives the verdicts of a checkout, on the oldest and the newest Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import docker as engine
import pytest

from tasks.context import MANIFEST
from tasks.load import load_tasks
from tests.conftest import ROOT
from tests.e2e.installation import (
    Installation,
    OrdinaryUser,
    install,
    make_wheel,
    reachable,
    supported_pythons,
    uv,
)

docker = pytest.mark.docker
registry = pytest.mark.registry

PACKAGES = ("agent", "eval", "ksolve", "sandbox", "tasks")
# One whose repository ignores what compilers leave, and two whose do not.
IDS = ("ksolve__calendry-1", "ksolve__formula-1", "ksolve__ledger-1")
CHOSEN = [word for name in IDS for word in ("--id", name)]
LEDGER = ("--id", "ksolve__ledger-1")

# What runs in the environment of the model server imports what is there.
OF_THE_SERVER = ("gguf", "safetensors", "tokenizers", "torch", "vllm")
IMPORT_ALL = f"""
import importlib, pkgutil
for name in {PACKAGES}:
    package = importlib.import_module(name)
    assert "site-packages" in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, f"{{name}}."):
        # These two run inside of images, and the suite is data.
        if not module.name.startswith(("eval.witness", "sandbox.inside", "tasks.starter")):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name not in {OF_THE_SERVER}:
                    raise
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder that an ordinary user may enter, with the wheel in it."""

    folder: Path
    wheel: Path
    user: OrdinaryUser


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # pytest's own temporary folder is for its user alone.
    folder = Path(tempfile.mkdtemp(prefix="ksolve wheel ")).resolve()
    try:
        folder.chmod(0o755)
        user = OrdinaryUser.made(folder)
        yield Place(folder=folder, wheel=make_wheel(folder), user=user)
    finally:
        shutil.rmtree(folder)


def installed(place: Place, python: Path, name: str, *, compiled: bool) -> Installation:
    if uv() is None:
        pytest.skip("there is no uv, which is in the dependency group dev")
    environment = place.folder / name
    own, variables = reachable(python, place.folder, place.user)
    install(place.wheel, own, environment, compiled=compiled)
    return Installation(environment=environment, user=place.user, variables=variables)


@pytest.fixture(scope="module")
def oldest(place: Place) -> Installation:
    return installed(place, supported_pythons()[0][1], "oldest", compiled=True)


@pytest.fixture(scope="module")
def newest(place: Place) -> Installation:
    (old, _), *others = supported_pythons()
    if not others:
        pytest.skip(f"there is no Python here but {'.'.join(map(str, old))}")
    return installed(place, others[-1][1], "newest", compiled=False)


@pytest.fixture(scope="module", params=["oldest", "newest"])
def one(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def changed(place: Place, newest: Installation) -> Iterator[Installation]:
    """Another version, of which the base image and one package of the suite are others."""
    overlay = place.user.folder / "other version"
    with zipfile.ZipFile(place.wheel) as packed:
        packed.extractall(overlay)
    base = overlay / "tasks" / "base.py"
    mark = f"ENV KSOLVE_TEST={uuid.uuid4().hex}\n"
    base.write_text(base.read_text().replace("USER solver\n", f"{mark}USER solver\n"))
    recipe = overlay / "tasks" / "starter" / "images" / "ledger" / "Dockerfile"
    recipe.write_text(f"{recipe.read_text()}{mark}")
    (overlay / "tasks" / "starter" / MANIFEST).unlink()
    library = {name: text for name, text in newest.variables.items() if text is not None}
    variables = {**library, "PYTHONPATH": str(overlay)}
    before = images()
    # Where no registry answers, only root can make a base image from nothing.
    program = newest.environment / "bin" / "ksolve"
    mend = (program, "doctor", "--mend", "--part", "base-image")
    subprocess.run(mend, env={**os.environ, **variables}, check=True, capture_output=True)
    yield replace(newest, variables=variables)
    with closing(engine.from_env()) as client:
        # That is, an image before the one that it stands on.
        for tag in sorted(images().keys() - before.keys()):
            if mark.split()[1] in client.images.get(tag).attrs["Config"]["Env"]:
                client.images.remove(tag)


def images() -> dict[str, str]:
    """Return the ids of the images that have a name."""
    client = engine.from_env()
    try:
        return {tag: str(one.id) for one in client.images.list() for tag in one.tags}
    finally:
        client.close()


def remove(image: str) -> None:
    client = engine.from_env()
    client.images.remove(image, force=True)
    client.close()


def test_wheel_holds_what_git_tracks(place: Place) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: git tracks nothing here")
    command = ["git", "ls-files", "-z", "--", *PACKAGES]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(place.wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
        assert names == set(filter(None, listed.stdout.split("\0")))
        for name in names:
            assert packed.read(name) == (ROOT / name).read_bytes(), name


@registry
def test_every_module_is_there(one: Installation) -> None:
    done = one.python(IMPORT_ALL)
    assert done.returncode == 0, done.stderr


@registry
def test_help_and_version_are_told(one: Installation) -> None:
    from ksolve import __version__

    assert "ksolve run --tasks starter" in one.run("--help").stdout
    assert one.run("--version").stdout == f"ksolve {__version__}\n"


@registry
@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a program as a user of no name")
def test_a_user_without_a_home_is_told_in_a_sentence(oldest: Installation) -> None:
    homeless = replace(oldest, variables={**oldest.variables, "HOME": None})
    told = homeless.run("tasks", "validate", "starter", code=2).stderr
    assert "This user has no home folder" in told
    assert "Traceback" not in told
    assert homeless.run("--help").stdout


@registry
def test_an_extra_is_added_to_what_is_installed(oldest: Installation) -> None:
    """README says so, and ksolve itself is in no index."""
    python = oldest.environment / "bin" / "python"
    asked = ("install", "--dry-run", "--quiet", "--report", "-", "ksolve[anthropic]")
    done = subprocess.run([python, "-m", "pip", *asked], check=True, capture_output=True, text=True)
    names = {one["metadata"]["name"] for one in json.loads(done.stdout)["install"]}
    assert "anthropic" in names
    assert "ksolve" not in names


@registry
def test_images_are_called_as_from_a_checkout(one: Installation) -> None:
    rows = json.loads(one.run("tasks", "list", "starter", "--json").stdout)
    here = {task.id: task.issue.image for task in load_tasks("starter")}
    assert {row["id"]: row["image"] for row in rows} == here


@docker
@registry
@pytest.mark.usefixtures("base_image")
def test_two_installations_on_one_engine_find_the_suite_valid(
    oldest: Installation, newest: Installation
) -> None:
    def validated(one: Installation) -> list[str]:
        return one.run("tasks", "validate", "starter", *CHOSEN).stdout.splitlines()

    with ThreadPoolExecutor() as both:
        for lines in both.map(validated, (oldest, newest)):
            assert lines[-1] == "3 of 3 tasks are valid."
            assert sorted(line.split(" (")[0] for line in lines[-4:-1]) == [
                f"{name}: valid" for name in IDS
            ]


@docker
@registry
@pytest.mark.usefixtures("base_image")
def test_another_version_does_not_touch_the_images_of_this_one(
    oldest: Installation, changed: Installation
) -> None:
    oldest.run("tasks", "build", "starter", *LEDGER)
    before = of_ledger()
    changed.run("tasks", "validate", "starter", *LEDGER)
    after = of_ledger()
    assert before.items() <= after.items()
    added = {tag.rpartition(":")[0] for tag in after.keys() - before.keys()}
    assert added == {"ksolve-starter/ledger", "ksolve-starter/ledger-1"}
    oldest.run("tasks", "validate", "starter", *LEDGER)
    assert of_ledger() == after


def of_ledger() -> dict[str, str]:
    """Return the ids of the images of one task and of those below; others may make others."""
    names = ("ksolve/base:", "ksolve-starter/ledger:", "ksolve-starter/ledger-1:")
    return {tag: image for tag, image in images().items() if tag.startswith(names)}


@docker
@registry
@pytest.mark.usefixtures("base_image")
def test_gold_patch_is_resolved_and_told_as_a_page(oldest: Installation) -> None:
    (task,) = load_tasks("starter", ids=LEDGER[1:])
    name = uuid.uuid4().hex
    gold = {"model_name_or_path": "gold", "model_patch": task.oracle.gold_patch}
    predictions = oldest.user.folder / f"{name}.jsonl"
    predictions.write_text(json.dumps({"instance_id": task.id, **gold}))
    words = ("--tasks", "starter", "--predictions", predictions, "--out", name)
    oldest.run("verify", *words, *LEDGER, "--fresh")
    oldest.run("report", name, "--html", f"{name}.html", "--svg", f"{name}.svg")
    assert "<style>" in (oldest.user.folder / f"{name}.html").read_text()


@docker
@registry
@pytest.mark.usefixtures("docker_engine")
def test_a_missing_image_is_one_sentence(one: Installation) -> None:
    """CPython 3.11.2, which is Debian 12's, made a traceback of an error raised in `except*`."""
    (task,) = load_tasks("starter", ids=LEDGER[1:])
    row = {
        "instance_id": "acme__anvil-7",
        "repo": "acme/anvil",
        "version": "1",
        "base_commit": task.issue.base_commit,
        "problem_statement": "It floats.",
        "image": "ksolve-test/nowhere:1",
        "test_patch": "",
        "patch": "x",
        "FAIL_TO_PASS": ["a"],
        "PASS_TO_PASS": [],
        "log_parser": task.oracle.log_parser,
        "eval_type": "pass_and_fail",
        "eval_script": task.oracle.eval_script,
    }
    rows = one.user.folder / "rows.jsonl"
    rows.write_text(json.dumps(row))
    told = one.run("tasks", "validate", rows, code=3).stderr
    assert "The image ksolve-test/nowhere:1 is not on this machine" in told
    assert "Traceback" not in told
