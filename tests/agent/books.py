"""A provider on loopback that keeps books: what it bills in US dollars, for whom and for what.

It answers in every form in which providers tell what a request used and costs, whole and as event
streams, and it fails as they fail: before it has worked, while it does, and behind a client that
has gone. What it generates is billed, whether anybody reads it or not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.agent.loopback import Asked, Reply, completion, error

MILLION = 1_000_000
# Seconds, until the server closes.
HELD = 3_600.0
# Letters of a token, as this provider counts.
LETTERS = 4

Part = Literal["cached", "written", "thought"]
# Of the usage in a stream: a chunk of its own without choices, that of the end, one more with a
# choice that has no end, the choice of the last, Groq's own field, or every chunk, cumulative.
Place = Literal["last", "finish", "after", "choice", "groq", "every"]
# Answer whole or as a stream; fail without work; or work, and be cut off: in the middle of a
# whole answer, before, in and after the text of a stream; or end a stream in good order, but in
# its text or before it tells what it used; or never end, in silence or in the middle of a stream;
# or tell an error in the middle of a stream.
Act = Literal[
    "whole", "stream", "500", "429", "reset", "torn", "cut early", "cut", "cut late", "end early",
    "end late", "hold", "hold stream", "error late",
]  # fmt: skip
# Of these the client is told what they used.
TOLD: frozenset[Act] = frozenset({"whole", "stream"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What one request used, as the provider knows it."""

    prompt: int
    # Part of the prompt, and so is what was written.
    cached: int = 0
    written: int = 0
    said: int
    # Beside what was said.
    thought: int = 0

    @property
    def output(self) -> int:
        """All that was generated."""
        return self.said + self.thought


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """US dollars for a million tokens."""

    input: float = 1.0
    cached: float = 0.1
    written: float = 1.25
    output: float = 4.0

    def dollars(self, used: Used) -> float:
        """Return what a request costs by the token."""
        plain = used.prompt - used.cached - used.written
        return (
            plain * self.input
            + used.cached * self.cached
            + used.written * self.written
            + used.output * self.output
        ) / MILLION


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How a provider tells what a request used, and what it bills."""

    name: str
    # Of what was used and what is billed, in dollars.
    usage: Callable[[Used, float], dict[str, Any]]
    # What it has: nothing else is billed apart.
    parts: frozenset[Part] = frozenset({"cached", "thought"})
    place: Place = "last"
    # What it bills itself, as a part of what the tokens cost; None where it tells no bill.
    markup: float | None = None
    # Of a whole answer that tells the bill, and then the usage of a stream does.
    header: str = ""
    # Fields of the message that tell the bill.
    message: Callable[[float], dict[str, Any]] = lambda _: {}
    # Fields of the answer that tell the bill.
    body: Callable[[float], dict[str, Any]] = lambda _: {}

    def of(self, used: Used) -> Used:
        """Return what was used as far as this provider has it."""
        return Used(
            prompt=used.prompt,
            said=used.said,
            cached=used.cached if "cached" in self.parts else 0,
            written=used.written if "written" in self.parts else 0,
            thought=used.thought if "thought" in self.parts else 0,
        )

    def bill(self, used: Used, rates: Rates) -> float:
        """Return the dollars that this provider bills."""
        return round(rates.dollars(used) * (1.0 if self.markup is None else self.markup), 10)


def three(prompt: int, output: int, total: int | None = None) -> dict[str, Any]:
    """Return the three counts that all have."""
    total = prompt + output if total is None else total
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total}


def _cached(used: Used, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0, **more}}


def _thought(used: Used) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": used.thought, "audio_tokens": 0}}


def _inside(used: Used, **more: Any) -> dict[str, Any]:
    return {**three(used.prompt, used.output), **_cached(used), **_thought(used), **more}


def _beside(used: Used, **more: Any) -> dict[str, Any]:
    total = used.prompt + used.output
    counts = three(used.prompt, used.said, total)
    return {**counts, **_cached(used), **_thought(used), **more}


def _apart(used: Used, total: int | None = None) -> dict[str, Any]:
    """Return counts whose prompt is without what the cache had or took."""
    fresh = used.prompt - used.cached - used.written
    return {
        **three(fresh, used.output, total),
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": used.written,
    }


ALL: frozenset[Part] = frozenset({"cached", "written", "thought"})
THOUGHT: frozenset[Part] = frozenset({"thought"})
KEPT: frozenset[Part] = frozenset({"cached", "written"})

FORMS: tuple[Form, ...] = (
    Form(name="openai", usage=lambda used, _: _inside(used)),
    Form(
        name="three counts",
        usage=lambda used, _: three(used.prompt, used.output),
        parts=THOUGHT,
        place="finish",
    ),
    Form(name="thinking beside", usage=lambda used, _: _beside(used)),
    Form(
        name="thinking beside, and ticks",
        usage=lambda used, bill: _beside(used, cost_in_usd_ticks=round(bill * 1e10)),
        markup=0.93,
    ),
    Form(
        name="thinking only in the total",
        usage=lambda used, _: three(used.prompt, used.said, used.prompt + used.output),
        parts=THOUGHT,
        place="finish",
    ),
    Form(
        name="thinking beside, and no total",
        usage=lambda used, _: {
            name: count for name, count in _beside(used).items() if name != "total_tokens"
        },
    ),
    Form(
        name="thinking beside, and in no total",
        usage=lambda used, _: three(used.prompt, used.said) | {"reasoning_tokens": used.thought},
        parts=THOUGHT,
    ),
    Form(
        name="hits and misses",
        usage=lambda used, _: _inside(
            used,
            prompt_cache_hit_tokens=used.cached,
            prompt_cache_miss_tokens=used.prompt - used.cached,
        ),
        place="finish",
    ),
    Form(
        name="cached at the top, in the choice",
        usage=lambda used, _: {
            **three(used.prompt, used.output),
            **_thought(used),
            "cached_tokens": used.cached,
        },
        place="choice",
    ),
    Form(
        name="groq",
        usage=lambda used, _: _inside(used, queue_time=0.17, total_time=0.05),
        place="groq",
    ),
    Form(
        name="a cost in parts, cumulative",
        usage=lambda used, bill: {
            **three(used.prompt, used.output),
            "search_context_size": "low",
            "cost": {"input_tokens_cost": 0.0, "request_cost": bill / 2, "total_cost": bill},
        },
        parts=THOUGHT,
        place="every",
        markup=2.5,
    ),
    Form(
        name="a cost, after the end",
        usage=lambda used, bill: {
            **_inside(used),
            **_cached(used, cache_write_tokens=used.written),
            "cost": bill,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": bill},
        },
        parts=ALL,
        place="after",
        markup=1.055,
    ),
    Form(
        name="a cost and no upstream",
        usage=lambda used, bill: _inside(
            used, cost=bill, cost_details={"upstream_inference_cost": None}
        ),
        place="after",
        markup=0.5,
    ),
    Form(
        name="a fee, and the upstream's own bill",
        usage=lambda used, bill: _inside(
            used,
            cost=bill * 0.05,
            is_byok=True,
            cost_details={"upstream_inference_cost": bill * 0.95},
        ),
        place="last",
        markup=1.05,
    ),
    Form(
        name="a header, or a cost in the stream",
        usage=lambda used, _: _inside(used),
        markup=1.2,
        header="x-litellm-response-cost",
    ),
    Form(
        name="caches repeated at the top",
        usage=lambda used, _: {
            **three(used.prompt, used.output),
            **_cached(used, cache_creation_tokens=used.written, text_tokens=None),
            "cache_creation_input_tokens": used.written,
            "cache_read_input_tokens": used.cached,
        },
        parts=KEPT,
    ),
    Form(
        name="caches beside the prompt",
        usage=lambda used, _: _apart(used),
        parts=KEPT,
    ),
    Form(
        name="caches beside the prompt, and in the total",
        usage=lambda used, _: _apart(used, used.prompt + used.output),
        parts=KEPT,
    ),
    Form(
        name="input and output, caches beside",
        usage=lambda used, _: {
            "input_tokens": used.prompt - used.cached - used.written,
            "output_tokens": used.output,
            "cache_read_input_tokens": used.cached,
            "cache_creation_input_tokens": used.written,
            "cache_creation": {"ephemeral_5m_input_tokens": used.written},
            "output_tokens_details": {"thinking_tokens": used.thought},
        },
        parts=ALL,
    ),
    Form(
        name="input and output, caches inside",
        usage=lambda used, _: {
            "input_tokens": used.prompt,
            "input_tokens_details": {
                "cached_tokens": used.cached,
                "cache_write_tokens": used.written,
            },
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": used.thought},
            "total_tokens": used.prompt + used.output,
        },
        parts=ALL,
    ),
    Form(
        name="an estimated cost",
        usage=lambda used, bill: {
            **three(used.prompt, used.output),
            "prompt_tokens_details": None,
            "estimated_cost": bill,
        },
        parts=THOUGHT,
        markup=0.8,
    ),
    Form(
        name="a gateway's cost as text",
        usage=lambda used, bill: _inside(used, market_cost=2 * bill),
        markup=0.5,
        message=lambda bill: {
            "provider_metadata": {
                "gateway": {"cost": f"{bill:.10f}", "marketCost": f"{2 * bill:.10f}"}
            }
        },
    ),
    Form(
        name="a cost of the whole answer",
        usage=lambda used, _: _inside(used),
        markup=1.1,
        body=lambda bill: {"cost": f"{bill:.10f}"},
    ),
    Form(
        name="thinking at the top, details null",
        usage=lambda used, _: {
            **three(used.prompt, used.output),
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
            "reasoning_tokens": used.thought,
        },
        parts=THOUGHT,
        place="last",
    ),
    Form(
        name="cached at the top, cumulative",
        usage=lambda used, _: three(used.prompt, used.output) | {"cached_tokens": used.cached},
        place="every",
    ),
    Form(
        name="written in the details",
        usage=lambda used, _: {
            **_inside(used),
            **_cached(
                used,
                cache_creation_input_tokens=used.written,
                cache_creation={"ephemeral_5m_input_tokens": used.written},
            ),
        },
        parts=ALL,
    ),
    Form(
        name="written under another name, and a cost",
        usage=lambda used, bill: {
            **_inside(used),
            **_cached(used, caching_tokens=used.written),
            "cost": bill,
        },
        parts=ALL,
        markup=1.05,
    ),
    Form(
        name="cached told as none in one place",
        usage=lambda used, _: {
            **three(used.prompt, used.output),
            **_thought(used),
            "prompt_tokens_details": {"cached_tokens": 0},
            "cached_tokens": used.cached,
        },
    ),
    Form(
        name="numbers as text",
        usage=lambda used, _: {
            name: str(count) for name, count in three(used.prompt, used.output).items()
        },
        parts=THOUGHT,
    ),
    Form(
        name="credits that are no dollars",
        usage=lambda used, _: _inside(used, credit=7.5, estimated_cost_rub=1.25),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One request in the books."""

    act: Act
    form: str
    dollars: float
    # What the tokens cost by the rates.
    listed: float
    used: Used


@dataclass(kw_only=True)
class Books:
    """Who answers in turn, in turn by `acts` and `forms`, and books what that is billed."""

    # The last two are gone on with in turn, when all are through.
    acts: Sequence[Act] = ("whole", "stream")
    forms: Sequence[Form] = FORMS
    rates: Rates = field(default_factory=Rates)
    text: Callable[[Asked], str] = lambda _: "done"
    # Tokens, by the number of the request.
    thought: Callable[[int], int] = lambda number: 60 + 37 * number % 101
    # What a 429 asks for.
    wait: str = "0"
    entries: list[Entry] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self._acts: Iterator[Act] = itertools.chain(self.acts, itertools.cycle(self.acts[-2:]))
        # Each twice in a row: whole, and as a stream.
        self._forms = (form for form in itertools.cycle(self.forms) for _ in range(2))

    def go_on(self, *acts: Act) -> None:
        """Take up these acts from now on."""
        self.acts = acts
        self._acts = itertools.chain(acts, itertools.cycle(acts[-2:]))

    @property
    def dollars(self) -> float:
        """All that was billed."""
        return sum(entry.dollars for entry in self.entries)

    @property
    def listed(self) -> float:
        """What the same costs by the price list."""
        return sum(entry.listed for entry in self.entries)

    @property
    def untold(self) -> list[Entry]:
        """What was billed without a word of it to the client."""
        return [entry for entry in self.entries if entry.act not in TOLD]

    def held(self) -> int:
        """How many were never brought to an end."""
        return sum(entry.act.startswith("hold") for entry in self.entries)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        self.asked += 1
        act = next(self._acts)
        if act == "500":
            return Reply(status=500, body=error("The server had an error"))
        if act == "429":
            wait = {"Retry-After": self.wait}
            return Reply(status=429, body=error("Rate limit reached", 429), headers=wait)
        form = next(self._forms)
        text = self.text(asked)
        used = form.of(self._used(asked, text))
        bill = form.bill(used, self.rates)
        listed = self.rates.dollars(used)
        self.entries.append(Entry(act=act, form=form.name, dollars=bill, listed=listed, used=used))
        return replied(act, form, used, bill, text)

    def _used(self, asked: Asked, text: str) -> Used:
        """Count as a tokenizer does, about, and have most of a prompt in the cache."""
        prompt = max(len(json.dumps(asked.body.get("messages") or "")) // LETTERS, 10)
        cached = prompt * 6 // 10
        return Used(
            prompt=prompt,
            cached=cached,
            written=prompt // 10,
            said=len(text) // LETTERS + 1,
            thought=self.thought(self.asked),
        )


def replied(act: Act, form: Form, used: Used, bill: float, text: str) -> Reply:
    """Return how an answer comes, or does not."""
    if act == "reset":
        return Reply(reset=True)
    if act == "hold":
        return Reply(delay=HELD)
    if act in {"whole", "torn"}:
        usage = form.usage(used, bill)
        body = completion(text, usage=usage, **form.message(bill)) | form.body(bill)
        headers = {form.header: f"{bill:.10f}"} if form.header else {}
        return Reply(body=body, headers=headers, cut=act == "torn")
    return _streamed(act, stream(form, used, bill, text), form.usage(used, bill))


def _streamed(act: Act, pieces: Sequence[bytes], usage: Mapping[str, Any]) -> Reply:
    """Return a stream, or as much of it as comes."""
    headers = {"Content-Type": "text/event-stream"}
    # The end of the text may come without what it used.
    ended = next(i for i, piece in enumerate(pieces, start=1) if b'"stop"' in piece)
    upto = {"cut early": 1, "cut": 3, "end early": 3, "hold stream": 3}
    upto |= {"cut late": ended, "end late": ended}
    if act == "error late":
        told = error("upstream broke", 502) | {"usage": usage}
        return Reply(pieces=[*pieces[:3], _event(told), DONE], headers=headers)
    return Reply(
        pieces=pieces[: upto.get(act)],
        headers=headers,
        cut=act.startswith("cut"),
        endless=b": keep-alive\n\n" if act == "hold stream" else None,
    )


DONE = b"data: [DONE]\n\n"


def stream(form: Form, used: Used, bill: float, text: str, parts: int = 4) -> list[bytes]:
    """Return the events of a stream, whose usage is where the form has it."""
    if form.header:
        # The headers of a stream leave before the bill is known.
        plain = form.usage
        form = Form(
            name=form.name,
            usage=lambda used, bill: plain(used, bill) | {"cost": bill},
            markup=form.markup,
        )
    whole = form.usage(used, bill)
    size = max(-(-len(text) // parts), 1)
    texts = [text[start : start + size] for start in range(0, len(text), size)]
    events: list[bytes] = []
    if form.place == "groq":
        events.append(_chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}))
    else:
        events.append(_chunk({"role": "assistant", "content": ""}, **_so_far(form, used, bill, 0)))
    for number, part in enumerate(texts, start=1):
        share = min(number / len(texts), 0.9)
        events.append(_chunk({"content": part}, **_so_far(form, used, bill, share)))
    last = {**form.message(bill)}
    match form.place:
        case "finish" | "every":
            events.append(_chunk(last, "stop", usage=whole, **form.body(bill)))
        case "choice":
            events.append(_chunk(last, "stop", choice={"usage": whole}, **form.body(bill)))
        case "groq":
            told = {"id": "req_1", "usage": whole}
            events.append(_chunk(last, "stop", x_groq=told, **form.body(bill)))
        case "after":
            events.append(_chunk(last, "stop"))
            events.append(
                _chunk({"role": "assistant", "content": ""}, usage=whole, **form.body(bill))
            )
        case _:
            events.append(_chunk(last, "stop", usage=None))
            empty = {"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": whole}
            events.append(_event(empty | form.body(bill)))
    return [*events, DONE]


def _so_far(form: Form, used: Used, bill: float, share: float) -> dict[str, Any]:
    """Return what a chunk tells of the usage by now."""
    if form.place != "every":
        return {"usage": None} if form.place == "last" else {}
    now = Used(
        prompt=used.prompt,
        cached=used.cached,
        written=used.written,
        said=max(int(used.said * share), 1),
        thought=int(used.thought * share),
    )
    return {"usage": form.usage(now, bill * share)}


def _chunk(
    delta: Mapping[str, Any],
    finish: str | None = None,
    *,
    choice: Mapping[str, Any] | None = None,
    **more: Any,
) -> bytes:
    whole = {"index": 0, "delta": delta, "finish_reason": finish, **(choice or {})}
    return _event({"id": "x", "object": "chat.completion.chunk", "choices": [whole], **more})


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
