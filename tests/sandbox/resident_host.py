"""A host whose sandboxes have the cheaper commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sandbox.docker import DockerHost
from sandbox.sandbox import Limits, Sandbox


@dataclass(frozen=True, slots=True)
class ResidentHost:
    inner: DockerHost

    @asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        async with self.inner.open(image, limits) as sandbox, sandbox.resident() as resident:
            yield resident

    async def image_digest(self, image: str) -> str:
        return await self.inner.image_digest(image)
