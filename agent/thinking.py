"""The split of a model's text into what it thought and what it answered.

Most endpoints send the thinking in a field of its own. Where none does, it stands in the text in
marks that differ by family. Marks count only where a thought can be: at the beginning, or, where
the opening mark was part of the prompt, outside of code and quotes. An answer that is about such
marks is left as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = r"think|thinking|thought|thoughts|reasoning|reason|analysis|seed:think"
# Opening and closing marks, for one thought at the beginning.
_PAIRS = (
    (re.compile(rf"<({_NAMES})>", re.IGNORECASE), "</{}>"),
    (re.compile(r"\[(THINK)\]"), "[/{}]"),
    (re.compile("◁(think)▷"), "◁/{}▷"),
    (re.compile(r"<\|(channel)>\s*thought\b"), "<{}|>"),
    (re.compile(r"<\|(START_THINKING)\|>"), "<|END_THINKING|>"),
)
# A closing mark whose opening one was in the prompt; in quotes it is what a text is about.
_CLOSED = re.compile(
    rf"(?<![`'\"])(?:</(?:{_NAMES})>|\[/THINK\]|◁/think▷)(?![`'\"])", re.IGNORECASE
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_WHOLE_FENCE = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"^\s*<{5,}", re.MULTILINE)
_END_OF_EDIT = re.compile(r"^\s*>{5,}", re.MULTILINE)
_DIFF = re.compile(r"diff --git |--- a/")
_OF_DIFF = re.compile(r"[-+ @\\]|diff |index |(?:new|old|deleted) ")

# Harmony: <|channel|>NAME[ to=RECIPIENT]...<|message|>BODY, up to the next mark of its kind.
_HARMONY = re.compile(
    r"(?:<\|start\|>(?P<speaker>[^<]*))?<\|channel\|>(?P<channel>\w+)(?P<head>[^<]*)"
    r"(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<body>.*?)"
    r"(?=<\|(?:end|call|return|start|channel)\|>|\Z)",
    re.DOTALL,
)
# Harmony stands at the beginning, or behind a preamble that has no code in it.
_BEGINS_HARMONY = re.compile(
    r"[^`<\"']*(?:<\|start\|>[^<]*)?<\|channel\|>\w+[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
)
_RECIPIENT = re.compile(r"\bto=(?:functions\.)?([\w.-]+)")
# The same where the server has dropped the marks and left the words.
_BARE_HARMONY = re.compile(
    r"\A\s*analysis(?P<thought>.*?)assistant(?:final|commentary)(?P<answer>.*)\Z", re.DOTALL
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A text in its parts."""

    thinking: str
    answer: str
    calls: tuple[tuple[str, str], ...] = ()
    """(tool, arguments) of calls that stood in the text as harmony writes them."""


def split_thinking(text: str) -> Said:
    """Return what a text thinks and what it answers; a thought without an end is all of it."""
    if _BEGINS_HARMONY.match(text):
        return _harmony(text)
    begun = text.lstrip()
    for opening, closing in _PAIRS:
        if opened := opening.match(begun):
            mark = closing.format(opened[1])
            end = begun.lower().find(mark.lower(), opened.end())
            if end < 0:
                return Said(thinking=begun[opened.end() :].strip(), answer="")
            rest = split_thinking(begun[end + len(mark) :])
            thought = begun[opened.end() : end].strip()
            return Said(thinking=_joined(thought, rest.thinking), answer=rest.answer)
    if bare := _BARE_HARMONY.match(text):
        return Said(thinking=bare["thought"].strip(), answer=bare["answer"].strip())
    closed = _last_outside_code(text)
    if closed is not None:
        return Said(
            thinking=text[: closed.start()].strip(), answer=text[closed.end() :].lstrip("\n")
        )
    return Said(thinking="", answer=text)


def _harmony(text: str) -> Said:
    thoughts: list[str] = []
    answers: list[str] = [text[: text.index("<|")].strip()]
    calls: list[tuple[str, str]] = []
    for part in _HARMONY.finditer(text):
        body = part["body"].strip()
        head = f"{part['speaker'] or ''} {part['head']}"
        if recipient := _RECIPIENT.search(head):
            calls.append((recipient[1], body))
        elif part["channel"] == "analysis":
            thoughts.append(body)
        else:
            answers.append(body)
    return Said(
        thinking="\n\n".join(filter(None, thoughts)),
        answer="\n\n".join(filter(None, answers)),
        calls=tuple(calls),
    )


def _last_outside_code(text: str) -> re.Match[str] | None:
    """Return the last closing mark that is no part of a fence or an edit of the answer."""
    found = None
    for mark in _CLOSED.finditer(text):
        before = text[: mark.start()]
        # Drafts in a thought are whole, so an open fence or edit says that the mark is in code.
        if len(_FENCE.findall(before)) % 2 == 0 and not _is_in_edit(before):
            found = mark
    return found


def _is_in_edit(before: str) -> bool:
    """Whether a text ends within an edit: one of two halves, or a diff whose lines go on."""
    text = _WHOLE_FENCE.sub("", before)
    begun = [edit.start() for edit in _EDIT.finditer(text)]
    if begun and not _END_OF_EDIT.search(text, begun[-1]):
        return True
    # What the mark stands in is the last line, of which only the beginning is here.
    lines = text.split("\n")
    diffs = [number for number, line in enumerate(lines) if _DIFF.match(line)]
    return bool(diffs) and all(_OF_DIFF.match(line) for line in lines[diffs[-1] :])


def _joined(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))
