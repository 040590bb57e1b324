"""What `ksolve fix` finds out, shows and asks before anything is paid.

The image is built, and the tests are run once without a patch: where they do not fail, or seem to
fail for another reason than the issue, no sample could show anything.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from eval.verify import evaluate
from ksolve.errors import InputError
from ksolve.session import docker_host, ready_images
from ksolve.unready import unready
from ksolve.unsolved import failing_tests, last_words
from sandbox.sandbox import Limits, SandboxError
from tasks.local import NO_PYTHON, Found, local_task
from tasks.task import Resources, Task
from tasks.worktree import some

# Exit statuses of a shell: found and not executable, and not found.
_CANNOT_RUN = (126, 127)


class Doubts:
    """What speaks against going on: a person is asked, and where there is none it ends here."""

    def __init__(self, console: Console, *, go_on: bool) -> None:
        self.console = console
        self._go_on = go_on

    def tell(self, sentence: str) -> None:
        """Tell, and return if it goes on all the same. Raises InputError."""
        if self._go_on:
            self.console.print(Text(sentence, style="yellow"))
        elif not (sys.stdin.isatty() and self.console.is_terminal):
            raise InputError(f"{sentence} Or add --yes to go on all the same.")
        elif not typer.confirm(f"{sentence} Go on all the same?", err=True):
            raise InputError("Stopped before anything was paid.")


def prepared(
    repo: Path, statement: str, test: str, doubts: Doubts, **options: Any
) -> tuple[Task, Found]:
    """Return the task and what was found in its repository, which is shown."""
    console = doubts.console
    found: list[Found] = []
    with console.status("reading the repository") as status:

        def consider(what: Found) -> None:
            found.append(what)
            # A person may be asked.
            status.stop()
            _tell_found(what, doubts, setup=options["setup"], image=options["image"])
            status.start()

        def tell(text: str) -> None:
            status.update(Text(text))

        task = local_task(repo, statement, test, tell=tell, consider=consider, **options)
    return task, found[0]


def _tell_found(found: Found, doubts: Doubts, *, setup: str | None, image: str | None) -> None:
    """Show what will be installed before it is; ask where something is missing."""
    console = doubts.console
    for sentence in found.missing:
        doubts.tell(sentence)
    command = found.setup.command
    if setup is not None:
        return
    if image is not None:
        if command:
            console.print(
                Text(f"{image} is taken as it is; `{command}` is not run: give it with --setup.")
            )
        return
    if command:
        sources = ", ".join(found.setup.sources)
        console.print(Text(f"Setup, from {sources} (--setup gives another):\n  {command}"))
    for note in found.setup.notes:
        console.print(Text(note, style="yellow"))


async def check_base(task: Task, found: Found, doubts: Doubts, resources: Resources) -> list[str]:
    """Build the image and see the tests fail without a patch; return those that the log names.

    Without a test that fails now, nothing could tell a fix from any other change. Raises
    InputError, SandboxError.
    """
    console = doubts.console
    async with docker_host(resources=resources) as host:
        try:
            await ready_images(host, [task], console)
        except SandboxError as error:
            raise _unbuilt(error, found) from error
        limits = Limits().with_resources(task.issue.resources).with_resources(resources)
        base = await evaluate(task, "", host, limits)
    if base.outcome == "resolved":
        raise InputError(
            f"`{task.issue.test_command}` passes already: add a test that shows the issue."
        )
    if base.outcome == "timeout":
        raise InputError(f"The test command was {base.note}: raise --time-limit.")
    said = last_words(base.log)
    if base.exit_code in _CANNOT_RUN:
        raise InputError(
            f"The test command cannot run ({said}): correct it, or install with --setup what it "
            "needs."
        )
    tests = failing_tests(base.log)
    named = f" (failing: {some(tests)})" if tests else ""
    console.print(Text(f"Without a patch, the test command ends with: {said}{named}"))
    if amiss := unready(base.log, found.names):
        doubts.tell(f"The tests seem to fail for another reason than the issue: {amiss}.")
    return tests


def _unbuilt(error: SandboxError, found: Found) -> Exception:
    """Return what is said of an image that could not be built."""
    text = str(error)
    if NO_PYTHON in text and found.python:
        has = re.search(rf"{NO_PYTHON}, but (Python [\d.]+)", text)
        command = found.setup.command or "true"
        return InputError(
            f"The repository asks for {found.python}; ksolve's image has"
            f" {has[1] if has else 'another'}, and none that will do could be downloaded: add"
            " --python 3.11 to try that all the same, or give an image that has it, such as"
            f" --image python:{found.python.choice} --setup 'pip install pytest && {command}'."
        )
    if "returned a non-zero code" in text:
        return InputError(f"The setup failed, give another with --setup. {text}")
    return error
