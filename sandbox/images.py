"""Images made ready: found here, else built, else pulled.

An image that ksolve built carries the digest of what it was built from, so that it is built
again when its Dockerfile, its files or the image below it change, and only then. Nothing that is
here is removed: what lost its name goes with `docker image prune`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

from docker.utils import parse_repository_tag

from sandbox.bootstrap import base_tag, ensure_base
from sandbox.build import Progress, add_tag, build, context_errors, label_of, pull
from sandbox.docker import DockerHost
from sandbox.sandbox import ImageMissingError, SandboxError
from tasks.base import BASE_IMAGE, RECIPE
from tasks.context import context_digest
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
            raise ImageMissingError(await _why_missing(host, image))
        return await host.image_digest(image)


async def _why_missing(host: DockerHost, image: str) -> str:
    repository, version = parse_repository_tag(image)
    filters = {"reference": f"{repository}:{version or 'latest'}-*"}
    named = await host.call(host.client.images.list, filters=filters)
    mend = "bring it here with `docker load`"
    if tags := sorted(tag for one in named for tag in one.tags if tag.startswith(repository)):
        mend = f"name one that was built from a task repo ({', '.join(tags[:3])}), or {mend}"
    return (
        f"The image {image} is not on this machine, no registry that answers has it, and its task"
        f" does not say how to build it: {mend}."
    )


async def _ensure_built(host: DockerHost, recipe: ImageBuild, progress: Progress) -> str:
    label = f"{recipe.tag}@{await _wanted(host, recipe, progress)}"
    found = await label_of(host, recipe.tag)
    # Labels are inherited. Without one of its own, somebody else made it, who knows better.
    is_ours = found is not None and found.startswith(f"{recipe.tag}@")
    if not is_ours and await _is_anothers(host, recipe.name):
        await host.call(add_tag, host, recipe.name, recipe.tag)
    elif found is None or (is_ours and found != label):
        await build(
            host,
            recipe.tag,
            _on_the_very_base(recipe.dockerfile),
            recipe.context,
            files=recipe.files,
            label=label,
            progress=progress,
        )
    return await host.image_digest(recipe.tag)


async def _wanted(host: DockerHost, recipe: ImageBuild, progress: Progress) -> str:
    """Make the images below ready; return the digest of all that the image is made of."""
    wanted = hashlib.sha256(recipe.dockerfile.encode())
    with context_errors(recipe.context):
        context = await asyncio.to_thread(context_digest, recipe.context, recipe.files)
    wanted.update(context.encode())
    for below in _images_below(recipe.dockerfile):
        if below == recipe.tag:
            raise SandboxError(f"The Dockerfile of {recipe.tag} starts from {recipe.tag} itself.")
        parent = recipe.parent
        own = parent if parent is not None and parent.tag == below else None
        digest = await ensure_image(host, below, own, progress)
        label = await label_of(host, below) or ""
        if below == BASE_IMAGE:
            wanted.update(RECIPE)
        elif label.startswith(f"{below}@"):
            # Made again of the same, it is another image to the engine.
            wanted.update(label.encode())
        else:
            wanted.update(digest.encode())
    return wanted.hexdigest()


async def _is_anothers(host: DockerHost, name: str) -> bool:
    """Whether an image of that name is here which ksolve did not build."""
    label = await label_of(host, name) if name else None
    return label is not None and not label.startswith(f"{name}@")


def _on_the_very_base(dockerfile: str) -> str:
    """Have a Dockerfile that starts from the base image start from the one of this version."""

    def replaced(line: re.Match[str]) -> str:
        start, end = (place - line.start() for place in line.span("image"))
        return f"{line[0][:start]}{base_tag()}{line[0][end:]}"

    return _FROM.sub(
        lambda line: replaced(line) if line["image"] == BASE_IMAGE else line[0], dockerfile
    )


def _images_below(dockerfile: str) -> list[str]:
    """Return the images that a Dockerfile starts from, its own stages left out."""
    stages = {"scratch"}
    images: dict[str, None] = {}
    for line in _FROM.finditer(dockerfile):
        if line["image"].lower() not in stages and "$" not in line["image"]:
            images[line["image"]] = None
        stages.add((line["stage"] or "").lower())
    return list(images)
