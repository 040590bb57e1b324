"""What ksolve needs of a machine, part by part: what stands, and how to set up what does not.

Parts are set up in the order given here, since later ones need earlier ones. Nothing is set up
twice: each part is looked at first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from agent.local.server_env import ensure_server_program, has_server_program
from agent.local.weights import MODELS, ensure_weights, has_weights

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that a machine needs."""

    name: str
    purpose: str
    look: Callable[[], str | None]
    # What stands, as a few words; None when it is missing.
    mend: Callable[[Say], None]
    # Sets it up; raises SandboxError or BackendUnusableError.


def parts(names: Sequence[str] = ()) -> list[Part]:
    """Return all parts, or those of `names`. Raises KeyError for a name that is none."""
    known = {part.name: part for part in _parts()}
    return [known[name] for name in names] if names else list(known.values())


def _parts() -> Iterator[Part]:
    from sandbox.bootstrap import ensure_base_image, has_base_image
    from sandbox.engine import engine_status, install_and_start
    from tasks.base import BASE_IMAGE

    yield Part(
        name="engine",
        purpose="Docker Engine, where candidates are verified",
        look=lambda: engine_status().version,
        mend=install_and_start,
    )
    yield Part(
        name="base-image",
        purpose=f"{BASE_IMAGE}, on which the images of the starter suite and of `fix` stand",
        look=lambda: "present" if has_base_image() else None,
        mend=lambda say: _quiet(asyncio.run(ensure_base_image(say))),
    )
    yield Part(
        name="server",
        purpose="vLLM, which serves local models",
        look=lambda: "present" if has_server_program() else None,
        mend=lambda say: _quiet(ensure_server_program(_with_share(say))),
    )
    for model in MODELS:
        yield Part(
            name=model,
            purpose=f"the weights behind vllm:{model}",
            look=partial(_weights, model),
            mend=partial(_fetch_weights, model),
        )


def _weights(model: str) -> str | None:
    return "present" if has_weights(model) else None


def _fetch_weights(model: str, say: Say) -> None:
    ensure_weights(model, _with_share(say))


def _with_share(say: Say) -> Callable[[str, float | None], None]:
    """Turn "how far" into words."""

    def told(stage: str, share: float | None) -> None:
        say(stage if share is None else f"{stage} ({share:.0%})")

    return told


def _quiet(_: object) -> None:
    """Drop a result that nobody needs."""
