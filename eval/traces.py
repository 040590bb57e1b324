"""What a patch would leave behind wherever it has been applied: its lines, the sizes of files.

Pure functions over the text of patches. A patch whose lines are all short or common leaves no
trace that could be told from chance; nothing is found of such a one.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePosixPath

from unidiff.patch import PatchedFile

from sandbox.patch import MalformedPatchError, read_patch
from sandbox.sandbox import MIB
from tasks.task import Oracle

_SHORTEST, _LONGEST = 16, 300
# Characters of a line that is taken for a trace, without the space around it.
_ENOUGH = 5
# So many lines of a file cannot be chance, be it ever so long.
_MEMBER_LIMIT = 4 * MIB
# Bytes of one file in an archive; what is larger is not source code.
_FLAGS_SINCE, _SIZE_SINCE, _PYTHON_2_SINCE = 3390, 3190, 20_000
# Magic numbers of compiled Python from which on its header has flags (3.7) and a size (3.3).


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What one patch does to one file."""

    patch: str
    # "gold patch" or "test patch".
    path: str
    # From the repository's root; "" when the patch cannot be read as a diff.
    creates: bool
    lines: frozenset[str]
    # Added, without the space around them; those that are too short left out.
    growth: int
    # Bytes that the file grows by.

    def is_in(self, lines: AbstractSet[str], known: AbstractSet[str]) -> bool:
        """Whether a text of these lines holds the patch, given what the base is known to hold.

        Half of the lines that the base does not hold are enough, and so are five.
        """
        telling = self.lines - known
        return len(telling & lines) >= max(1, min(_ENOUGH, (len(telling) + 1) // 2))


def traces_of(oracle: Oracle) -> tuple[Trace, ...]:
    """Return the traces of an oracle's two patches."""
    patches = {"gold patch": oracle.gold_patch or "", "test patch": oracle.test_patch}
    return tuple(trace for name, text in patches.items() for trace in _traces(name, text))


def _traces(name: str, text: str) -> Iterator[Trace]:
    try:
        files = read_patch(text)
    except MalformedPatchError:
        added = (line[1:] for line in text.splitlines() if line.startswith("+"))
        yield Trace(patch=name, path="", creates=False, lines=_telling(added), growth=0)
        return
    for file in files:
        if not file.is_removed_file:
            yield _trace(name, file)


def _trace(name: str, file: PatchedFile) -> Trace:
    lines = [line for hunk in file for line in hunk]
    return Trace(
        patch=name,
        path=file.path,
        creates=file.is_added_file,
        lines=_telling(line.value for line in lines if line.is_added),
        growth=sum(
            (line.is_added - line.is_removed) * len(line.value.encode(errors="surrogateescape"))
            for line in lines
        ),
    )


def _telling(lines: Iterable[str]) -> frozenset[str]:
    stripped = (line.strip() for line in lines)
    return frozenset(line for line in stripped if _SHORTEST <= len(line) <= _LONGEST)


def stripped_lines(data: bytes) -> set[str]:
    """Return the lines of a text as `Trace.is_in` wants them; those of a patch without their +."""
    lines = {line.strip() for line in data.decode("utf-8", "replace").split("\n")}
    return lines | {line[1:].lstrip() for line in lines if line.startswith("+")}


def source_of(compiled: PurePosixPath) -> PurePosixPath:
    """Return the path of the source of a `.pyc` file."""
    name = f"{compiled.name.partition('.')[0]}.py"
    is_cached = compiled.parent.name == "__pycache__"
    return (compiled.parent.parent if is_cached else compiled.parent) / name


def source_size(compiled: bytes) -> int | None:
    """Return the bytes of the source that a `.pyc` file was compiled from, None if untold."""
    magic = int.from_bytes(compiled[:2], "little")
    if _FLAGS_SINCE <= magic < _PYTHON_2_SINCE and not any(compiled[4:8]):
        size = compiled[12:16]
    elif _SIZE_SINCE <= magic < _FLAGS_SINCE:
        size = compiled[8:12]
    else:
        return None
    return int.from_bytes(size, "little")


def archived(name: str, data: bytes, wanted: AbstractSet[str]) -> list[bytes]:
    """Return the files of a zip or tar archive that have one of these names, in any folder.

    What is no archive, is damaged, or is too large, is passed over.
    """
    try:
        if name.endswith((".whl", ".egg", ".zip")):
            return list(_zipped(data, wanted))
        return list(_tarred(data, wanted))
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, RuntimeError):
        return []


def _zipped(data: bytes, wanted: AbstractSet[str]) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if PurePosixPath(member.filename).name in wanted and member.file_size <= _MEMBER_LIMIT:
                yield archive.read(member)


def _tarred(data: bytes, wanted: AbstractSet[str]) -> Iterator[bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if PurePosixPath(member.name).name in wanted and member.size <= _MEMBER_LIMIT:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield file.read()
