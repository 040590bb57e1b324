"""Runs for the pages of the view, with all that a sample may hold, and text that means harm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.backend import Message, ToolCall, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn
from eval.sample import Failure, Sample, SampleKey
from eval.store import Store
from eval.suspicions.suspicion import Suspicion
from eval.verdict import Outcome, Verdict

SMALL, LARGE = "vllm:qwen-0.5b", "openai:large"
STRATEGY = "loop"
HOSTILE = (
    "<script>document.title='taken'; alert(1)</script></pre></details>"
    '<img src=x onerror="alert(2)"> " autofocus onfocus=\'alert(3)\' <!-- <![CDATA[ '
    "{{ 7*7 }} {% endraw %} javascript:alert(4) &lt;b&gt; \u202egnp.exe\u2066 a\x00b "
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 "
)
HALF = "\udcff"
"""Half of a character: models write it, and the files keep it in texts that have digests."""

PATCH = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
LOG = """\
=================================== FAILURES ===================================
_______________________________ TestBox.test_area ______________________________
    assert Box(2, 3).area() == 6
E   assert 5 == 6
_________________________________ test_name[x] _________________________________
E   KeyError: 'x'
=========================== short test summary info ============================
FAILED tests/test_box.py::TestBox::test_area - assert 5 == 6
"""


def config(
    task_ids: Sequence[str],
    *,
    models: Sequence[str] = (SMALL, LARGE),
    samples: int = 4,
    **more: Any,
) -> dict[str, Any]:
    """What `ksolve run` would keep as the run's configuration."""
    return {
        "tasks": "nowhere.jsonl",
        "tasks_digest": "d",
        "task_ids": list(task_ids),
        "arms": [[model, STRATEGY] for model in models],
        "prices": dict.fromkeys(models, "$0.1 an accelerator hour"),
        "settings": {f"{STRATEGY} by {models[0]}": {"temperature": 0.8}},
        "samples": [samples] * len(models),
        "budgets": [5.0, None, None],
        "flaky": [],
    } | more


def key(task: str, index: int = 0, model: str = SMALL) -> SampleKey:
    return SampleKey(task_id=task, model=model, strategy=STRATEGY, index=index)


def says(role: Any, content: str, **more: Any) -> Turn:
    return Turn(message=Message(role=role, content=content), **more)


def turns(text: str = "I look at it.", *, tool: str = "bash", told: str = "x.py") -> list[Turn]:
    """A prompt, a step of the model with a tool call, and what came of it."""
    call = ToolCall(id="c1", name=tool, arguments=json.dumps({"command": f"ls {told}"}))
    asked = Message(role="assistant", content=text, tool_calls=(call,))
    seen = Message(role="tool", content=told, tool_call_id="c1")
    return [
        says("system", f"You mend code. {text}"),
        Turn(message=asked, usage=Usage(input_tokens=9, output_tokens=3, calls=1), seconds=1.0),
        Turn(message=seen, exit_code=0, seconds=0.1),
    ]


def sample(
    which: SampleKey,
    *,
    patch: str = PATCH,
    trajectory: Sequence[Turn] | None = None,
    cost: float | None = 0.01,
    note: str = "",
) -> Sample:
    proposal = Proposal(
        patch=patch,
        stop="patch" if patch else "empty",
        note=note,
        usage=Usage(input_tokens=1000, cached_tokens=700, output_tokens=50, calls=1),
        seconds=2.5,
        prompt_digest="p",
        trajectory=tuple(turns() if trajectory is None else trajectory),
    )
    return Sample(
        key=which, proposal=proposal, strategy_version="1", seed=7, temperature=0.8, cost=cost
    )


def judge(
    store: Store, which: SampleKey, outcome: Outcome = "resolved", *, log: str = "fine", **more: Any
) -> None:
    """Keep a verdict of one's own for a sample."""
    name = "/".join(map(str, (which.task_id, which.model, which.strategy, which.index)))
    store.add_verdict(which, name, Verdict(outcome=outcome, log=log, seconds=1.0, **more))


def add(store: Store, which: SampleKey, outcome: Outcome | None = "resolved", **more: Any) -> None:
    """Draw a sample and judge it, where an outcome is given."""
    store.add_sample(sample(which, **more))
    if outcome is not None:
        judge(store, which, outcome)


def suspicion(text: str, line: int = 0) -> Suspicion:
    return Suspicion(kind="early exit", path=text, line=line, code=text, sentence=text)


def record(folder: Path) -> Path:
    """Make a run of two issues and two models; one sample awaits its verdict, one failed."""
    with Store(folder) as store:
        store.begin(config(["a__b-1", "a__b-2"]))
        for index, outcome in enumerate[Outcome](("unresolved", "resolved", "resolved")):
            add(store, key("a__b-1", index), outcome)
        add(store, key("a__b-1", 0, LARGE), None)
        store.add_sample(sample(key("a__b-2", 0, LARGE)))
        failing = ("tests/test_box.py::TestBox::test_area",)
        judge(
            store,
            key("a__b-2", 0, LARGE),
            "unresolved",
            log=LOG,
            missing_fail_to_pass=failing,
            missing_pass_to_pass=("tests/test_box.py::test_name[x]", "tests/gone.py::test_gone"),
            exit_code=1,
            note="applied by git apply",
        )
        failure = Failure(key=key("a__b-2", 3), stage="sample", message="the server went away")
        store.add_failure(failure)
    return folder


def record_hostile(folder: Path, text: str = HOSTILE) -> Path:
    """Make a run in which every text that somebody else writes is this one."""
    name = f"{text}#{text}"
    with Store(folder) as store:
        store.begin(
            config(
                [f"{text}-1", "plain"],
                models=[name, f"{name} 2"],
                tasks=text,
                prices={name: text},
                settings={text: {text: text}},
            )
        )
        which = SampleKey(task_id=f"{text}-1", model=name, strategy=STRATEGY, index=0)
        other = SampleKey(task_id=f"{text}-1", model=name, strategy=STRATEGY, index=1)
        said = turns(f"{text}{HALF}\n```python\n{text}\n```\n", tool=text, told=text + HALF)
        for one in (which, other):
            patch = f"{PATCH}+{text}{HALF}\n"
            store.add_sample(sample(one, patch=patch, trajectory=said, note=text))
            judge(
                store,
                one,
                "unresolved",
                log=f"____ {text} ____\n{text}{HALF}\n",
                note=text,
                missing_fail_to_pass=(f"t.py::{text}",),
                missing_pass_to_pass=(text,),
                suspicions=(suspicion(text),),
            )
        lost = SampleKey(task_id="plain", model=name, strategy=STRATEGY, index=3)
        store.add_failure(Failure(key=lost, stage="sample", message=text))
    return folder
