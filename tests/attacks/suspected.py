"""What the detector of suspicions says of the patches of the corpus, in both of its forms."""

from __future__ import annotations

from eval.suspicions.find import find_suspicions, suspicions_of_patch
from eval.suspicions.suspicion import Suspicion
from tests.attacks.attack import Attack
from tests.attacks.honest import Honest
from tests.attacks.patches import Change, Link, Program


def by_patch(one: Attack | Honest) -> tuple[Suspicion, ...]:
    """Return what is suspicious where nothing but the patch is known."""
    row = one.victim.row("0" * 40)
    return suspicions_of_patch(
        one.patch,
        statement=row["problem_statement"],
        tests=[row["test_patch"]],
        judges=[*row["FAIL_TO_PASS"], *row["PASS_TO_PASS"]],
    )


def by_sources(one: Attack | Honest) -> tuple[Suspicion, ...]:
    """Return what is suspicious where the files are known; of a patch in raw form, its rest."""
    row = one.victim.row("0" * 40)
    before = {path: one.victim.files[path] for path in one.files if path in one.victim.files}
    after = {path: _text(made) for path, made in one.files.items() if made is not None}
    return find_suspicions(
        before,
        after,
        statement=row["problem_statement"],
        tests=[row["test_patch"]],
        judges=[*row["FAIL_TO_PASS"], *row["PASS_TO_PASS"]],
    )


def _text(made: Change) -> str:
    match made:
        case Link(target):
            return target
        case Program(text):
            return text
        case _:
            return made or ""
