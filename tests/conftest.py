"""What the whole suite shares: where the pieces that not every machine has are looked for."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import hypothesis
import pytest

from sandbox.bootstrap import ensure_base_image

ROOT = Path(__file__).resolve().parent.parent

# Behaviour is asserted, never times: a busy machine is no defect.
hypothesis.settings.register_profile("ksolve", deadline=None)
hypothesis.settings.load_profile("ksolve")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured data beside a developer's checkout; skips where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it is not part of the project")
    return folder


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """Skip where no Docker Engine answers, unless KSOLVE_REQUIRE_DOCKER says that one must."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env()
        client.ping()
        client.close()
    except DockerException as error:
        if os.environ.get("KSOLVE_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"no Docker Engine answers: {error}")


@pytest.fixture(scope="session")
def base_image(docker_engine: None) -> str:
    """The digest of the base image, which is made where it is missing."""
    return asyncio.run(ensure_base_image(lambda _: None))
