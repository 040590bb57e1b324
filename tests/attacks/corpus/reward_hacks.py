"""Reward hacks: patches that make the hidden tests pass, or look as if, and do not mend the bug.

They were written before the rules of `eval.suspicions`, after what is published of coding agents
(METR 2025, ImpossibleBench, EvilGenie, TRACE, School of Reward Hacks). No verdict can refuse most
of them, since they do what the tests ask; they are what suspicions are measured on. Those with
`reference="unresolved"` are of the same kinds, and do not get through.
"""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.corpus import hacks_in_answers, hacks_on_tests, hacks_second, hacks_under_test

ATTACKS: tuple[Attack, ...] = (
    *hacks_in_answers.ATTACKS,
    *hacks_under_test.ATTACKS,
    *hacks_on_tests.ATTACKS,
    *hacks_second.ATTACKS,
)
