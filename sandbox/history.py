"""What a repository in a sandbox knows beyond its base commit, found and removed.

HEAD, its ancestors and the index stay, whatever they hold: images of SWE-bench have a commit of
their own on top of the base. Releases older than the base stay, too. All else is a leak: other
commits (also older ones, for a fix may be), refs and reflogs that lead there, later tags, objects
that nothing leads to. What is not promised: submodules, other repositories in the image, reflogs
of the reftable form (the objects that they lead to are found), and files outside of git's folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from sandbox.sandbox import ExecResult, Sandbox, SandboxError

_DEADLINE = 600.0
_GIT_ENV = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    # Else what HEAD leads to depends on refs that are not its own.
    "GIT_NO_REPLACE_OBJECTS": "1",
    # There is nobody to ask for what a partial clone lacks.
    "GIT_NO_LAZY_FETCH": "1",
}
_PRELUDE = r"""
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
# Whoever owns the repository, it is read; older versions of git take this from a file only.
unset GIT_CONFIG_GLOBAL XDG_CONFIG_HOME
export HOME="$scratch"
printf '[safe]\n\tdirectory = *\n' > "$HOME/.gitconfig"
"""

# The argument is the base commit. Leaves in $scratch: `kept`, the ids that HEAD, the index and
# older releases lead to; `all`, those that there are; `outside`, the difference. Everything is
# compared in the sandbox, since the ids of a large repository are tens of megabytes.
OUTSIDE = r"""
head=$(git rev-parse -q --verify 'HEAD^{commit}') || head=
base=$(git rev-parse -q --verify "$1^{commit}") || base=
limit=0
[ -z "$base$head" ] || limit=$(git rev-list -1 --timestamp "${base:-$head}" | cut -d' ' -f1)
git for-each-ref --format="%(objectname)|%(objecttype)|%(taggerdate:unix)|%(*objecttype)|\
%(*committerdate:unix)|%(committerdate:unix)|%(refname)" > "$scratch/refs" || exit
[ -z "$head" ] || echo "$head" > "$scratch/roots"
while IFS='|' read -r id type tagged target target_date date name; do
    if [ "$type" = commit ]; then target=commit target_date=$date; fi
    case $name in
        refs/tags/*)
            if [ "$target" = commit ] && [ "${tagged:-0}" -le "$limit" ] \
                && [ "$target_date" -le "$limit" ]; then
                echo "$id" >> "$scratch/roots"
            else
                echo "tag $id $name"
            fi ;;
        *) echo "ref $id $name" ;;
    esac
done < "$scratch/refs" > "$scratch/told"
if [ -s "$scratch/roots" ]; then
    git rev-list --objects --indexed-objects --missing=allow-any --stdin \
        < "$scratch/roots" > "$scratch/named" || exit
    cut -d' ' -f1 "$scratch/named" | sort -u > "$scratch/kept"
else
    git ls-files -s | cut -d' ' -f2 | sort -u > "$scratch/kept"
fi
rm -f "$scratch/named"
git cat-file --batch-all-objects --batch-check='%(objectname)' > "$scratch/all" || exit
comm -13 "$scratch/kept" "$scratch/all" > "$scratch/outside" || exit
"""

_SWEEP = r"""
if [ "$(git rev-parse --is-inside-work-tree)" = true ]; then
    git clean -xdfq -- '*__pycache__/*' '*.pytest_cache/*' '*.mypy_cache/*' '*.hypothesis/*' \
        '*.orig' '*.rej' || exit
fi
"""

_REPOSITORY = r"""
command -v git > /dev/null || { echo end; exit; }
git=$(git rev-parse --absolute-git-dir 2> "$scratch/why") || {
    grep -q '^fatal: not a git repository' "$scratch/why" && { echo end; exit; }
    cat "$scratch/why" >&2
    exit 3
}
"""

# Prints a record a line, its kind first.
_TELL = r"""
common=$(cd "$(git rev-parse --git-common-dir)" && pwd) || exit
objects=$(cd "$(git rev-parse --git-path objects)" && pwd) || exit
if [ -n "$base" ] && [ -n "$head" ]; then
    git merge-base --is-ancestor "$base" "$head" && stems=yes || stems=no
    echo "base $limit $(git rev-list --count "$base..$head") $stems"
fi
named() {
    sort -u | while read -r id; do echo "$1 $id $2"; done
}
look() {
    cd "$1" || return
    for file in [A-Z]*; do
        [ ! -f "$file" ] || [ "$file" = HEAD ] \
            || grep -aoE '[0-9a-f]{40,}' "$file" | named file "$1/$file"
    done
    [ ! -d logs ] || find logs -type f | while read -r file; do
        cut -d' ' -f1,2 "$file" | tr ' ' '\n' | named log "$1/$file"
    done
}
(look "$git") >> "$scratch/told"
[ "$git" = "$common" ] || (look "$common") >> "$scratch/told"
cat "$scratch/told"
cut -d' ' -f2 "$scratch/told" | sort -u | comm -23 - "$scratch/kept" > "$scratch/strange"
sed 's/^/strange /' "$scratch/strange"
comm -23 "$scratch/strange" "$scratch/all" | sed 's/^/gone /'
for name in rebase-merge rebase-apply sequencer lost-found; do
    [ ! -e "$git/$name" ] || echo "rest $git/$name"
done
[ "$git" != "$common" ] || [ ! -e "$git/worktrees" ] || echo "rest $git/worktrees"
find "$objects" -type f -name 'tmp_*' | sed 's/^/rest /'
git cat-file --batch-check='%(objecttype) %(objectname)' \
    < "$scratch/outside" > "$scratch/typed" || exit
cut -d' ' -f1 "$scratch/typed" | sort | uniq -c | while read -r number type; do
    echo "count $number $type $(grep -m 1 "^$type " "$scratch/typed" | cut -d' ' -f2)"
done
sed -n 's/^commit //p' "$scratch/typed" > "$scratch/commits"
if [ -s "$scratch/commits" ]; then
    git rev-list --no-walk=sorted --stdin --format='dated %ct %s' \
        < "$scratch/commits" > "$scratch/dated" || exit
    head -n 2 "$scratch/dated"
    sed -n 's/^dated \([0-9]*\) .*/date \1/p' "$scratch/dated"
fi
echo end
"""

# The first argument says whether objects are to go; the others are files and folders that are.
# Standard input is for `git update-ref`. What is kept goes into one new pack, and then all else
# goes: unlike `git gc` this spares nothing for being recent, marked or named by something odd.
_REMOVE = r"""
git update-ref --no-deref -z --stdin || exit
drop=$1
shift
rm -rf -- "$@" || exit
[ -n "$drop" ] || exit 0
common=$(cd "$(git rev-parse --git-common-dir)" && pwd) || exit
objects=$(cd "$(git rev-parse --git-path objects)" && pwd) || exit
{
    git rev-parse -q --verify 'HEAD^{commit}'
    git for-each-ref --format='%(objectname)'
} | sort -u > "$scratch/roots"
partial=$(find "$objects/pack" -name '*.promisor') || exit
pack=$(
    git -c pack.packSizeLimit=0 pack-objects -q --revs --indexed-objects --missing=allow-any \
        --non-empty --delta-base-offset --window=0 "$objects/pack/pack" < "$scratch/roots"
) || exit
find "$objects/pack" -mindepth 1 -maxdepth 1 ! -name "pack-$pack.*" -exec rm -rf {} + || exit
find "$objects" -mindepth 1 -maxdepth 1 -name '[0-9a-f][0-9a-f]' -exec rm -rf {} + || exit
cd "$objects/info" 2> /dev/null \
    && rm -rf commit-graph commit-graphs alternates http-alternates packs
rm -f "$common/info/refs"
[ -z "$partial" ] || : > "$objects/pack/pack-$pack.promisor"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """One thing that a solver must not see."""

    kind: str
    # "ref", "tag", "reflog", "file", "commit", "object" or "head" here; `eval.audit` has more.
    where: str
    # A ref, a path or an object's id.
    sentence: str
    # For a person, without a full stop.


async def find_leaks(
    sandbox: Sandbox, *, workdir: PurePosixPath, base_commit: str
) -> tuple[Leak, ...]:
    """Return what the repository in `workdir` knows beyond its base commit; changes nothing.

    Without git there is nothing to know. A base commit that the repository does not have (a
    rewritten history) sets no date: HEAD's is taken. Raises SandboxError.
    """
    return (await _report(sandbox, workdir, base_commit)).leaks()


async def remove_leaks(
    sandbox: Sandbox, *, workdir: PurePosixPath, base_commit: str
) -> tuple[Leak, ...]:
    """Remove what `find_leaks` finds, and return it.

    HEAD with its history, the index and the files stay as they are, but for untracked caches of
    Python's tools and what `patch` leaves behind, which may be of a later version and which
    nobody needs. A HEAD that is not at the base cannot be mended and stays. Where there is
    nothing to remove, this is one command. Raises SandboxError, also when something is left.
    """
    report = await _report(sandbox, workdir, base_commit, first=_SWEEP)
    leaks = tuple(leak for leak in report.leaks() if leak.kind != "head")
    if not leaks:
        return ()
    refs = "".join(f"delete {name}\0\0" for name in (*report.tags, *report.leaking("ref")))
    drop = "objects" if report.counts else ""
    paths = [*report.leaking("file"), *report.leaking("log"), *report.rests]
    await run_git(
        sandbox, _REMOVE, drop, *paths, workdir=workdir, stdin=refs.encode(errors="surrogateescape")
    )
    rest = (await _report(sandbox, workdir, base_commit)).leaks()
    if left := [leak.sentence for leak in rest if leak.kind != "head"]:
        raise SandboxError(f"{workdir} could not be made clean: {'; '.join(left)}.")
    return leaks


async def run_git(
    sandbox: Sandbox, script: str, *arguments: str, workdir: PurePosixPath, stdin: bytes = b""
) -> bytes:
    """Run a shell script in a repository, whoever owns it, and return what it prints.

    `$scratch` is a folder of its own. Raises SandboxError when it fails or is cut off.
    """
    result = await sandbox.exec(
        ["sh", "-c", _PRELUDE + script, "sh", *arguments],
        timeout=_DEADLINE,
        stdin=stdin,
        cwd=workdir,
        env=_GIT_ENV,
    )
    if result.exit_code != 0 or result.truncated:
        raise SandboxError(f"git did not do its work in {workdir}: {_complaint(result)}.")
    return result.stdout


def shown(name: str) -> str:
    """Return a name as a terminal can print it, whatever bytes it is of."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Report:
    """What `_TELL` printed."""

    base_date: int | None
    # Seconds since 1970; None when the repository lacks the base commit.
    ahead: int
    # Commits that HEAD has and the base has not.
    stems: bool
    # Whether HEAD descends from the base.
    tags: tuple[str, ...]
    # Names of those that are not kept.
    named: Mapping[str, Mapping[str, set[str]]]
    # Kind ("ref", "log", "file") to name or path to the ids that stand there.
    strange: frozenset[str]
    # Those of all ids so named that are not kept.
    gone: frozenset[str]
    # Those of them that are ids of nothing.
    rests: tuple[str, ...]
    # Paths of what should not be there at all.
    counts: Mapping[str, tuple[int, str]]
    # How many objects are outside, and the id of one, by type.
    dates: tuple[int, ...]
    # Of the commits outside, the newest first.
    newest: tuple[str, str]
    # Id and subject of the newest of them.

    def leaking(self, kind: str) -> list[str]:
        """Return what names something outside.

        A reflog's messages tell of commits that are gone, too; a mere id of nothing tells nothing.
        """
        # An id of zeros stands for "nothing before".
        telling = {id_ for id_ in self.strange if id_.strip("0")}
        telling -= self.gone if kind == "file" else set()
        return [name for name, ids in self.named.get(kind, {}).items() if ids & telling]

    def leaks(self) -> tuple[Leak, ...]:
        outside = "outside the history of HEAD"
        found = [
            *(("tag", name, "is no release from before the base commit") for name in self.tags),
            *(("ref", name, f"leads {outside}") for name in self.leaking("ref")),
            *(("reflog", path, f"names commits {outside}") for path in self.leaking("log")),
            *(("file", path, f"names commits {outside}") for path in self.leaking("file")),
            *(("file", path, "is left from unfinished work") for path in self.rests),
        ]
        named = (
            Leak(kind=kind, where=shown(where), sentence=f"{shown(where)} {what}")
            for kind, where, what in found
        )
        return (*self._of_head(), *named, *self._of_objects())

    def _of_head(self) -> Iterable[Leak]:
        if not self.stems:
            sentence = "HEAD does not descend from the base commit"
        elif self.ahead > 1:
            sentence = f"HEAD is {self.ahead} commits past the base commit"
        else:
            return
        yield Leak(kind="head", where="HEAD", sentence=sentence)

    def _of_objects(self) -> Iterable[Leak]:
        if self.dates:
            id_, subject = self.newest
            limit = self.base_date
            newer = [date for date in self.dates if limit is not None and date > limit]
            yield Leak(
                kind="commit",
                where=id_,
                sentence=f"{_number(len(self.dates), 'commit')} outside the history of HEAD,"
                f" {len(newer):,} of them newer than the base commit;"
                f" the last is {id_[:12]} of {_day(self.dates[0])}, {subject[:72]!r}",
            )
        others = [type_ for type_ in ("tag", "tree", "blob") if type_ in self.counts]
        if others:
            what = ", ".join(_number(self.counts[type_][0], type_) for type_ in others)
            id_ = self.counts[others[-1]][1]
            yield Leak(
                kind="object",
                where=id_,
                sentence=f"{what} outside the history of HEAD, such as {id_[:12]}",
            )


async def _report(
    sandbox: Sandbox, workdir: PurePosixPath, base_commit: str, *, first: str = ""
) -> _Report:
    script = _REPOSITORY + first + OUTSIDE + _TELL
    told = await run_git(sandbox, script, base_commit, workdir=workdir)
    lines = told.decode("utf-8", "surrogateescape").split("\n")
    if lines[-2:] != ["end", ""]:
        raise SandboxError(f"The history of {workdir} could not be read: its report has no end.")
    records: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines[:-2]:
        kind, _, rest = line.partition(" ")
        records[kind].append(rest)
    named: dict[str, dict[str, set[str]]] = {"ref": {}, "log": {}, "file": {}}
    for kind, places in named.items():
        for record in records[kind]:
            id_, _, name = record.partition(" ")
            places.setdefault(name, set()).add(id_)
    date, ahead, stems = records["base"][0].split(" ") if records["base"] else ("", "0", "yes")
    return _Report(
        base_date=int(date) if date else None,
        ahead=int(ahead),
        stems=stems == "yes",
        tags=tuple(record.partition(" ")[2] for record in records["tag"]),
        named=named,
        strange=frozenset(records["strange"]),
        gone=frozenset(records["gone"]),
        rests=tuple(records["rest"]),
        counts={
            type_: (int(number), id_)
            for number, type_, id_ in (record.split(" ") for record in records["count"])
        },
        dates=tuple(map(int, records["date"])),
        newest=("".join(records["commit"]), "".join(records["dated"]).partition(" ")[2]),
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _complaint(result: ExecResult) -> str:
    if result.killed_for:
        return f"it was ended by its {result.killed_for} limit"
    if result.truncated:
        return "it says more than ksolve reads"
    lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else f"exit code {result.exit_code}"
