"""What of a work tree is somebody's change to it, told by git without believing the tree's own.

Shell scripts for `sandbox.history.run_git`: one keeps what a tree is, one tells how it differs by
now. Of new files those count that look as if somebody wrote them for good; a name is all that this
is judged by. They need the tools of GNU.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import PurePosixPath

_PRODUCT_FOLDERS = [
    *(".cache", ".eggs", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".nox"),
    *(".pytest_cache", ".ruff_cache", ".tox", ".venv", "*.dSYM", "*.egg-info", "__pycache__"),
    *("build", "dist", "htmlcov", "node_modules", "venv"),
]
_PRODUCT_FILES = [
    *(".DS_Store", ".coverage", ".coverage.*", "coverage.xml", "nohup.out", "*.class", "*.log"),
    *("*.o", "*.orig", "*.pyc", "*.pyd", "*.pyo", "*.rej", "*.so", "*.swp", "*~"),
]
_SCRATCH_FILES = [
    *("*.diff", "*.patch", "patch.txt", "debug*.py", "repro*.py", "repro*.sh", "scratch*"),
    *("test_fix*.py", "test_repro*.py", "tmp*.py"),
]
# In the root of the repository, where agents put them.

# Prints every file in the first form that `comm` can read; an unreadable one cannot be told.
_LIST = r"""
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_NOSYSTEM=1
list() {
    find . "$@" \( -type l -o -type f -readable \) -printf '%P\0' 2> /dev/null | sort -z
}
ignored() { # by the rules of the base, whatever became of them
    (cd "$kept/rules" && GIT_WORK_TREE=. GIT_DIR="$kept/.git" \
        git check-ignore --no-index -z --stdin < "$1" > "$1.ignored")
    [ $? -le 1 ] || exit
    sort -z "$1.ignored" | comm -z -23 "$1" -
}
untracked() { # those of "$1" that look as if somebody wrote them
    comm -z -23 "$scratch/found" "$1" > "$scratch/untracked" || exit
    ignored "$scratch/untracked"
}
"""

# A repository of its own, which only borrows objects, so that neither the settings, hooks,
# attributes nor the index of the other one matter. Prints its place.
KEEP = (
    _LIST
    + r"""
objects=$(cd "$(git rev-parse --git-path objects)" && pwd) || exit
exclude=$(git rev-parse --git-path info/exclude)
git ls-files -z | sort -z -u > "$scratch/tracked" || exit
kept=$(mktemp -d -p /var/tmp 2> /dev/null || mktemp -d) || exit
git init -q --template= "$kept" || exit
mkdir -p "$kept/rules" "$kept/.git/info" "$kept/.git/objects/info" || exit
echo "$objects" > "$kept/.git/objects/info/alternates"
echo '* -text !eol !filter !ident !working-tree-encoding !diff' > "$kept/.git/info/attributes"
[ ! -f "$exclude" ] || cp "$exclude" "$kept/.git/info/exclude"
find . -name .git -prune -o -name .gitignore -type f -print0 \
    | xargs -0 -r cp --parents -t "$kept/rules" || exit
list -name .git -prune -o > "$scratch/all"
list "$@" > "$scratch/found"
untracked "$scratch/tracked" > "$scratch/new" || exit
export GIT_DIR="$kept/.git" GIT_WORK_TREE="$PWD"
comm -z -12 "$scratch/tracked" "$scratch/all" | sort -z -m - "$scratch/new" > "$kept/names" || exit
git update-index -z --add --stdin < "$kept/names" || exit
git write-tree > "$kept/tree" || exit
printf %s "$kept"
"""
)

# The arguments are the place, and what limits a patch; the rest is for `find`.
DIFF = (
    _LIST
    + r"""
kept=$1 most=$2 attributes=$3
shift 3
list -name .git -prune -o > "$scratch/all"
list "$@" > "$scratch/found"
untracked "$kept/names" > "$scratch/new" || exit
export GIT_DIR="$kept/.git" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$scratch/index"
cp -p "$kept/.git/index" "$scratch/index" || exit
comm -z -23 "$kept/names" "$scratch/all" | git update-index -z --force-remove --stdin || exit
comm -z -12 "$kept/names" "$scratch/all" | cat - "$scratch/new" \
    | git update-index -z --add --stdin || exit
[ -z "$attributes" ] || echo "$attributes" >> "$GIT_DIR/info/attributes"
git diff --cached --binary --full-index --no-renames --no-ext-diff --no-textconv --no-color \
    "$(cat "$kept/tree")" > "$scratch/patch" || exit
[ "$(wc -c < "$scratch/patch")" -gt "$most" ] || cat "$scratch/patch"
"""
)


def _finding() -> list[str]:
    """Return what `find` is to look for: small files that nobody's tools made."""
    folders = _any_name([".git", *_PRODUCT_FOLDERS])
    scratch = "|".join(name.replace(".", r"\.").replace("*", "[^/]*") for name in _SCRATCH_FILES)
    in_root = ["-regextype", "posix-extended", "!", "-regex", rf"\./({scratch})(/.*)?"]
    products = ["!", "(", *_any_name(_PRODUCT_FILES), ")"]
    return ["(", *folders, ")", "-prune", "-o", *in_root, *products, "-size", "-2049"]


def _any_name(patterns: Sequence[str]) -> list[str]:
    words = [word for pattern in patterns for word in ("-o", "-name", pattern)]
    return words[1:]


def is_product(path: PurePosixPath) -> bool:
    """Tell whether a new file at this path is some tool's, and nobody's change."""
    parts = path.parts
    inside = any(fnmatch.fnmatchcase(part, name) for part in parts for name in _PRODUCT_FOLDERS)
    return inside or any(fnmatch.fnmatchcase(path.name, name) for name in _PRODUCT_FILES)


FINDABLE = _finding()
"""Arguments for both scripts: what `find` is to look for."""
