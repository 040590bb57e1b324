"""The vote of model-written tests: scripts that show the issue, run under every candidate.

A script that does not fail on the tree as it is has no vote. The scripts come from the models that
wrote the candidates, so a wrong idea of the issue speaks in both; nothing here knows the oracle.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agent.limits import AgentLimits
from agent.reproduction import FIXED, Reproduction
from eval.selection.candidates import Candidates, Effort, Scored
from eval.selection.evidence import RunOnce, open_bench
from sandbox.sandbox import SandboxHost

LIMITS = AgentLimits()
_SCRIPTS = 20
# Of an issue that are run, those written most often first: each is run under each candidate.


@dataclass(frozen=True, kw_only=True, slots=True)
class Votes:
    """What the scripts of one issue say."""

    by_group: dict[int, float]
    # Votes of every group that holds a patch.
    voters: int
    # Scripts that fail on the tree as it is, one written twice counted twice.
    runs: int


class ScriptVote:
    """Each script votes for the candidates under which it exits with 0.

    As the tests do in "CodeMonkeys" (Ehrlich et al. 2025, arXiv 2501.14723).
    """

    name = "tests"

    def __init__(self, sandboxes: SandboxHost, *, limits: AgentLimits = LIMITS) -> None:
        self._sandboxes = sandboxes
        self._limits = limits

    async def score(self, candidates: Candidates) -> Scored:
        """Count the votes. Raises SandboxError."""
        issue = candidates.known_issue()
        patches = candidates.distinct()
        if len(patches) < 2 or not any(one.scripts for one in candidates.candidates):  # noqa: PLR2004
            # Nothing to choose between, or nobody to ask.
            return Scored(scores=candidates.spread(dict.fromkeys(patches, 0.0)))
        opened = open_bench(issue, self._sandboxes, self._limits, candidates.evidence)
        async with opened as bench:
            votes = await count_votes(bench, candidates, self._limits.command_seconds)
        return Scored(scores=candidates.spread(votes.by_group), effort=Effort(runs=votes.runs))


async def count_votes(bench: RunOnce, candidates: Candidates, timeout: float) -> Votes:
    """Run the scripts of the candidates, each for `timeout` seconds at most, under each of them.

    A candidate that git does not apply has no votes. Raises SandboxError.
    """
    patches = candidates.distinct()
    by_group = dict.fromkeys(patches, 0.0)
    voters = runs = 0
    written = Counter(script for one in candidates.candidates for script in one.scripts)
    often_first = sorted(written.items(), key=lambda item: (-item[1], item[0]))
    for script, count in often_first[:_SCRIPTS]:
        unpatched = await bench.run(script, "", timeout=timeout)
        runs += 1
        if unpatched is None or not Reproduction(script=script, unpatched=unpatched).worth:
            continue
        voters += count
        for group, patch in patches.items():
            patched = await bench.run(script, patch, timeout=timeout)
            runs += 1
            if patched is not None and patched.exit_code == FIXED:
                by_group[group] += count
    return Votes(by_group=by_group, voters=voters, runs=runs)
