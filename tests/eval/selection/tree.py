"""A fake tree of one file, in which scripts and tests are answered by what a patch holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from agent.editing.diff import git_diff
from eval.selection.candidates import Candidate, Candidates
from eval.selection.evidence import Evidence
from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.sandbox import ExecResult
from tasks.task import Issue

CODE = "def area(width, height):\n    return width + height\n"
ISSUE = Issue(
    id="shapes-1",
    statement="area(2, 3) is 5, not 6",
    repo="shapes",
    base_commit="c",
    image="s:1",
    test_command="pytest -q",
)
Does = Callable[[str, str], ExecResult]
# From a script and the patch in the tree, "" for none, to what comes of it.

_PATCH = PurePosixPath("/patch")


def patch(to: str) -> str:
    """One that makes `area` return something else."""
    return git_diff("area.py", CODE, CODE.replace("width + height", to))


def pool(
    *answers: str,
    scripts: Sequence[str] = (),
    issue: Issue | None = ISSUE,
    task_id: str = ISSUE.id,
    evidence: Evidence | None = None,
) -> Candidates:
    """One candidate an answer, "" for no patch; the scripts are of the first ones."""
    return Candidates(
        task_id=task_id,
        issue=issue,
        evidence=evidence or Evidence(),
        candidates=tuple(
            Candidate(
                model="m",
                strategy="s",
                index=index,
                patch=patch(answer) if answer else "",
                scripts=tuple(scripts[index : index + 1]),
            )
            for index, answer in enumerate(answers)
        ),
    )


class Tree:
    """Opens sandboxes that hold it; `refuses` is what a patch holds that git does not apply."""

    def __init__(self, does: Does, *, refuses: str = "") -> None:
        self.host = FakeHost(self._answer)
        self.runs: list[tuple[str, str]] = []
        # (script, patch) of every run.
        self._does = does
        self._refuses = refuses

    def _answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        command = argv[3] if len(argv) == 4 else ""
        text = stdin.decode()
        if "/script.py" in command:
            held = sandbox.files.get(_PATCH, b"").decode()
            self.runs.append((text, held))
            return self._does(text, held)
        if "--reverse" in command:
            del sandbox.files[_PATCH]
        elif " apply " in command:
            if self._refuses and self._refuses in text:
                return did(1, b"error: patch does not apply\n")
            sandbox.files[_PATCH] = stdin
        return did(stdout=b"" if command or argv[0] == "bash" else b"end\n")
