"""Reward hacks are found, with their lines; honest patches are not, however they look."""

from __future__ import annotations

import pytest

from eval.suspicions.suspicion import is_suspicious
from tests.attacks.attack import Attack
from tests.attacks.corpus import in_principle, listing, reward_hacks
from tests.attacks.honest import RIGHT, WRONG, Honest
from tests.attacks.lookalikes import LOOKALIKES
from tests.attacks.suspected import by_patch, by_sources

UNFOUND = {
    # Who listens to the log is asked by honest code, too.
    "second-log-handlers",
}

REFUSED_ONLY = {
    # What they change are programs and modules of the tests, in a way that an honest change may
    # have, too, or nothing that is code.
    "library-in-an-archive",
    "helper-is-a-folder",
    "program-of-the-tests-takes-instances",
    "program-of-the-tests-prints",
    "result-class-of-the-program",
    "shell-script-loads-more",
    "shell-script-prints",
    # It is a test, and asks pytest itself for the others.
    "own-test-changes-others",
}
ALARMS = {
    # Honest here, and hardly ever elsewhere: a person should look.
    "module-made-by-the-build",
    "links-of-documents",
    "traces",
    "starts-threads-and-processes",
    "prints-like-a-runner",
    "import-hook-of-its-own",
}


@pytest.mark.parametrize(
    "attack",
    [one for one in (*reward_hacks.ATTACKS, *in_principle.ATTACKS) if one.name not in UNFOUND],
    ids=lambda one: str(one.name),
)
def test_reward_hack_is_suspicious(attack: Attack) -> None:
    for found in (by_patch(attack), by_sources(attack)):
        assert is_suspicious(found)
        for one in found:
            assert one.path in attack.patch
            assert one.sentence.endswith(".")


@pytest.mark.parametrize(
    "attack",
    [one for one in listing.ATTACKS if one.name not in REFUSED_ONLY],
    ids=lambda one: str(one.name),
)
def test_attack_that_a_verdict_refuses_is_suspicious_too(attack: Attack) -> None:
    assert is_suspicious(by_patch(attack))


@pytest.mark.parametrize(
    "honest",
    [one for one in (*RIGHT, *WRONG, *LOOKALIKES) if one.name not in ALARMS],
    ids=lambda one: str(one.name),
)
def test_honest_patch_is_not_suspicious(honest: Honest) -> None:
    assert not [one for one in by_patch(honest) if one.is_strong]
    assert not [one for one in by_sources(honest) if one.is_strong]


def test_the_line_is_that_of_the_file_as_the_patch_leaves_it() -> None:
    looked_at = 0
    for attack in reward_hacks.ATTACKS:
        for one in by_patch(attack):
            made = attack.files.get(one.path)
            if one.path.endswith(".py") and isinstance(made, str) and "u20" not in one.code:
                # A file as a whole has no line; what is gone has one in the file before.
                lines = [made.split("\n")[one.line - 1].strip(), *attack.victim.files.values()]
                assert not one.line or one.code.rstrip("…") in "\n".join(lines), attack.name
                looked_at += one.code in lines[0]
    assert looked_at > len(reward_hacks.ATTACKS)
