"""Shell programs of the stages of a verification, which run in its sandbox.

Each is told everything through its standard input. Variables and functions of theirs begin with
`ksolve_`, so that they are in nobody's way. What they are for is said in `eval.stages`.
"""

from __future__ import annotations

# Programs that the stages call, in a sandbox that a candidate may have changed meanwhile.
PROGRAMS = ("bash", "git", "tar", "mktemp", "rm", "cat", "stat", "xargs", "find", "head", "tail")

# Runs a program of bash, or says what an image lacks for it. $1 is that program, $2 the work tree.
CHECKED = r"""
ksolve_lacking=
for ksolve_name in PROGRAMS; do
    command -v "$ksolve_name" > /dev/null || ksolve_lacking="$ksolve_lacking $ksolve_name"
done
if [ -n "$ksolve_lacking" ]; then echo "lacking$ksolve_lacking" >&2; exit 124; fi
if [ ! -d "$2" ]; then echo "lacking the folder $2" >&2; exit 124; fi
exec bash -c "$1" ksolve-prepare "$2"
""".replace("PROGRAMS", " ".join(PROGRAMS))

# Sends its own errors to the log, speaks on 9, and keeps the word out of every child's reach.
_PROLOGUE = r"""
exec 9>&2 2>&1
ksolve_dir=$(mktemp -d) && tar -xf - -C "$ksolve_dir" || exit 125
ksolve_word=$(<"$ksolve_dir/word")
rm -f "$ksolve_dir/word"
ksolve_say() { printf '%s %s\n' "$ksolve_word" "$1" >&9; }
"""

# How often programs try to fetch a package again: never without network, unless the image says how
# often. They fail all the same, and do not wait for it.
RETRIES = (
    "PIP_RETRIES",
    "UV_HTTP_RETRIES",
    "POETRY_REQUESTS_MAX_RETRIES",
    "CONDA_REMOTE_MAX_RETRIES",
    "npm_config_fetch_retries",
    "YARN_HTTP_RETRY",
    "CARGO_NET_RETRY",
    "BUNDLE_RETRY",
)

PREPARE = (
    _PROLOGUE
    + r"""
cd "$1" || exit 125
if [ -f "$ksolve_dir/patch" ]; then
    mapfile -d '' ksolve_arguments < "$ksolve_dir/arguments"
    sh -c "$(<"$ksolve_dir/apply")" sh "${ksolve_arguments[@]}" < "$ksolve_dir/patch" 9>&-
    ksolve_status=$?
    ksolve_say "applied $ksolve_status"
    printf '\n%s\n' "$ksolve_word"
    if [ $ksolve_status -ne 0 ]; then rm -rf "$ksolve_dir"; exit 0; fi
fi
ksolve_script=$(<"$ksolve_dir/script")
ksolve_offline=()
while IFS= read -r ksolve_name; do
    [ -z "${!ksolve_name+set}" ] || continue
    ksolve_offline+=("$ksolve_name")
    export "$ksolve_name=0"
done < "$ksolve_dir/offline"
rm -rf "$ksolve_dir"
{ eval "$ksolve_script"; } 9>&-
{ ksolve_options=$(set +o); set +eux; unset "${ksolve_offline[@]}"; } 2> /dev/null
# The options by themselves, since with them the rest would be traced when it is read again.
{
    ksolve_say state
    umask
    compgen -e | tr '\n' ' '
    printf '\n'
    for ksolve_name in $(compgen -v); do
        case $ksolve_name:${!ksolve_name@a} in
            *:*r* | BASH* | ksolve_* | FUNCNAME:* | GROUPS:* | DIRSTACK:* | PIPESTATUS:*) ;;
            *) declare -p "$ksolve_name" ;;
        esac
    done
    declare -f
    shopt -p
    printf 'cd %q\n' "$PWD"
    ksolve_say options
    printf '%s\n' "$ksolve_options"
    ksolve_say prepared
} >&9
# Before anybody looks at what the candidate has done, it can do no more.
kill -9 -1 2> /dev/null
"""
)

# Nothing of the candidate's runs beside this, nor beside `LOOK`. It tells where the witness lies,
# what could not be put back, and then, after an empty line, what the guarded files are like.
PUT_BACK = r"""
kill -9 -1 2> /dev/null
ksolve_dir=$(mktemp -d) && tar -xf - -C "$ksolve_dir" || exit 125
cd "$1" || exit 125
printf '%s\n' "$ksolve_dir"
[ ! -s "$ksolve_dir/gone" ] || xargs -0 "$(type -P rm)" -rf -- < "$ksolve_dir/gone" 2>&1
while IFS= read -r -d '' ksolve_name; do
    [ ! -L "$ksolve_name" ] || printf '%s: is a link\n' "$ksolve_name"
done < "$ksolve_dir/folders"
tar -xpf "$ksolve_dir/tree.tar" 2>&1
tar -xpf "$ksolve_dir/outside.tar" -C / 2>&1
printf '\n'
[ ! -s "$ksolve_dir/guarded" ] ||
    xargs -0 "$(type -P stat)" -c '%n %i %z' -- < "$ksolve_dir/guarded" 2>&1
rm -f "$ksolve_dir"/{gone,guarded,folders,tree.tar,outside.tar}
"""

# The program that is given the orders hands them on, and is replaced by the one that runs the
# tests, which never had them. $1 is that one.
HAND_ON = r"""
exec 9>&2 2>&1
mapfile -d '' -t ksolve_told
exec 8< <(printf '%s' "${ksolve_told[0]}") 7< <(printf '%s\0' "${ksolve_told[@]:1}")
exec bash -c "$1" ksolve < /dev/null
"""
TESTS = r"""
mapfile -d '' -t ksolve_told <&7
exec 7<&-
eval "${ksolve_told[2]}" 2> /dev/null
if [ -n "${ksolve_told[0]}" ]; then
    export PYTHONPATH="${ksolve_told[0]}${PYTHONPATH:+:$PYTHONPATH}"
    export KSOLVE_WITNESS="${ksolve_told[1]}"
fi
ksolve_told=${ksolve_told[3]}$'\n'${ksolve_told[4]}
eval "unset ksolve_told"$'\n'"$ksolve_told"
"""

LOOK = r"""
kill -9 -1 2> /dev/null
cd "$1" || exit 125
xargs -0 -r "$(type -P stat)" -c '%n %i %z' -- 2>&1
"""

# Standard input names files of the oracle and of the test command; the arguments are the work
# tree, a commit that the image must hold, and names that a runner reads anywhere. Printed is where
# programs are, and which folders are environments; then comes the archive.
COLLECT = r"""
cd "$1" || exit
if [ -n "$2" ] && ! git -c safe.directory='*' cat-file -e "$2^{commit}" 2> /dev/null; then
    echo "no commit $2 in $1" >&2
    exit 124
fi
shift 2
for name in PROGRAMS; do printf '%s %s\0' "$name" "$(command -v "$name")"; done
printf '\0'
find . \( -name node_modules -o -name conda-meta \) -type d -prune -print0 -o \
    -name .git -prune -o -name pyvenv.cfg -print0
printf '\0'
git -c safe.directory='*' ls-files -z
printf '\0'
list=$(mktemp) && tests=$(mktemp) || exit
cat > "$tests"
named=
for name do named="$named -o -name $name"; done
find . -name .git -prune -o -name node_modules -prune -o \( -type f -o -type l \) \
    \( -false $named \) -print0 > "$list"
xargs -0 sh -c 'for path do
    if [ -f "$path" ] || [ -L "$path" ]; then printf "%s\0" "$path"; fi
done' sh < "$tests" >> "$list"
tar --null --no-recursion -cf - -T "$list"
""".replace("PROGRAMS", " ".join(PROGRAMS))

# Standard input names files below the folder that is the argument; those that are there, and are
# no folders, are archived.
ARCHIVE = r"""
cd "$1" && list=$(mktemp) || exit
xargs -0 sh -c 'for path do
    if [ -L "$path" ] || [ -f "$path" ]; then printf "%s\0" "$path"; fi
done' sh > "$list"
tar --null --no-recursion -cf - -T "$list"
"""
