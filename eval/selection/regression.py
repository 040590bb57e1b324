"""The regression filter: candidates that break what the visible tests say are dropped.

The tests are those that the issue shows (`Issue.test_command`), run before and after; the oracle
has no part in it. A candidate that changes the tests is judged by them as it left them.
"""

from __future__ import annotations

import re

import numpy as np

from agent.limits import AgentLimits
from agent.workspace import Observation
from eval.selection.candidates import Candidates, Effort, Method, Scored
from eval.selection.evidence import open_bench
from eval.selection.scripts import LIMITS
from eval.selection.votes import ANY
from sandbox.sandbox import SandboxHost

_SECONDS = 300.0
# For one run of the visible tests.
_RUN = "import subprocess, sys\nsys.exit(subprocess.run(['bash', '-c', {command!r}]).returncode)\n"
_FAILING = re.compile(
    r"^(?:(?:FAILED|ERROR) (\S.*?)(?: - .*)?|(?:FAIL|ERROR): (\S.*?))\s*$", re.MULTILINE
)
# How pytest and unittest name them.


class Regression:
    """Drops candidates by their visible tests, and lets another method choose among the rest."""

    def __init__(
        self,
        sandboxes: SandboxHost,
        *,
        then: Method = ANY,
        limits: AgentLimits = LIMITS,
        seconds: float = _SECONDS,
    ) -> None:
        """`seconds` are for one run of the tests; what takes longer fails."""
        self.name = "regression" if then is ANY else f"regression+{then.name}"
        self._sandboxes = sandboxes
        self._then = then
        self._limits = limits
        self._seconds = seconds

    async def score(self, candidates: Candidates) -> Scored:
        """Score those that are left by `then`; all, where none is. Raises what `then` does.

        Raises SandboxError. Candidates that do the same stay or go together.
        """
        issue = candidates.known_issue()
        patches = candidates.distinct()
        scored = await self._then.score(candidates)
        if len(patches) < 2 or not issue.test_command:  # noqa: PLR2004 - there is no choice
            return scored
        kept: dict[int, float] = {}
        script = _RUN.format(command=issue.test_command)
        opened = open_bench(issue, self._sandboxes, self._limits, candidates.evidence)
        async with opened as bench:
            before = await bench.run(script, "", timeout=self._seconds)
            for group, patch in patches.items():
                after = await bench.run(script, patch, timeout=self._seconds)
                if before is None or not breaks(before, after):
                    kept[group] = 1.0
        dropped = np.isinf(candidates.spread(kept)) & bool(kept)
        return Scored(
            scores=np.where(dropped, -np.inf, scored.scores),
            effort=scored.effort + Effort(runs=1 + len(patches)),
        )


def breaks(before: Observation, after: Observation | None) -> bool:
    """Whether visible tests that passed do not any more; `after` is None for what git refuses.

    Where they do not all pass to begin with, by the names of those that fail. Where these cannot be
    read before, nothing is said to be broken; where they cannot only after, it is (a crash, say).
    """
    if after is None:
        return True
    if after.exit_code == 0 or before.exit_code is None:
        return False
    if before.exit_code == 0:
        return True
    failed, fail = failing(before), failing(after)
    return bool(failed) and (not fail or bool(fail - failed))


def failing(observation: Observation) -> frozenset[str]:
    """Return the names of the tests that an output says to fail, as pytest or unittest say it."""
    found = _FAILING.findall(observation.whole or observation.text)
    return frozenset(first or second for first, second in found)
