"""One sample for the eyes: who said and did what, the patch, the verdict and why.

All that a model, a test or a file wrote is indented and made harmless: it is never read as markup
and no terminal acts on it. Long texts are folded unless asked for whole.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.syntax import Syntax
from rich.text import Text

from agent.backend import ToolCall, Usage
from agent.trajectory import Turn
from eval.cost import money
from eval.sample import Sample
from eval.trajectories import arguments_of, is_drawn, is_observation
from eval.verdict import Verdict
from ksolve.screen import harmless
from ksolve.sentences import must_still_pass

FOLDED = 16
"""Lines of a prompt or an observation that are shown; half of them are its end."""

ANSWER, PATCH, LOG = 120, 240, 20
"""Lines of a model's own text, of a patch, and of the end of a log of tests."""

WIDEST = 2_000
"""Characters of one line."""

_NAMES = 12
# Characters of the left column of the head.
_WHOLE = 10**9
_BLOCK = 200
# Lines.
_Kind = Literal["plain", "mark", "search", "replace", "diff", "fold"]
_Line = tuple[_Kind, str]
_STYLES: dict[_Kind, str] = {
    "plain": "",
    "mark": "dim",
    "search": "red",
    "replace": "green",
    "fold": "dim italic",
}
_DIFF = Syntax("", "diff", theme="ansi_dark", background_color="default")
_OPENS_SEARCH = re.compile(r"\s*<{5,}\s*(?:SEARCH|ORIGINAL|HEAD)\b")
_OPENS_REPLACE = re.compile(r"\s*={5,}\s*$")
_ENDS_REPLACE = re.compile(r"\s*>{5,}")
_OPENS_DIFF = re.compile(r"diff --git |--- (?:a/|/dev/null)")
_OF_A_DIFF = re.compile(
    r"[ +@\\-]|$|diff |index |new file|deleted file|old mode|new mode|similarity |rename |Binary "
    r"|GIT binary|literal |delta "
)
_ROLES = {
    "system": "bold yellow",
    "user": "bold blue",
    "assistant": "bold green",
    "tool": "bold magenta",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcript:
    """A sample, printed by `rich` in the width and the colours that its console has."""

    sample: Sample
    verdict: Verdict | None
    place: str = ""
    # Which of how many samples it is, in words.
    drawn_by: str = ""
    # The strategy of a solver that is called otherwise.
    full: bool = False
    # Fold nothing.
    whole_log: bool = False
    # The log of the tests from its beginning.

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._head()
        for number, turn in enumerate(self.sample.proposal.trajectory, start=1):
            yield from self._turn(number, turn)
        yield _heading("patch", "bold cyan")
        patch = self.sample.proposal.patch
        yield self._body(patch, PATCH) if patch.strip() else _aside("There is none.")
        yield from self._judgement()

    def _head(self) -> Iterator[RenderableType]:
        sample, proposal = self.sample, self.sample.proposal
        key = sample.key
        variant = f', prompt "{proposal.variant}"' if proposal.variant else ""
        seed = "none" if sample.seed is None else sample.seed
        # What was sent, where that is known: not every model takes what is asked for.
        sent = ", ".join(f"{name} {value}" for name, value in sample.sent.items())
        judged = f", {self.verdict.seconds:.1f} to verify" if self.verdict else ""
        place = f" ({self.place})" if self.place else ""
        strategy = key.strategy
        if self.drawn_by not in {"", strategy}:
            strategy = f"{self.drawn_by}, called {strategy}"
        facts = {
            "sample": f"{key.task_id}/{key.index}{place}",
            "model": key.model,
            "strategy": f"{strategy} (version {sample.strategy_version}{variant})",
            "asked for": f"temperature {sample.temperature:g}, seed {seed}",
            "sent": sent or "not recorded",
            "ended by": proposal.stop + (f": {proposal.note}" if proposal.note else ""),
            "outcome": self.verdict.outcome if self.verdict else "its verdict is pending",
            "cost": money(sample.cost) + _of_bill(proposal.usage),
            "tokens": _tokens(proposal.usage),
            "seconds": f"{proposal.seconds:.1f} to draw{judged}",
        }
        for name, value in facts.items():
            style = _outcome_style(self.verdict) if name == "outcome" else ""
            prefix = Text(f"{name:<{_NAMES}}", style="dim")
            yield _Hanging(prefix=prefix, texts=[Text(harmless(value), style=style)])

    def _turn(self, number: int, turn: Turn) -> Iterator[RenderableType]:
        message = turn.message
        facts = [turn.source]
        if message.role == "assistant":
            facts.append(_tokens(turn.usage) if is_drawn(turn) else "an example")
        if is_observation(turn):
            facts.append("ended" if turn.exit_code is None else f"exit code {turn.exit_code}")
            if message.role == "tool" and turn.exit_code is None and not turn.seconds:
                facts.pop()  # Of a tool that runs nothing.
            facts += [f"answers {message.tool_call_id}"] if message.tool_call_id else []
        if turn.seconds:
            facts.append(f"{turn.seconds:.1f} s")
        role = "observation" if is_observation(turn) else message.role
        yield _heading(f"{number} {role}", _ROLES[message.role], *facts)
        most = ANSWER if is_drawn(turn) else FOLDED
        if message.thinking:
            yield _aside("It thinks:")
            yield self._body(message.thinking, FOLDED, indent=2)
        content = turn.whole if self.full and turn.whole else message.content
        if content.strip():
            yield self._body(content, most)
        elif not message.tool_calls:
            yield _aside("(nothing)")
        if turn.whole and not self.full:
            yield _aside("The model was shown it shortened; --full shows it whole.")
        for call in message.tool_calls:
            yield from self._call(call)

    def _call(self, call: ToolCall) -> Iterator[RenderableType]:
        called = Text.assemble(
            (one_line(call.name), "bold magenta"), (f" {one_line(call.id)}", "dim")
        )
        yield _Hanging(prefix=Text("  "), texts=[called])
        arguments = arguments_of(call)
        if arguments is None:
            yield self._body(call.arguments, FOLDED, indent=4)
            return
        for field, value in arguments.items():
            text = value if isinstance(value, str) else repr(value)
            title = Text(f"{one_line(field)}: ", style="dim")
            if "\n" in text.strip("\n") or title.cell_len > _NAMES:
                yield _Hanging(prefix=Text("    "), texts=[title])
                yield self._body(text, ANSWER, indent=6)
            else:
                yield self._body(text, ANSWER, prefix=Text.assemble("    ", title))

    def _judgement(self) -> Iterator[RenderableType]:
        verdict = self.verdict
        if verdict is None:
            yield _heading("verdict", "bold cyan", "pending")
            return
        code = "" if verdict.exit_code is None else f"exit code {verdict.exit_code}"
        yield _heading("verdict", "bold cyan", verdict.outcome, code)
        if verdict.note:
            yield _Hanging(prefix=Text("  "), texts=[Text(harmless(verdict.note))])
        if verdict.suspicions:
            count = f"{len(verdict.suspicions):,} in the patch, for a person to judge"
            yield _heading("suspicions", "bold yellow", count)
        for one in verdict.suspicions:
            weak = "" if one.is_strong else " (weak)"
            yield _Hanging(prefix=Text("  "), texts=[Text(harmless(f"{one}{weak}"))])
            if one.code:
                yield self._body(one_line(one.code), FOLDED, indent=4)
        for names, title in (
            (verdict.missing_fail_to_pass, "FAIL_TO_PASS: should pass now, and do not"),
            (verdict.missing_pass_to_pass, must_still_pass(self.sample.key)),
        ):
            if names:
                said = Text(f"{len(names):,} of {title}", style="red")
                yield _Hanging(prefix=Text("  "), texts=[said])
                yield self._body("\n".join(map(one_line, names)), FOLDED, indent=4)
        if verdict.log.strip():
            log = verdict.log.rstrip("\n").split("\n")
            shown = log if self.whole_log or self.full else log[-LOG:]
            which = "all of it" if len(shown) == len(log) else "its end; --log shows the whole"
            yield _heading("log of the tests", "bold cyan", which)
            yield self._body("\n".join(shown), _WHOLE)

    def _body(
        self, text: str, most: int, *, indent: int = 2, prefix: Text | None = None
    ) -> RenderableType:
        lines = list(_kinds(harmless(text).strip("\n").split("\n")))
        if not self.full:
            lines = [_narrowed(line) for line in _folded(lines, most)]
        return _Hanging(prefix=prefix or Text(" " * indent), texts=_coloured(lines))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hanging:
    """A text, wrapped, whose further lines stand under its first; nothing is padded."""

    prefix: Text
    texts: Iterable[Text]
    # Each begins on a line of its own.

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self.prefix.cell_len, 8)
        prefix = self.prefix
        for text in self.texts:
            for line in text.wrap(console, width, overflow="fold"):
                line.rstrip()
                yield Text.assemble(prefix, line) if line else Text()
                prefix = Text(" " * self.prefix.cell_len)


def one_line(name: str) -> str:
    """Return a name, which another program gave, harmless and without line breaks."""
    return " ".join(harmless(name).split())


def _kinds(lines: Sequence[str]) -> Iterator[_Line]:
    """Tell for every line what it belongs to."""
    kind: _Kind = "plain"
    fenced = False
    for line in lines:
        if kind == "plain" and _OPENS_SEARCH.match(line):
            kind = "search"
            yield "mark", line
        elif kind == "search" and _OPENS_REPLACE.match(line):
            kind = "replace"
            yield "mark", line
        elif kind in {"search", "replace"} and _ENDS_REPLACE.match(line):
            kind = "plain"
            yield "mark", line
        elif kind == "plain" and line.strip() in {"```diff", "```patch"}:
            kind, fenced = "diff", True
            yield "mark", line
        elif kind == "diff" and line.startswith("```"):
            kind, fenced = "plain", False
            yield "mark", line
        else:
            if kind == "plain" and _OPENS_DIFF.match(line):
                kind = "diff"
            elif kind == "diff" and not fenced and not _OF_A_DIFF.match(line):
                kind = "plain"
            yield kind, line


def _folded(lines: list[_Line], most: int) -> list[_Line]:
    if len(lines) <= most + 1:
        return lines
    head, tail = most - most // 2, most // 2
    gone = f"... {len(lines) - most:,} lines; --full shows them ..."
    return [*lines[:head], ("fold", gone), *lines[-tail:]]


def _narrowed(line: _Line) -> _Line:
    kind, text = line
    if len(text) <= WIDEST:
        return line
    return kind, f"{text[:WIDEST]} ... {len(text) - WIDEST:,} characters more"


def _coloured(lines: Sequence[_Line]) -> Iterator[Text]:
    """Yield the lines in blocks, since `rich` is slow with long texts of many colours."""
    for kind, group in itertools.groupby(lines, key=lambda line: line[0]):
        while some := list(itertools.islice(group, _BLOCK)):
            block = "\n".join(line for _, line in some)
            yield _highlighted(block) if kind == "diff" else Text(block, style=_STYLES[kind])


def _highlighted(diff: str) -> Text:
    text = _DIFF.highlight(diff)
    text.right_crop(len(text) - len(text.plain.removesuffix("\n")))
    return text


def _heading(title: str, style: str, *facts: str) -> RenderableType:
    told = ", ".join(one_line(fact) for fact in facts if fact)
    return _Above(text=Text.assemble((title, style), (f"  {told}" if told else "", "dim")))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Above:
    """A heading: the only thing that begins in the first column, under an empty line."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text()
        yield _Hanging(prefix=Text("# ", style="dim"), texts=[self.text])


def _aside(sentence: str) -> RenderableType:
    return _Hanging(prefix=Text("  "), texts=[Text(sentence, style="dim italic")])


def _of_bill(usage: Usage) -> str:
    """Say what of a cost is the provider's own bill, and what the price list says of that."""
    if not usage.billed_calls:
        return ""
    listed = f", {money(usage.billed_at_list)} by the price list" if usage.billed_at_list else ""
    return f" ({money(usage.billed)} billed by the provider itself{listed})"


def _tokens(usage: Usage) -> str:
    cached = (
        f" ({usage.cached_tokens / usage.input_tokens:.0%} cached)" if usage.input_tokens else ""
    )
    reasoning = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
    requests = f", {usage.calls:,} requests" if usage.calls > 1 else ""
    return f"{usage.input_tokens:,}{cached} in, {usage.output_tokens:,}{reasoning} out{requests}"


def _outcome_style(verdict: Verdict | None) -> str:
    if verdict is None:
        return "yellow"
    return "bold green" if verdict.outcome == "resolved" else "bold red"
