"""Changes are told from layers as the engine stacks them, without an engine."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from sandbox.layers import changes_in, layers_of

# Only root may make the marks that take a file away.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts are made by root")


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """The container's own, one in between, and the lowest."""
    made = [tmp_path / name for name in ("own", "middle", "lowest")]
    for layer in made:
        layer.mkdir()
    return made


def take_away(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, mode=0o020000, device=os.makedev(0, 0))


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def changes(layers: list[Path]) -> dict[str, str]:
    return {str(path): change for path, change in changes_in(layers).items()}


def test_what_a_lower_layer_has_is_modified_or_deleted(layers: list[Path]) -> None:
    own, _, lowest = layers
    write(lowest / "a" / "kept")
    write(lowest / "a" / "gone")
    write(own / "a" / "kept")
    write(own / "a" / "new")
    take_away(own / "a" / "gone")
    assert changes(layers) == {
        "/a": "modified",
        "/a/kept": "modified",
        "/a/new": "added",
        "/a/gone": "deleted",
    }


def test_what_a_layer_in_between_took_away_is_new_again(layers: list[Path]) -> None:
    own, middle, lowest = layers
    write(lowest / "a" / "file")
    write(lowest / "b" / "file")
    take_away(middle / "a" / "file")
    take_away(middle / "b")
    write(own / "a" / "file")
    write(own / "b" / "file")
    found = changes(layers)
    assert (found["/a"], found["/a/file"]) == ("modified", "added")
    assert (found["/b"], found["/b/file"]) == ("added", "added")


def test_folders_deeper_than_a_path_may_be_are_not_followed(layers: list[Path]) -> None:
    own, *_ = layers
    here = os.open(own, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    found = changes_in(layers)
    assert 10 < len(found) < 30
    assert set(found.values()) == {"added"}


def test_layers_out_of_reach_are_none() -> None:
    assert layers_of({"GraphDriver": {"Data": None}}) == ()
    assert layers_of({}) == ()
    nowhere = {"UpperDir": "/no/where", "LowerDir": "/no/where/else"}
    assert layers_of({"GraphDriver": {"Data": nowhere}}) == ()


def test_paths_are_absolute(layers: list[Path]) -> None:
    write(layers[0] / "x")
    assert PurePosixPath("/x") in changes_in(layers)
