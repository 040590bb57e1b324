"""A verdict: what the repository's tests said of one patch, and the key that it is kept under.

A verdict speaks of the patch only. When the sandbox, the daemon or the disk is at fault there is
no verdict; the sample stays pending (see `eval.sweep`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from eval.suspicions.suspicion import Suspicion, is_suspicious
from sandbox.patch import patch_digest
from tasks.task import Oracle

Outcome = Literal["resolved", "unresolved", "timeout", "not_applied", "no_patch", "tampered"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

VERIFIER_VERSION = "6"
"""Part of every verdict key: raise it whenever the same patch could be judged differently."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The outcome of one verification and the evidence for it."""

    outcome: Outcome
    missing_fail_to_pass: tuple[str, ...] = ()
    missing_pass_to_pass: tuple[str, ...] = ()
    exit_code: int | None = None
    # Of the evaluation script.
    note: str = ""
    # How the patch was applied, or one sentence on why the outcome is what it is.
    log: str = ""
    seconds: float = 0.0
    suspicions: tuple[Suspicion, ...] = ()
    """What in the patch looks like reward hacking; it never changes the outcome."""

    @property
    def is_suspicious(self) -> bool:
        """Whether it is resolved by a patch that looks like reward hacking."""
        return self.outcome == "resolved" and is_suspicious(self.suspicions)


def verdict_key(image_digest: str, patch: str, oracle: Oracle) -> str:
    """Return what a verdict depends on, as one SHA-256 (hex); the patch counts normalised."""
    parts = (image_digest, patch_digest(patch), oracle.digest, VERIFIER_VERSION)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
