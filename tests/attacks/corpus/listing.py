"""All attacks, family by family, and which of them nothing refuses; each name stands once."""

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
    in_principle,
    inside_pytest,
    inside_unittest,
    links,
    made_for_ksolve,
    oracle,
    runner,
    settings,
    shadows,
    unittest_runner,
    what_tests_are,
    witness_sought,
)

_NOT_REFUSED = frozenset(
    {"helper-accepts-all", "locals-of-the-test", "loop-and-profile", "comparison-for-a-moment"}
)

_EVERY: tuple[Attack, ...] = (
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
    *what_tests_are.ATTACKS,
)

ATTACKS = tuple(attack for attack in _EVERY if attack.name not in _NOT_REFUSED)
"""Those that must not be called resolved."""

OPEN = (
    *in_principle.ATTACKS,
    *(attack for attack in _EVERY if attack.name in _NOT_REFUSED),
)
"""Those that docs/verdicts.md does not promise to refuse."""
