"""One sample, whole: as it was drawn, and the verdict on it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from sqlalchemy import and_, select

from agent.strategy import Proposal
from agent.trajectory import Turn, from_json
from eval import suspected
from eval.sample import Sample, SampleKey
from eval.schema import SAMPLES, VERDICTS
from eval.verdict import Verdict
from ksolve.view.queries import neighbours, usage_of
from ksolve.view.rundb import RunFiles, UnreadableError

_PROPOSAL = ("stop", "note", "seconds", "prompt_digest", "variant")
_DRAWN = ("strategy_version", "seed", "temperature", "cost")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A sample and what lies around it."""

    sample: Sample
    verdict: Verdict | None
    # None while it is pending.
    before: int | None
    after: int | None
    # Indices of the neighbours of the same issue and solver.


def drawn_sample(files: RunFiles, key: SampleKey) -> Drawn:
    """Read one sample with its texts. Raises UnreadableError, also where it is not drawn."""
    values = dataclasses.asdict(key)
    query = (
        select(SAMPLES, *(column.label(f"verdict_{column.name}") for column in VERDICTS.c))
        .outerjoin(VERDICTS, SAMPLES.c.verdict_key == VERDICTS.c.key)
        .where(and_(*(SAMPLES.c[name] == values[name] for name in values)))
    )
    with files.records() as connection:
        row = connection.execute(query).mappings().first()
        before, after = neighbours(connection, key)
        judged = "" if row is None else row[SAMPLES.c.verdict_key]
        found = suspected.under(connection, [judged])
    if row is None:
        raise UnreadableError(f"Sample {key.index} of this issue and solver is not drawn.")
    verdict = None
    if row["verdict_outcome"] is not None:
        fail_to_pass, pass_to_pass = json.loads(row["verdict_missing"])
        verdict = Verdict(
            outcome=row["verdict_outcome"],
            missing_fail_to_pass=tuple(fail_to_pass),
            missing_pass_to_pass=tuple(pass_to_pass),
            exit_code=row["verdict_exit_code"],
            note=row["verdict_note"],
            log=files.text(row["verdict_log"]),
            seconds=row["verdict_seconds"],
            suspicions=found.get(judged, ()),
        )
    proposal = Proposal(
        patch=files.text(row["patch"]),
        trajectory=_turns(files, row["trajectory"]),
        usage=usage_of(row),
        **{name: row[name] for name in _PROPOSAL},
    )
    drawn = {name: row[name] for name in _DRAWN} | {"sent": json.loads(row["sent"])}
    sample = Sample(key=key, proposal=proposal, **drawn)
    return Drawn(sample=sample, verdict=verdict, before=before, after=after)


def _turns(files: RunFiles, digest: str) -> tuple[Turn, ...]:
    try:
        return from_json(files.text(digest))
    except (ValueError, KeyError, TypeError):
        raise UnreadableError(f"{files.folder} holds a transcript of another form.") from None
