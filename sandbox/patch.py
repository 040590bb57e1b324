"""Applying a patch in a sandbox, and telling patches apart.

The attempts, their order and what counts as applied are SWE-bench's (swebench 5.0.2,
`harness/run_evaluation.py`). Between attempts it cleans the whole tree, and takes build products
that no rule ignores with it; here the files that the patch names are put back, and no others.
Two things are promised that it does not promise: a three-way merge that ends in conflicts does
not spoil the attempts after it, and no patch writes into `.git`.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from sandbox.sandbox import Sandbox

_APPLY_SECONDS = 300.0
_LOG_CHARACTERS = 20_000
_DIGESTS = 64
# Kept: a sample's record and the key of its verdict ask for the same, one after the other.

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

    ok: bool
    # When False, the tree is as it was before.
    how: str
    # The command that applied it, "" when none did.
    log: str
    # The last `_LOG_CHARACTERS` of what the attempts printed.


async def apply_patch(sandbox: Sandbox, patch: str, workdir: PurePosixPath) -> AppliedPatch:
    """Apply a patch to the work tree, which need not be clean. Raises SandboxError.

    What was there already counts as applied when the whole patch then is. From the second attempt
    on, files that the patch names start as the index has them: a change of theirs that is not
    committed is lost, and so is an untracked file that the patch creates.
    """
    script, arguments, data = apply_command(patch)
    result = await sandbox.exec(
        ["sh", "-c", script, "sh", *arguments], stdin=data, cwd=workdir, timeout=_APPLY_SECONDS
    )
    log = (result.stdout + result.stderr).decode("utf-8", "replace")
    if result.killed_for:
        log += f"\nended by its {result.killed_for} limit\n"
    return applied(result.exit_code == 0, log)


def apply_command(patch: str) -> tuple[str, list[str], bytes]:
    """Return what `apply_patch` runs: a script for `sh -c`, its arguments and standard input.

    It ends with 0 when the patch was applied; what it prints is for `applied` to read.
    """
    paths = _paths(patch)
    named = _listed(paths)
    leavings = _listed(f"{path}{end}" for path in paths for end in (".rej", ".orig"))
    attempts = 3 if _is_devious(paths) else 4
    sizes = [str(attempts), str(len(named)), str(len(leavings))]
    return _APPLY, sizes, named + leavings + _bytes(patch)


def applied(ok: bool, log: str) -> AppliedPatch:  # noqa: FBT001 - an exit status, in short
    """Read what the script of `apply_command` printed."""
    tried = [line[2:] for line in log.splitlines() if line.startswith("$ ")]
    return AppliedPatch(ok=ok, how=tried[-1] if ok and tried else "", log=log[-_LOG_CHARACTERS:])


def check_patch(text: str) -> str | None:
    """Return one sentence on why a text is not a unified diff, None when it is one."""
    if not text.strip():
        return "The patch is empty."
    try:
        files = PatchSet(text)
    except UnidiffParseError as error:
        return f"The patch is malformed: {' '.join(str(error).split())}."
    return None if files else "The patch names no file: it has no `---` and `+++` lines."


@functools.lru_cache(maxsize=_DIGESTS)
def patch_digest(text: str) -> str:
    """Return the SHA-256 (hex) of a patch as `normalise_patch` leaves it."""
    return hashlib.sha256(_bytes(normalise_patch(text))).hexdigest()


def normalise_patch(text: str) -> str:
    """Drop what no attempt of `apply_patch` looks at, so that equal patches become equal texts.

    That is the time behind a file name, the words behind the second `@@`, the way a count of 1
    is written, and a mail's signature at the end. `index` lines stay: a three-way merge looks its
    base up by them. A text that is not plainly a diff is returned as it is.
    """
    lines = text.split("\n")
    kept: list[str] = []
    rest = 0
    while rest < len(lines):
        line = lines[rest]
        rest += 1
        if not line.startswith("@@ -"):
            kept.append(_TIME.sub(r"\1", line))
            if line.endswith("\r"):
                return text  # how `patch` reads the hunks then depends on it
            continue
        header = _HUNK.fullmatch(line)
        if header is None:
            return text
        old, olds, new, news = (
            header["old"],
            header["olds"] or 1,
            header["new"],
            header["news"] or 1,
        )
        length = _body_length(lines[rest:], int(olds), int(news))
        if length is None:
            return text
        kept.append(f"@@ -{old},{olds} +{new},{news} @@")
        kept += lines[rest : rest + length]
        rest += length
        if _is_signature(lines[rest:]):
            return "\n".join([*kept, ""])
    return "\n".join(kept)


_HUNK = re.compile(
    r"@@ -(?P<old>\d+)(,(?P<olds>\d+))? \+(?P<new>\d+)(,(?P<news>\d+))? @@( [^\r]*)?"
)
_TIME = re.compile(
    # About 1970 it is kept: there it tells that a file is new or deleted.
    r"^((?:---|\+\+\+) [^\t]*\t)(?!19[67])\d{4}-\d\d-\d\d [\d:.]+( [-+]\d{4})?$"
)


def _body_length(lines: list[str], old: int, new: int) -> int | None:
    """Return how many lines a hunk has, None when they do not fit its counts."""
    for position, line in enumerate(lines):
        if old == new == 0:
            return position
        if old < 0 or new < 0 or line[:1] not in ("", " ", "-", "+", "\\"):
            return None
        old -= line[:1] in ("", " ", "-")
        new -= line[:1] in ("", " ", "+")
    return None


def _is_signature(lines: list[str]) -> bool:
    """Whether nothing follows but blank lines, or what `git format-patch` ends with."""
    if lines[:1] == ["-- "] and re.match(r"\d+\.\d+", "".join(lines[1:2])):
        lines = lines[2:]
    return not any(lines)


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
    known = set(paths)
    if len(known) == 1:
        return any(".git" in path.lower().split("/") for path in known)
    return any(
        ".git" in path.lower().split("/")
        or any(f"./{parent}" in known for parent in PurePosixPath(path).parents)
        for path in known
    )


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


def _unquoted(name: str) -> str:
    """Undo git's quoting of a name with odd characters."""
    if not (name.startswith('"') and name.endswith('"')):
        return name
    try:
        plain = name[1:-1].encode().decode("unicode_escape").encode("latin-1")
    except UnicodeError:
        return name
    return plain.decode("utf-8", "replace")


def _listed(names: Iterable[str]) -> bytes:
    return b"".join(_bytes(name) + b"\0" for name in names)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
