"""Taking one file out of a container: streamed, in memory, never unpacked onto the host's disk."""

from __future__ import annotations

import re
import tarfile

from docker import DockerClient
from urllib3.exceptions import HTTPError

from sandbox.sandbox import SandboxError

_NO_FILE = re.compile("(?i)could not find|no such|not a directory|too (many|long)|name too long")
# The engine's words when it is the path that is wrong.


def read_file(client: DockerClient, container: str, path: str, limit: int) -> bytes:
    """Return up to `limit` bytes of a regular file; a link is none. Blocks.

    Raises FileNotFoundError, SandboxError. The docker package's `get_archive` will not do: it
    cannot be closed before the end of what may be an endless file.
    """
    api = client.api
    with api.get(
        f"{api.base_url}/v{api.api_version}/containers/{container}/archive",
        params={"path": path},
        headers={"Accept-Encoding": "identity"},
        stream=True,
        timeout=api.timeout,
    ) as answer:
        if not answer.ok:
            why = str(answer.json().get("message"))
            if "no such container" in why.lower() or not _NO_FILE.search(why):
                raise SandboxError(f"The Docker Engine does not read {path}: {why}.")
            raise FileNotFoundError(f"There is no file {path} in the sandbox.")
        try:
            with tarfile.open(fileobj=answer.raw, mode="r|") as archive:
                member = archive.next()
                content = archive.extractfile(member) if member and member.isreg() else None
                if content is None:
                    raise FileNotFoundError(f"{path} in the sandbox is not a regular file.")
                return content.read(limit)
        except (tarfile.TarError, HTTPError) as error:
            raise SandboxError(f"The Docker Engine broke off reading {path}.") from error
