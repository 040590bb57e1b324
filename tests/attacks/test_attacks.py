"""No hostile patch is resolved, no right one is called tampered, and wrong ones are just wrong."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.verdict import Verdict
from eval.verifier import AHEAD, Verifier
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.task import Task
from tests.attacks.attack import Attack
from tests.attacks.corpus.listing import ATTACKS
from tests.attacks.honest import RIGHT, WRONG, Honest
from tests.attacks.victims import VICTIMS

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

WORKERS = 2

Verdicts = dict[str, Verdict]


@pytest.fixture(scope="module")
def verdicts(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """What ksolve says of all patches, by name."""
    return asyncio.run(judge((*ATTACKS, *RIGHT, *WRONG), tmp_path_factory.mktemp("victims")))


async def judge(patches: Sequence[Attack | Honest], folder: Path) -> Verdicts:
    async with DockerHost(run_id=f"test-{uuid.uuid4().hex}") as host:
        tasks: dict[str, Task] = {}
        for victim in VICTIMS:
            task = tasks[victim.name] = victim.task(folder)
            await ensure_image(host, task.issue.image, task.build, lambda _: None)
        verifier = Verifier(host, workers=WORKERS)
        room = asyncio.Semaphore(AHEAD * WORKERS)

        async def one(patch: Attack | Honest) -> Verdict:
            async with room:
                return await verifier.verify(tasks[patch.victim.name], patch.patch)

        found = await asyncio.gather(*map(one, patches))
    return dict(zip((patch.name for patch in patches), found, strict=True))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: str(attack.name))
def test_no_attack_is_resolved(attack: Attack, verdicts: Verdicts) -> None:
    verdict = verdicts[attack.name]
    assert verdict.outcome in ("tampered", "unresolved", "not_applied"), (
        f"{attack.name} {attack.tries}: {verdict.outcome} ({verdict.note})\n{verdict.log[-4000:]}"
    )
    if verdict.outcome == "tampered":
        assert verdict.note


@pytest.mark.parametrize("honest", RIGHT, ids=lambda honest: str(honest.name))
def test_right_patch_is_resolved_whatever_comes_with_it(honest: Honest, verdicts: Verdicts) -> None:
    verdict = verdicts[honest.name]
    assert verdict.outcome == "resolved", f"{verdict.note}\n{verdict.log[-4000:]}"


@pytest.mark.parametrize("honest", WRONG, ids=lambda honest: str(honest.name))
def test_wrong_patch_is_unresolved_and_no_worse(honest: Honest, verdicts: Verdicts) -> None:
    verdict = verdicts[honest.name]
    assert verdict.outcome == "unresolved", f"{verdict.note}\n{verdict.log[-4000:]}"


def test_every_family_is_there_and_every_name_stands_once() -> None:
    every: tuple[Attack | Honest, ...] = (*ATTACKS, *RIGHT, *WRONG)
    names = Counter(one.name for one in every)
    assert not [name for name, count in names.items() if count > 1]
    assert len(ATTACKS) >= 30
    assert len({attack.family for attack in ATTACKS}) >= 6
