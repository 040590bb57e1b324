"""Of output that is too long, the beginning and the end are kept, and memory stays small."""

from __future__ import annotations

import pytest

from sandbox.stream import Output


@pytest.mark.parametrize("limit", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("step", [1, 3, 64])
def test_beginning_and_end_are_kept(limit: int, step: int) -> None:
    written = bytes(range(256))
    output = Output(limit)
    for start in range(0, len(written), step):
        output.add(written[start : start + step])
    kept = bytes(output)
    head, tail = limit - limit // 2, limit // 2
    assert kept == written[:head] + written[len(written) - tail :]
    assert output.truncated


def test_what_fits_is_whole() -> None:
    output = Output(10)
    output.add(b"01234")
    output.add(b"56789")
    assert bytes(output) == b"0123456789"
    assert not output.truncated
