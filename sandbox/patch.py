"""Applying a patch in a sandbox, and telling patches apart.

The attempts, their order and what counts as applied are SWE-bench's (swebench 5.0.2,
`harness/run_evaluation.py`). Between attempts it cleans the whole tree, and takes build products
that no rule ignores with it; here the files that the patch names are put back, and no others.
Two things are promised that it does not promise: a three-way merge that ends in conflicts does
not spoil the attempts after it, and no patch writes into `.git`.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from sandbox.sandbox import Sandbox

_APPLY_SECONDS = 300.0
_LOG_CHARACTERS = 20_000
# Kept: a sample's record and the key of its verdict ask for the same, one after the other.
_DIGESTS = 64
# Characters of what is wrong with a patch that are told.
_LONGEST_REASON = 200

_APPLY = r"""
# Arguments: the last attempt to make; bytes of the list of named files; bytes of the list of what
# attempts leave beside them. Standard input: both lists (each name ends with NUL), the patch.
# Exit status 0 means that it was applied, and the last line that starts with "$ " says how.
exec 2>&1
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
cat > "$scratch/input" || exit
named=$scratch/named leavings=$scratch/leavings patch=$scratch/patch
head -c "$2" "$scratch/input" > "$named"
tail -c "+$(($2 + $3 + 1))" "$scratch/input" > "$patch" || exit
export GIT_LITERAL_PATHSPECS=1

keep() {
    xargs -0 -r sh -c '
        for path do
            if [ -f "$path" ] || [ -L "$path" ]; then printf "%s\0" "$path"; fi
            folder=${path%/*}
            if [ -d "$folder" ] && [ ! -L "$folder" ]; then printf "%s\0" "$folder" >&3; fi
        done
    ' sh < "$1" > "$1.there" 3> "$1.folders"
    tar --null --no-recursion -cf "$1.tar" -T "$1.there" -T "$1.folders"
}

put_back() {
    xargs -0 -r rm -f -- < "$1"
    xargs -0 -r dirname -z -- < "$1" | xargs -0 -r rmdir -p 2> /dev/null
    tar -xf "$1.tar"
}

# What `git checkout -- . ; git clean -fd` makes of the named files.
make_pristine() {
    # Else a three-way merge takes what was put back for something that was changed.
    git update-index -q --refresh > /dev/null
    git checkout-index -f -u -q -z --stdin < "$named"
    xargs -0 -r git ls-files -z --others --exclude-standard -- < "$named.there" |
        xargs -0 -r rm -f --
}

attempt() {
    echo "\$ $*"
    "$@" "$patch"
}

keep "$named" || exit
# Nearly always the only one, so that it has nothing to wait for.
attempt git apply --verbose && exit

tail -c "+$(($2 + 1))" "$scratch/input" | head -c "$3" > "$leavings"
keep "$leavings" || exit
index=$(git rev-parse --git-path index 2> /dev/null) && cp -p "$index" "$scratch/index" || index=
for number in $(seq 2 "$1"); do
    put_back "$leavings"
    put_back "$named"
    [ -z "$index" ] || make_pristine
    case $number in
        2) attempt git apply --verbose --3way ;;
        3) attempt git apply --verbose --reject ;;
        4) attempt patch --batch --forward --no-backup-if-mismatch --fuzz=5 -p1 -i ;;
    esac
    status=$?
    # A three-way merge stages what it merged; the others do not, and nobody expects it.
    [ -z "$index" ] || cp -p "$scratch/index" "$index"
    [ $status -ne 0 ] || exit 0
done
# `patch` fails where a part is in the tree already, and yet applies the rest.
attempt git apply --check --reverse
status=$?
put_back "$leavings"
[ $status -ne 0 ] || exit 0
put_back "$named"
exit 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedPatch:
    """What became of a patch."""

    # When False, the tree is as it was before.
    ok: bool
    # The command that applied it, "" when none did.
    how: str
    # The last `_LOG_CHARACTERS` of what the attempts printed.
    log: str


async def apply_patch(sandbox: Sandbox, patch: str, workdir: PurePosixPath) -> AppliedPatch:
    """Apply a patch to the work tree, which need not be clean. Raises SandboxError.

    What was there already counts as applied when the whole patch then is. From the second attempt
    on, files that the patch names start as the index has them: a change of theirs that is not
    committed is lost, and so is an untracked file that the patch creates.
    """
    script, arguments, data = await asyncio.to_thread(apply_command, patch)
    result = await sandbox.exec(
        ["sh", "-c", script, "sh", *arguments], stdin=data, cwd=workdir, timeout=_APPLY_SECONDS
    )
    log = (result.stdout + result.stderr).decode("utf-8", "replace")
    if result.killed_for:
        log += f"\nended by its {result.killed_for} limit\n"
    return applied(result.exit_code == 0, log)


class MalformedPatchError(ValueError):
    """A text is no unified diff. The message says why, in a clause without its full stop."""


def apply_command(patch: str) -> tuple[str, list[str], bytes]:
    """Return what `apply_patch` runs: a script for `sh -c`, its arguments and standard input.

    It ends with 0 when the patch was applied; what it prints is for `applied` to read. Takes time
    in proportion to the patch: call it in a thread for one that may be large.
    """
    data = patch_bytes(patch)
    paths = _paths(_text(data))
    named = _listed(paths)
    leavings = _listed(f"{path}{end}" for path in paths for end in (".rej", ".orig"))
    attempts = 3 if _is_devious(paths) else 4
    sizes = [str(attempts), str(len(named)), str(len(leavings))]
    return _APPLY, sizes, named + leavings + data


def applied(ok: bool, log: str) -> AppliedPatch:  # noqa: FBT001 - an exit status, in short
    """Read what the script of `apply_command` printed."""
    tried = [line[2:] for line in log.splitlines() if line.startswith("$ ")]
    return AppliedPatch(ok=ok, how=tried[-1] if ok and tried else "", log=log[-_LOG_CHARACTERS:])


def patch_bytes(text: str) -> bytes:
    """Return what is applied of a patch: UTF-8, and bytes that are no text as they are.

    Halves of characters, which no file can hold, become question marks.
    """
    return _HALF.sub("?", text).encode("utf-8", "surrogateescape")


def read_patch(text: str) -> PatchSet:
    """Return the files and hunks of a unified diff. Raises MalformedPatchError.

    Takes time in proportion to the text, whatever it is.
    """
    # One pattern of unidiff's takes time by the square of such a line.
    if _ENDLESS.search(text):
        raise MalformedPatchError("a line that begins with `Binary file` does not end as one")
    try:
        return PatchSet(text)
    except (UnidiffParseError, ValueError) as error:
        # It may repeat any line of the patch. Among the values are numbers of very many digits.
        words = " ".join(str(error)[: 2 * _LONGEST_REASON].split())
        reason = words.encode("utf-8", "backslashreplace").decode()
        raise MalformedPatchError(reason[:_LONGEST_REASON]) from None


def check_patch(text: str) -> str | None:
    """Return one sentence on why a text is not a unified diff, None when it is one."""
    if not text.strip():
        return "The patch is empty."
    try:
        files = read_patch(text)
    except MalformedPatchError as error:
        return f"The patch is malformed: {error}."
    return None if files else "The patch names no file: it has no `---` and `+++` lines."


@functools.lru_cache(maxsize=_DIGESTS)
def patch_digest(text: str) -> str:
    """Return the SHA-256 (hex) of a patch as `normalise_patch` leaves it.

    Patches of one digest do the same to any tree.
    """
    return hashlib.sha256(patch_bytes(normalise_patch(text))).hexdigest()


def normalise_patch(text: str) -> str:
    """Drop what no attempt of `apply_patch` looks at, so that equal patches become equal texts.

    That is the time behind a file name, the words behind the second `@@`, the way a count of 1
    is written, and a mail's signature at the end. `index` lines stay: a three-way merge looks its
    base up by them. A text that is not plainly a diff is returned as it is applied, and so is one
    whose last line has no end: `git apply` refuses it, and `patch` does not.
    """
    text = _text(patch_bytes(text))
    lines = text.split("\n")
    if lines.pop():
        return text
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.startswith("@@ -"):
            kept.append(_TIME.sub(r"\1", line))
            if line.endswith("\r"):
                # How `patch` reads the hunks then depends on it.
                return text
            continue
        header = _HUNK.fullmatch(line)
        if header is None:
            return text
        old, olds, new, news = header.group("old", "olds", "new", "news")
        end = _end_of_body(lines, at, int(olds or 1), int(news or 1))
        if end is None:
            return text
        kept.append(f"@@ -{old},{olds or 1} +{new},{news or 1} @@")
        kept += lines[at:end]
        at = end
        if _is_signature(lines, at):
            break
    return "".join([f"{line}\n" for line in kept])


# What is escaped is a byte, all others are halves of characters.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
# More digits than git counts lines with are none of a plain diff.
_HUNK = re.compile(
    r"@@ -(?P<old>[0-9]{1,18})(,(?P<olds>[0-9]{1,18}))?"
    r" \+(?P<new>[0-9]{1,18})(,(?P<news>[0-9]{1,18}))? @@( [^\r]*)?"
)
_TIME = re.compile(
    # About 1970 it is kept: there it tells that a file is new or deleted.
    r"^((?:---|\+\+\+) [^\t]*\t)(?!19[67])[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+( [-+][0-9]{4})?$"
)
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_ENDLESS = re.compile(
    r"^Binary files? (?=.{200})(?![^\t\n]* (?:differ|has changed)$)", re.MULTILINE
)


def _end_of_body(lines: Sequence[str], start: int, old: int, new: int) -> int | None:
    """Return where a hunk ends that starts there, None when its lines do not fit its counts."""
    for at in range(start, len(lines)):
        if old == new == 0:
            return at
        mark = lines[at][:1]
        if old < 0 or new < 0 or mark not in ("", " ", "-", "+", "\\"):
            return None
        old -= mark in ("", " ", "-")
        new -= mark in ("", " ", "+")
    return len(lines) if old == new == 0 else None


def _is_signature(lines: Sequence[str], at: int) -> bool:
    """Whether nothing follows but blank lines, or what `git format-patch` ends with."""
    if at + 1 < len(lines) and lines[at] == "-- " and _VERSION.match(lines[at + 1]):
        at += 2
    return all(not lines[rest] for rest in range(at, len(lines)))


def _paths(patch: str) -> list[str]:
    """Return the files that a patch may touch, and perhaps some that it does not."""
    found: dict[str, None] = {}
    for start, rest in _NAMING.findall(patch):
        names = rest.rstrip("\r")
        # Only a change without hunks (of a mode, of an empty file) is named by this alone, and
        # then both names are the same.
        half = names[: len(names) // 2] if start == "diff --git " else names
        name = half.split("\t")[0]
        # `patch` ends a name at a blank where a time may follow.
        for end in dict.fromkeys((name, name.split(" ")[0])):
            parts = re.sub("/+", "/", _unquoted(end)).split("/")[_NAMED[start] :]
            path = "/".join(part for part in parts if part != ".")
            if path and ".." not in parts and "\0" not in path:
                found[f"./{path}"] = None
    return list(found)


def _is_devious(paths: Iterable[str]) -> bool:
    """Whether `patch` might write into `.git`, by name or by a link that the patch makes first.

    `git apply` refuses to do either.
    """
    split = [[part for part in path.split("/") if part] for path in paths]
    if any(".git" in map(str.lower, parts) for parts in split):
        return True
    tree: _Tree = {}
    # What is above a file comes before it.
    for parts in sorted(split, key=len):
        folder = tree
        for part in parts:
            if _FILE in folder:
                return True
            folder = folder.setdefault(part, {})
        folder[_FILE] = {}
    return False


_Tree = dict[str, "_Tree"]
# The mark of a file in a tree of folders: no part of a path is empty.
_FILE = ""

_NAMED = {
    "--- ": 1,
    "+++ ": 1,
    "*** ": 1,
    "Index: ": 1,
    "diff --git ": 1,
    "rename from ": 0,
    "rename to ": 0,
    "copy from ": 0,
    "copy to ": 0,
}
_NAMING = re.compile(f"^({'|'.join(map(re.escape, _NAMED))})(.*)", re.MULTILINE)

_ESCAPED = re.compile(rb'\\([abfnrtv"\\]|[0-3][0-7]{2})?')
_MEANT = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))


def _unquoted(name: str) -> str:
    """Undo git's quoting of a name with odd characters; one that it would not undo stays."""
    if len(name) < len('""') or not (name.startswith('"') and name.endswith('"')):
        return name
    quoted = patch_bytes(name[1:-1])
    if any(not escape for escape in _ESCAPED.findall(quoted)):
        return name
    return _text(_ESCAPED.sub(_unescaped, quoted))


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code, 8) if code.isdigit() else _MEANT[code[0]]])


def _listed(names: Iterable[str]) -> bytes:
    return b"".join(patch_bytes(name) + b"\0" for name in names)


def _text(data: bytes) -> str:
    """Return the one text that stands for these bytes."""
    return data.decode("utf-8", "surrogateescape")
