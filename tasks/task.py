"""The three words of a repair task: what a solver sees, what only the verifier sees, and both.

A strategy is handed an `Issue` and a verifier an `Oracle`, so the type checker keeps the
hidden tests away from the code that writes patches. Nothing here reads files or rows; see
`tasks.load` for where tasks come from.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

TESTBED = PurePosixPath("/testbed")
"""Where the images of SWE-bench hold the repository."""

EvalType = Literal["pass_and_fail", "fail_only"]

START_MARKER, END_MARKER = ">>>>> Start Test Output", ">>>>> End Test Output"
"""What an evaluation script prints before and after its tests (swebench 5.0.2)."""

EXIT_CODE_PARSER = "exit_code"
"""`Oracle.log_parser` of a task whose only evidence is the exit status of one test command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What the sandboxes of a task, or of a run, may use; None, or no capability: as usual."""

    memory_bytes: int | None = None
    cpus: float | None = None
    pids: int | None = None
    disk_bytes: int | None = None
    network: bool | None = None
    capabilities: tuple[str, ...] = ()
    """Linux capabilities by name, without `CAP_`, in the order of the alphabet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """What a strategy may see of a task."""

    id: str
    statement: str
    repo: str
    base_commit: str
    image: str
    # Reference of a container image that holds the repository at `base_commit`.
    workdir: PurePosixPath = TESTBED
    test_command: str = ""
    # How the visible tests are run, "" when the task does not say.
    hints: str = ""
    resources: Resources = Resources()
    """What its sandboxes may use."""

    @property
    def network(self) -> bool:
        """Whether the sandboxes of this task may reach the network."""
        return bool(self.resources.network)


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """What only the verifier may see of a task. Semantics are SWE-bench's (5.0.2)."""

    eval_script: str
    # Bash; restores and patches the test files, prints the SWE-bench markers around the tests.
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    log_parser: str
    # A key of swebench's PARSER_REGISTRY, or `EXIT_CODE_PARSER`.
    eval_type: EvalType = "pass_and_fail"
    version: str = ""
    test_patch: str = ""
    gold_patch: str | None = None
    time_limit: float = 1800.0
    # Seconds for one evaluation.

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that can change a verdict; the gold patch cannot."""
        fields = dataclasses.asdict(self)
        del fields["gold_patch"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageBuild:
    """How to build an image that no registry may have."""

    tag: str
    dockerfile: str
    context: Path
    # The folder sent to the engine; `COPY` reads from it.
    files: Mapping[str, bool] | None = None
    """What is sent of it: paths below it, and whether each is executable; None for all."""
    parent: ImageBuild | None = None
    # Built first, when the `FROM` of this one names its tag.
    name: str = ""
    """What the task calls the image, where `tag` adds a digest of what it is made of.

    Somebody else's image of that name is taken in place of one that would have to be built.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """An issue and its oracle, and how to build the image if nobody has it."""

    issue: Issue
    oracle: Oracle
    build: ImageBuild | None = None

    @property
    def id(self) -> str:
        """The issue's id: the SWE-bench `instance_id`."""
        return self.issue.id
