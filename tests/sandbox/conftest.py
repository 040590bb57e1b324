"""What the tests of sandboxes share: an engine with the base image."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.bootstrap import ensure_base_image


@pytest.fixture(scope="session")
def base_image(docker_engine: None) -> str:
    """The digest of the base image, which is made where it is missing."""
    return asyncio.run(ensure_base_image(lambda _: None))
