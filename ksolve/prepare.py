"""What must stand before a sweep starts: an engine that answers and an image for every task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.task import Task

BUILDS_AT_ONCE = 2


async def ready_images(host: DockerHost, tasks: Sequence[Task], console: Console) -> None:
    """Find, build or pull the image of every task; raises ImageMissingError, SandboxError."""
    places = asyncio.Semaphore(BUILDS_AT_ONCE)
    columns = (
        TextColumn("images"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    by_image = {task.issue.image: task for task in tasks}
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(by_image))

        async def ready(task: Task) -> None:
            async with places:
                await ensure_image(
                    host,
                    task.issue.image,
                    task.build,
                    lambda text: progress.update(bar, description=text),
                )
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for task in by_image.values():
                group.create_task(ready(task))
