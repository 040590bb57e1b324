"""Images made ready: found here, else built, else pulled.

An image that ksolve built carries the digest of what it was built from, so that it is built
again when its Dockerfile, its files or the image below it change, and only then.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

from sandbox.bootstrap import BASE_IMAGE, ensure_base
from sandbox.build import Progress, build, context_digest, label_of, pull
from sandbox.docker import DockerHost
from sandbox.sandbox import ImageMissingError, SandboxError
from tasks.task import ImageBuild

_FROM = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(?P<image>\S+)(?:[ \t]+AS[ \t]+(?P<stage>\S+))?",
    re.IGNORECASE | re.MULTILINE,
)


async def ensure_image(
    host: DockerHost, image: str, recipe: ImageBuild | None, progress: Progress
) -> str:
    """Make an image ready and return its digest, as `sha256:...`.

    Asked for twice at once, it is built once. Raises ImageMissingError when the image is neither
    here, nor to be built, nor to be pulled; SandboxError when its build fails.
    """
    async with host.image_locks[image]:
        if recipe is not None:
            return await _ensure_built(host, recipe, progress)
        if image == BASE_IMAGE:
            return await ensure_base(host, progress)
        if await label_of(host, image) is None and not await pull(host, image, progress):
            raise ImageMissingError(
                f"The image {image} is not on this machine, no registry that answers has it, and "
                "its task does not say how to build it: bring it here with `docker load`."
            )
        return await host.image_digest(image)


async def _ensure_built(host: DockerHost, recipe: ImageBuild, progress: Progress) -> str:
    wanted = hashlib.sha256(recipe.dockerfile.encode())
    wanted.update((await asyncio.to_thread(context_digest, recipe.context)).encode())
    for below in _images_below(recipe.dockerfile):
        if below == recipe.tag:
            raise SandboxError(f"The Dockerfile of {recipe.tag} starts from {recipe.tag} itself.")
        parent = recipe.parent
        own = parent if parent is not None and parent.tag == below else None
        wanted.update((await ensure_image(host, below, own, progress)).encode())
    label = f"{recipe.tag}@{wanted.hexdigest()}"
    found = await label_of(host, recipe.tag)
    # Labels are inherited. Without one of its own, somebody else made it, who knows better.
    is_ours = found is not None and found.startswith(f"{recipe.tag}@")
    if found is None or (is_ours and found != label):
        await build(
            host,
            recipe.tag,
            recipe.dockerfile,
            recipe.context,
            label=label,
            progress=progress,
        )
    return await host.image_digest(recipe.tag)


def _images_below(dockerfile: str) -> list[str]:
    """Return the images that a Dockerfile starts from, its own stages left out."""
    stages = {"scratch"}
    images: dict[str, None] = {}
    for line in _FROM.finditer(dockerfile):
        if line["image"].lower() not in stages and "$" not in line["image"]:
            images[line["image"]] = None
        stages.add((line["stage"] or "").lower())
    return list(images)
