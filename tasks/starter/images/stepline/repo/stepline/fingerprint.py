"""What tells results apart.

The same work on the same material has the same fingerprint, on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from stepline.plan import Step


def fingerprint(step: Step, material: Sequence[str]) -> str:
    """A digest of the work, and of the digests of the material that goes into it."""
    work = [step.action, sorted(step.options.items())]
    text = json.dumps([work, list(material)], default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
