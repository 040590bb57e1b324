"""All attacks, family by family; each name stands once."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.corpus import (
    absent_modules,
    answer,
    before_the_tests,
    builds,
    early_exit,
    environment,
    forged_output,
    helpers_of_tests,
    inside_pytest,
    inside_unittest,
    links,
    made_for_ksolve,
    oracle,
    runner,
    settings,
    shadows,
    unittest_runner,
    witness_sought,
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
    *absent_modules.ATTACKS,
    *links.ATTACKS,
    *settings.ATTACKS,
    *builds.ATTACKS,
    *before_the_tests.ATTACKS,
    *helpers_of_tests.ATTACKS,
    *inside_pytest.ATTACKS,
    *inside_unittest.ATTACKS,
    *witness_sought.ATTACKS,
)
