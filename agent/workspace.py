"""The sandbox that a strategy works in: an issue's repository, without what came after its base.

What only the oracle could point out (a test file in the tree, an installed copy of the fixed
project) is not removed; `ksolve tasks audit` names it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox.history import remove_leaks
from sandbox.sandbox import Limits, Sandbox, SandboxHost
from tasks.task import Issue


@asynccontextmanager
async def open_clean(
    issue: Issue, sandboxes: SandboxHost, limits: Limits
) -> AsyncIterator[Sandbox]:
    """Open the issue's image and remove what leaks from its history, before anybody looks.

    Every strategy opens its sandboxes by this. Raises ImageMissingError or SandboxError on entry.
    """
    async with sandboxes.open(issue.image, limits) as sandbox:
        await remove_leaks(sandbox, workdir=issue.workdir, base_commit=issue.base_commit)
        yield sandbox
