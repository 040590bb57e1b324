"""One verification: what a patch that cannot be applied is told."""

from __future__ import annotations

import pytest

from eval.verify import verify
from sandbox.fake import FakeHost, did
from tasks.task import Issue, Oracle, Task

TASK = Task(
    issue=Issue(id="t", statement="s", repo="r", base_commit="c", image="i"),
    oracle=Oracle(
        eval_script="", fail_to_pass=("f",), pass_to_pass=(), log_parser="parse_log_pytest"
    ),
)
WELL_FORMED = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"


@pytest.mark.parametrize(
    ("patch", "fits"),
    [(WELL_FORMED, True), (WELL_FORMED.replace("-1 +1", "-1,9 +1,9"), False)],
)
async def test_a_patch_that_does_not_apply_is_told_whether_it_is_a_patch(
    patch: str, fits: bool
) -> None:
    host = FakeHost(lambda _, __, ___: did(exit_code=1, stdout=b"$ git apply\n"))
    verdict = await verify(TASK, patch, host)
    assert verdict.outcome == "not_applied"
    assert verdict.note
    assert (verdict.note == "The patch does not fit the files.") == fits
    assert host.opened == host.closed == 1
