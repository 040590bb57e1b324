"""How an error reaches a person: one sentence and an exit code that a script may rely on.

0 done; 1 finished but not solved, or a bar not met; 2 bad input; 3 infrastructure; 130 interrupted.
An exception that is not listed here is a defect and keeps its traceback.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer
from rich.text import Text

from agent.backend import BackendError, BackendUnusableError
from agent.local.serving import ServeOptionError
from agent.models import ModelNameError
from agent.price import PriceError
from eval.store import ConfigChangedError, ForeignRunError, NoRunError, StoreError
from eval.sweep import SweepHaltedError
from ksolve.screen import screen
from sandbox.sandbox import SandboxError
from tasks.rows import DatasetError
from tasks.worktree import LocalRepoError

UNSOLVED = 1
BAD_INPUT = 2
INFRASTRUCTURE = 3
INTERRUPTED = 130

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

console = screen(stderr=True, soft_wrap=True)


class InputError(Exception):
    """What the user gave cannot be used; the message says what and how to mend it."""


_BAD_INPUT = (
    InputError,
    DatasetError,
    ModelNameError,
    ServeOptionError,
    PriceError,
    ConfigChangedError,
    NoRunError,
    ForeignRunError,
    LocalRepoError,
)
_GOES_ON = "Interrupted: what was drawn is kept, and the same command goes on from there."
_INFRASTRUCTURE = (SandboxError, BackendError, StoreError, SweepHaltedError)


def exit_code(error: BaseException) -> int | None:
    """Return the exit code for an error that a person can mend, None for a defect."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BackendUnusableError):
        return BAD_INPUT if error.bad_input else INFRASTRUCTURE
    if isinstance(error, _BAD_INPUT):
        return BAD_INPUT
    if isinstance(error, _INFRASTRUCTURE):
        return INFRASTRUCTURE
    if isinstance(error, OSError):
        return INFRASTRUCTURE if error.errno == errno.ENOSPC else BAD_INPUT
    return None


def sentence(error: BaseException) -> str:
    """Return what is said of an error."""
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "Interrupted."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full: free some space and run the same command again."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def complain(error: BaseException) -> None:
    """Print one error to stderr."""
    console.print(Text("error: ", style="bold red") + Text(sentence(error)))


def one_sentence_errors(
    command: Callable[Arguments, Result], *, goes_on: bool = False
) -> Callable[Arguments, Result]:
    """Wrap a command so that what a person can mend ends in a sentence and an exit code.

    One that `goes_on` where it was interrupted says so.
    """

    @functools.wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            code = exit_code(error)
            if code is None or isinstance(error, typer.Exit):
                raise
            complain(KeyboardInterrupt(_GOES_ON) if goes_on and code == INTERRUPTED else error)
            raise typer.Exit(code) from None

    return wrapped
