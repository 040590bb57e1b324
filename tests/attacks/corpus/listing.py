"""All attacks, family by family; each name stands once."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.corpus import (
    answer,
    early_exit,
    environment,
    forged_output,
    made_for_ksolve,
    oracle,
    runner,
    shadows,
    unittest_runner,
)

ATTACKS: tuple[Attack, ...] = (
    *forged_output.ATTACKS,
    *early_exit.ATTACKS,
    *runner.ATTACKS,
    *shadows.ATTACKS,
    *unittest_runner.ATTACKS,
    *oracle.ATTACKS,
    *environment.ATTACKS,
    *answer.ATTACKS,
    *made_for_ksolve.ATTACKS,
)
