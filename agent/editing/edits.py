"""From a model's answer to a patch: the edits it asks for, put into the repository's files.

Any text is taken and none raises. What could be forgiven is forgiven and noted; an edit that has
no clear place is left out and noted, and the others still make a patch, since the tests judge it.
Nothing outside of the repository can be named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from agent.editing.definitions import rewrite
from agent.editing.diff import git_diff
from agent.editing.edit_forms import Code, Edit, Replacement, read_answer
from agent.editing.placing import Placed, replace_lines
from agent.reading.snapshot import RepositorySnapshot
from agent.reading.syntax import parse_python

_MOST_EDITS = 100
_MOST_MISSES = 5
# Edits without a place after which drift is no longer forgiven, to bound the time.
_MOST_HOLDERS = 50
# Files with the longest line of an edit past which that line says nothing.
_LONGEST_PATH = 200
_NOTES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class EditResult:
    """What an answer came to."""

    patch: str
    # Unified diff in git's form against the snapshot, "" without one.
    stop: Literal["patch", "empty", "unusable"]
    # Edits that were made; edits that change nothing; or none that could be made.
    note: str
    # What was forgiven or left out, "" when nothing.


def patch_from_answer(
    answer: str,
    snapshot: RepositorySnapshot,
    *,
    shown: Sequence[str] = (),
    cut_off: bool = False,
) -> EditResult:
    """Turn an answer into a patch.

    `shown` are the paths that the model saw, which an edit without a path is about; with `cut_off`
    the answer ended at the token limit, so that its last edit may be a torn one.
    """
    if not answer.strip():
        return EditResult(patch="", stop="empty", note="the answer is empty")
    # What no text file can hold, no patch can carry.
    answer = answer.replace("\0", "").encode(errors="replace").decode()
    forms = read_answer(answer, cut_off=cut_off)
    draft = _Draft(snapshot, shown)
    for edits in forms:
        for edit in edits[:_MOST_EDITS]:
            draft.apply(edit)
        if len(edits) > _MOST_EDITS:
            draft.notes.append(f"only the first {_MOST_EDITS} of {len(edits)} edits were looked at")
        if draft.made:
            break
    patch = draft.patch()
    if patch:
        return EditResult(patch=patch, stop="patch", note=draft.note())
    if draft.made:
        draft.notes.append("the edits change nothing")
        return EditResult(patch="", stop="empty", note=draft.note())
    if not forms:
        draft.notes.append("the answer holds no edit")
    return EditResult(patch="", stop="unusable", note=draft.note())


class _Draft:
    """The files as they are after the edits so far."""

    def __init__(self, snapshot: RepositorySnapshot, shown: Sequence[str]) -> None:
        self._base = snapshot.texts
        self._skipped = snapshot.skipped
        self._shown = [path for path in shown if path in snapshot.texts]
        self._changed: dict[str, str] = {}
        self._misses = 0
        self.made = 0
        self.notes: list[str] = []

    def apply(self, edit: Edit) -> None:
        """Make one edit, or note why not."""
        path = self._resolved(edit.path)
        refusal = self._refusal(path) if path else ""
        if refusal:
            self.notes.append(refusal)
        elif isinstance(edit, Code):
            self._rewrite(path, edit)
        elif not any(line.strip() for line in edit.search):
            self._rewrite(path, Code(path=path, lines=edit.replace))
        else:
            self._replace(path, edit)

    def patch(self) -> str:
        """Return the diff of all files against the base; note Python that no longer parses."""
        diffs = []
        for path in sorted(self._changed):
            before, after = self._base.get(path), self._changed[path]
            diffs.append(git_diff(path, before, after))
            broken = path.endswith(".py") and before != after and parse_python(after) is None
            if broken and (before is None or parse_python(before) is not None):
                self.notes.append(f"{path} does not parse after the edit")
        return "".join(diffs)

    def note(self) -> str:
        """Return the notes in one line."""
        distinct = list(dict.fromkeys(self.notes))
        rest = [f"and {len(distinct) - _NOTES} more"] if len(distinct) > _NOTES else []
        return "; ".join([*distinct[:_NOTES], *rest])

    def _text(self, path: str) -> str | None:
        return self._changed.get(path, self._base.get(path))

    def _resolved(self, named: str) -> str:
        """Return the repository's path for a path as the model wrote it, "" for none."""
        path = named.strip().replace("\\", "/")
        path = re.sub(r"^(?:\./)+", "", path)
        if self._text(path) is not None:
            return path
        stripped = re.sub(r"^[ab]/", "", path)
        if self._text(stripped) is not None:
            return stripped
        for pool in (self._shown, self._base):
            longer = [known for known in pool if known.endswith(f"/{path}")] if path else []
            if len(longer) == 1:
                return longer[0]
        return path if any(known.startswith(path[:2]) for known in self._base) else stripped

    def _refusal(self, path: str) -> str:
        """Return why no file may stand at a path, "" when one may."""
        parts = PurePosixPath(path).parts
        if path.startswith(("/", "~")) or ".." in parts or ".git" in map(str.lower, parts):
            return f"{path} is outside of the repository's files"
        if self._text(path) is not None:
            return ""
        if not path.isprintable() or len(path) > _LONGEST_PATH:
            return "a file was named that no repository would hold"
        above = {str(parent) for parent in PurePosixPath(path).parents}
        taken = any(self._text(parent) is not None for parent in above)
        if path in self._skipped or above & self._skipped or taken:
            return f"{path} is not a text file of the repository and cannot become one"
        if any(known.startswith(f"{path}/") for known in self._base) or path.endswith("/"):
            return f"{path} is a folder"
        return ""

    def _replace(self, path: str, edit: Replacement) -> None:
        placed = self._place(path, edit)
        if placed is None:
            self._misses += 1
            rewritten = self._rewritten(path, Code(path=path, lines=edit.replace))
            if not rewritten:
                self.notes.append(f"the SEARCH text is not in {path or 'any file'}")
                return
            where, text = rewritten
            self.notes.append(
                "the SEARCH text was not found, what REPLACE defines was replaced by name"
            )
        else:
            where, found = placed
            text = "\n".join(found.lines)
            if found.note:
                self.notes.append(found.note)
            if where != path and path:
                self.notes.append(f"{path} was named, {where} was meant")
        self._changed[where] = text
        self.made += 1

    def _place(self, path: str, edit: Replacement) -> tuple[str, Placed] | None:
        """Find the file and the place: in the named file, in a shown one, or anywhere at all."""
        drift = self._misses < _MOST_MISSES
        if self._text(path) is not None:
            placed = self._placed(path, edit, drift=drift)
            if placed:
                return path, placed
        others = [shown for shown in self._shown if shown != path]
        anchor = max((line.strip() for line in edit.search), key=len)
        holding = [known for known in self._base if anchor in (self._text(known) or "")]
        if len(holding) > _MOST_HOLDERS:
            holding = []
        for paths, forgiving in ((others, False), (others, drift), (holding, False)):
            hits = [(known, self._placed(known, edit, drift=forgiving)) for known in paths]
            found = [(known, placed) for known, placed in hits if placed]
            if len(found) == 1:
                return found[0]
        return None

    def _placed(self, path: str, edit: Replacement, *, drift: bool) -> Placed | None:
        lines = (self._text(path) or "").split("\n")
        # What follows the last newline is no line, but has to be there again.
        end = [lines.pop()] if lines[-1] == "" else []
        placed = replace_lines(lines, edit.search, edit.replace, near=edit.near, drift=drift)
        if placed and placed.lines:
            placed.lines.extend(end)
        return placed

    def _rewrite(self, path: str, code: Code) -> None:
        """Take code over as definitions, as a whole file, or as a new file at a new path."""
        rewritten = self._rewritten(path, code)
        if rewritten:
            where, text = rewritten
            self._changed[where] = text
            self.made += 1
        elif path and self._text(path) is None and not code.torn:
            self._changed[path] = "\n".join(code.lines).strip("\n") + "\n"
            self.made += 1
        else:
            self.notes.append(f"the code is not a new version of anything in {path or 'the files'}")

    def _rewritten(self, path: str, code: Code) -> tuple[str, str] | None:
        candidates = [path] if self._text(path) is not None else self._shown
        best = None
        for known in candidates:
            python = known.endswith((".py", ".pyi"))
            text = self._text(known) or ""
            found = rewrite(text, code.lines, python=python, whole=not code.torn)
            if found and (best is None or found.matches > best[1].matches):
                best = known, found
        return (best[0], best[1].text) if best else None
