"""What reaches a terminal, a pipe or a file, and in which form: all that is printed goes by here.

Texts from outside (of models, tests, endpoints, names of files) are shown on a terminal without
what would steer it, and are never taken for markup. Data that goes into a pipe or a file is every
byte as it is. Where the reader of a pipe goes away, as `| head` does, the rest is dropped in
silence and the command goes on: it may have files to write.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from sandbox.patch import patch_bytes

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIPED_WIDTH = 120
"""Columns in a file or a pipe, where there is no screen to ask."""

# Colours say nothing that is lost without them.
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_SHOWN = {
    **_PICTURES,
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    # What turns the direction of writing, or cannot be written at all.
    **dict.fromkeys(
        (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
    ),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def harmless(text: str) -> str:
    """Return a text that no terminal acts on: colours gone, other control characters as pictures.

    What turns the direction of writing is replaced as well, so that nothing reads as it is not.
    """
    return _plain(text.replace("\r\n", "\n").replace("\r", "\n"))


def screen(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console on standard output or standard error."""
    console = Screen(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


class Screen(Console):
    """A console that shows text and nothing but text; its own styles are the only ones."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as any console does, and make every piece of text harmless."""
        for segment in super().render(renderable, options):
            # A carriage return within a line would be one that was not laid out: it is a picture.
            yield segment if segment.control else Segment(_plain(segment.text), segment.style)

    @property
    def file(self) -> IO[str]:
        """The stream, which has not to look for what steers it once more."""
        stream = super().file
        return cast("IO[str]", _Styled(stream)) if isinstance(stream, _Terminal) else stream

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file


def put(text: str, *, end: str = "\n") -> None:
    """Write data to standard output: a pipe or a file gets every byte, a terminal what is harmless.

    `typer.echo` takes what looks like a colour out of what goes into a pipe.
    """
    sys.stdout.flush()
    if sys.stdout.isatty():
        sys.stdout.write(harmless(text) + end)
    else:
        sys.stdout.buffer.write(patch_bytes(text + end))
    sys.stdout.flush()


def open_streams() -> None:
    """Have standard output and standard error outlive their readers, and never steer a terminal.

    So what Python itself and other libraries print is harmless, too.
    """
    sys.stdout = _opened(sys.stdout)
    sys.stderr = _opened(sys.stderr)


def _opened(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        number = stream.fileno()
    except OSError:
        # It is no file.
        return stream
    kind = _Terminal if stream.isatty() else io.TextIOWrapper
    return kind(
        io.BufferedWriter(_Outlet(number)),
        encoding=stream.encoding,
        # A terminal of another encoding lacks some characters.
        errors="replace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
    )


class _Outlet(io.RawIOBase):
    """A file for which what is written is dropped in silence once nobody reads it any more."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of it; return how many bytes."""
        try:
            return os.write(self._number, data)
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._number)
            os.close(nowhere)
            return memoryview(data).nbytes

    def writable(self) -> bool:
        """Say that this is what it is for."""
        return True

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._number

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return os.isatty(self._number)


class _Terminal(io.TextIOWrapper):
    """A terminal that is shown what is harmless; colours pass, which the help of typer has."""

    def write(self, text: str, /) -> int:
        """Write a text without what would steer the terminal."""
        colours = [*_COLOUR.findall(text), ""]
        parts = zip(_COLOUR.split(text), colours, strict=True)
        self.write_styled("".join(f"{harmless(part)}{colour}" for part, colour in parts))
        return len(text)

    def write_styled(self, text: str) -> int:
        """Write what was looked through already, with styles and moves of its own."""
        return super().write(text)


class _Styled(io.TextIOBase):
    """The way by which a console writes to a terminal."""

    def __init__(self, terminal: _Terminal) -> None:
        self._terminal = terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the terminal."""
        return self._terminal.encoding

    def write(self, text: str, /) -> int:
        """Write a text as it is."""
        return self._terminal.write_styled(text)

    def flush(self) -> None:
        """Hand over what is held."""
        self._terminal.flush()

    def fileno(self) -> int:
        """Return the number of the terminal."""
        return self._terminal.fileno()

    def isatty(self) -> bool:
        """Say that it is one."""
        return self._terminal.isatty()


def _plain(text: str) -> str:
    return _COLOUR.sub("", text).translate(_SHOWN)
