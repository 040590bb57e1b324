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
from sandbox.sandbox import SandboxError

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was found of one part."""

    state: str | None = None
    """A few words on what stands; None when it cannot be used."""
    why_not: str = ""
    """One sentence on why not, with what mends it."""
    is_missing: bool = False
    """It is just not there yet."""
    notes: Sequence[str] = ()
    """A sentence each on what it cannot do though it stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that a machine needs."""

    name: str
    purpose: str
    look: Callable[[], Found]
    mend: Callable[[Say], None]
    """Sets it up; raises SandboxError or BackendUnusableError."""


def parts(names: Sequence[str] = ()) -> list[Part]:
    """Return all parts, or those of `names`. Raises KeyError for a name that is none."""
    known = {part.name: part for part in _parts()}
    return [known[name] for name in names] if names else list(known.values())


def _parts() -> Iterator[Part]:
    from sandbox.bootstrap import ensure_base_image
    from sandbox.engine import install_and_start
    from tasks.base import BASE_IMAGE

    yield Part(
        name="engine",
        purpose="Docker Engine, where candidates are verified",
        look=_engine,
        mend=install_and_start,
    )
    yield Part(
        name="base-image",
        purpose=f"{BASE_IMAGE}, on which the images of the starter suite and of `fix` stand",
        look=_base_image,
        mend=lambda say: _quiet(asyncio.run(ensure_base_image(say))),
    )
    yield Part(
        name="server",
        purpose="vLLM, which serves local models",
        look=partial(_kept, "server", has_server_program),
        mend=lambda say: _quiet(ensure_server_program(_with_share(say))),
    )
    for model in MODELS:
        yield Part(
            name=model,
            purpose=f"the weights behind vllm:{model}",
            look=partial(_kept, model, partial(has_weights, model)),
            mend=partial(_fetch_weights, model),
        )


def _engine() -> Found:
    from sandbox.abilities import shortcomings
    from sandbox.bootstrap import base_image_state
    from sandbox.engine import engine_status
    from tasks.base import BASE_IMAGE

    status = engine_status()
    if status.version is None:
        return Found(why_not=status.why_not)
    notes = []
    if base_image_state() != "absent":
        try:
            notes = asyncio.run(shortcomings(BASE_IMAGE))
        except SandboxError as error:
            notes = [f"No sandbox can be opened: {error}"]
    name = "Podman " if status.is_podman else ""
    return Found(state=f"{name}{status.version}", notes=notes)


def _base_image() -> Found:
    from sandbox.bootstrap import base_image_state
    from tasks.base import BASE_IMAGE

    try:
        state = base_image_state()
    except SandboxError:
        return Found(why_not="It is kept in the engine, which cannot be used.")
    if state == "present":
        return Found(state=state)
    why = {
        "absent": f"The engine has no image {BASE_IMAGE}",
        "other": f"{BASE_IMAGE} was made by another version of ksolve or for other certificates",
    }[state]
    why += ": `ksolve doctor --mend --part base-image` makes it."
    return Found(why_not=why, is_missing=state == "absent")


def _kept(part: str, is_here: Callable[[], bool]) -> Found:
    try:
        if is_here():
            return Found(state="present")
    except OSError as error:
        return Found(
            why_not=f"{error.filename} cannot be looked at ({error.strerror}): give this user the "
            "right to, or set XDG_CACHE_HOME to a folder of its own."
        )
    return Found(
        is_missing=True,
        why_not="It is not here, and only needed for models that ksolve serves itself (vllm:...): "
        f"`ksolve doctor --mend --part {part}` fetches it.",
    )


def _fetch_weights(model: str, say: Say) -> None:
    ensure_weights(model, _with_share(say))


def _with_share(say: Say) -> Callable[[str, float | None], None]:
    """Turn "how far" into words."""

    def told(stage: str, share: float | None) -> None:
        say(stage if share is None else f"{stage} ({share:.0%})")

    return told


def _quiet(_: object) -> None:
    """Drop a result that nobody needs."""
