"""From the records of a sweep to the rows of the tables in `eval.schema`, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import and_, bindparam

from agent.backend import USAGE, Usage
from agent.strategy import Proposal
from agent.trajectory import from_json, to_json
from eval.sample import Judged, Sample, SampleKey
from eval.schema import SAMPLES
from eval.suspicions.suspicion import Suspicion
from eval.verdict import Verdict
from sandbox.patch import patch_digest

KEY = tuple(field.name for field in dataclasses.fields(SampleKey))

THIS_SAMPLE = and_(*(SAMPLES.c[name] == bindparam(f"of_{name}") for name in KEY))
"""The condition that a row is of the sample that `parameters` name."""

SETTLE = SAMPLES.update().where(THIS_SAMPLE).values(verdict_key=bindparam("by"))
"""Gives a sample the verdict key `by`."""


def parameters(key: SampleKey) -> dict[str, Any]:
    """Return what `THIS_SAMPLE` is to be executed with."""
    return {f"of_{name}": getattr(key, name) for name in KEY}


def sample_row(sample: Sample, texts: dict[str, bytes]) -> dict[str, Any]:
    """Return the row of a sample, and put its large texts into `texts` by digest."""
    proposal = sample.proposal
    return {
        **{name: getattr(sample.key, name) for name in KEY},
        "patch": _put(proposal.patch, texts),
        "patch_digest": patch_digest(proposal.patch),
        "stop": proposal.stop,
        "note": proposal.note,
        "seed": sample.seed,
        "temperature": sample.temperature,
        "sent": json.dumps(dict(sample.sent), sort_keys=True),
        "strategy_version": sample.strategy_version,
        "variant": proposal.variant,
        "prompt_digest": proposal.prompt_digest,
        "trajectory": _put(to_json(proposal.trajectory), texts),
        **{f"usage_{name}": getattr(proposal.usage, name) for name in USAGE},
        "seconds": proposal.seconds,
        "cost": sample.cost,
    }


def sample_of(key: SampleKey, row: Mapping[str, Any], text: Callable[[str], str]) -> Sample:
    """Return the sample of a row; `text` gives a large text by its digest."""
    proposal = Proposal(
        patch=text(row["patch"]),
        trajectory=from_json(text(row["trajectory"])),
        usage=Usage(**{name: row[f"usage_{name}"] for name in USAGE}),
        **{name: row[name] for name in ("stop", "note", "seconds", "prompt_digest", "variant")},
    )
    drawn = ("strategy_version", "seed", "temperature", "cost")
    sent = json.loads(row["sent"])
    return Sample(key=key, proposal=proposal, sent=sent, **{name: row[name] for name in drawn})


def verdict_row(judged: Judged, texts: dict[str, bytes]) -> dict[str, Any]:
    """Return the row of a verdict, and put its log into `texts` by digest."""
    verdict = judged.verdict
    missing = [list(verdict.missing_fail_to_pass), list(verdict.missing_pass_to_pass)]
    return {
        "key": judged.verdict_key,
        "outcome": verdict.outcome,
        "missing": json.dumps(missing),
        "exit_code": verdict.exit_code,
        "note": verdict.note,
        "log": _put(verdict.log, texts),
        "seconds": verdict.seconds,
    }


def verdict_of(row: Mapping[str, Any], suspicions: tuple[Suspicion, ...] = ()) -> Verdict:
    """Return the verdict of a row, with what is suspicious and without its log."""
    missing_f2p, missing_p2p = json.loads(row["missing"])
    return Verdict(
        outcome=row["outcome"],
        missing_fail_to_pass=tuple(missing_f2p),
        missing_pass_to_pass=tuple(missing_p2p),
        exit_code=row["exit_code"],
        note=row["note"],
        seconds=row["seconds"],
        suspicions=suspicions,
    )


def _put(text: str, texts: dict[str, bytes]) -> str:
    # "surrogatepass": a model may answer with text that is not valid Unicode.
    data = text.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(data).hexdigest()
    texts[digest] = data
    return digest
