"""A sweep against a real endpoint that fails in mid-run: nothing is lost, nothing is paid twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.backend import Backend, Message, Sampling
from agent.endpoint.attempt import Timing
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.retry import ATTEMPTS_BILLED
from agent.models import Model
from agent.price import UNKNOWN, Price
from agent.seeds import sample_seed
from agent.strategy import Proposal
from agent.trajectory import turns_of
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.plan import Plan, Solver
from eval.store import Store
from eval.sweep import Sweep
from sandbox.fake import FakeHost
from sandbox.sandbox import SandboxHost
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task
from tests.agent.loopback import WORDS, Asked, Endpoint, Reply, completion, error

PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = {}\n"
PRICE = Price(input=0.0, output=1_000_000.0)
# One dollar an output token.
ANSWER = WORDS["completion_tokens"]
MOST = 20
SEED = 100
SAMPLES = 3
TASKS = ("t0", "t1")
EVERY = {(task, index): 1 for task in TASKS for index in range(SAMPLES)}


def _task(name: str) -> Task:
    issue = Issue(id=name, statement="mend it", repo="r", base_commit="c", image=f"image-{name}")
    oracle = Oracle(
        eval_script="cd /testbed\n: '>>>>> Start Test Output'\nrun\n: '>>>>> End Test Output'\n",
        fail_to_pass=("run",),
        pass_to_pass=(),
        log_parser=EXIT_CODE_PARSER,
    )
    return Task(issue=issue, oracle=oracle)


class Verbatim:
    """A strategy whose patch is the model's answer."""

    name = "verbatim"
    version = "1"

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        prompt = (Message(role="user", content=issue.id),)
        completion = await backend.complete(prompt, sampling)
        return Proposal(
            patch=completion.text,
            stop="patch" if completion.text else "empty",
            note="",
            usage=completion.usage,
            seconds=0.0,
            prompt_digest=issue.id,
            trajectory=turns_of(prompt),
        )


class Provider:
    """Answers the keys that are good, and keeps its own books of what it billed and for what."""

    def __init__(self) -> None:
        self.good = {"key-1"}
        self.expires_after: int | None = None
        # Answers.
        self.refusal = Reply(status=401, body=error("the key has expired"))
        self.faulty: dict[tuple[str, int], Reply] = {}
        self.billed: Counter[tuple[str, int]] = Counter()
        self.refused = 0

    def __call__(self, asked: Asked) -> Reply:
        if self.billed.total() == self.expires_after:
            self.good.discard("key-1")
        if asked.headers["authorization"].removeprefix("Bearer ") not in self.good:
            self.refused += 1
            return self.refusal
        issue = asked.body["messages"][0]["content"]
        index = asked.body["seed"] - sample_seed(SEED, issue, "m", Verbatim.name, index=0)
        sample = issue, index
        if sample in self.faulty:
            return self.faulty[sample]
        self.billed[sample] += 1
        return Reply(body=completion(PATCH.format(index)))


async def _session(
    server: Endpoint,
    folder: Path,
    *,
    key: str = "key-1",
    limit: float | None = None,
    longest: float = 60.0,
    price: Price = PRICE,
) -> Sweep:
    """Run one session of the sweep, as a process of its own would."""
    backend = OpenAIBackend(
        name="m",
        model="model",
        base_url=server.url,
        api_key=key,
        key_variable="TEST_API_KEY",
        in_flight=2,
        context_window=4096,
        timing=Timing(longest=longest, patience=0.02, first_wait=0.001),
    )
    solver = Solver(
        model=Model(name="m", backend=backend, price=price),
        strategy=Verbatim(),
        sampling=Sampling(seed=SEED, max_tokens=MOST),
    )
    plan = Plan(tasks=[_task(name) for name in TASKS], solvers=[solver], samples=SAMPLES)
    right = PATCH.format(1)
    with Store(folder) as store:
        budgets = Budgets(Budget(limit, spent=store.spent()))
        sweep = Sweep(
            plan, store, FakeHost(evaluating(lambda patch: patch == right)), budgets=budgets
        )
        await sweep.run()
        assert budgets.run.spent == pytest.approx(store.spent())
    return sweep


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(status=401, body=error("the key has expired", "invalid_api_key")),
        Reply(status=429, body=error("You exceeded your quota", "insufficient_quota")),
        Reply(status=402, body=error("Insufficient Balance")),
    ],
    ids=["expired", "quota", "balance"],
)
async def test_a_key_that_expires_in_mid_run_leaves_what_was_drawn_paid_once_and_the_rest_pending(
    tmp_path: Path, refusal: Reply
) -> None:
    provider = Provider()
    provider.expires_after, provider.refusal = 4, refusal
    with Endpoint(otherwise=provider) as server:
        first = await _session(server, tmp_path)
        assert "TEST_API_KEY" in str(first.unusable["m"])
        with Store(tmp_path) as store:
            assert {(row.task_id, row.index) for row in store.rows()} == provider.billed.keys()
            assert provider.billed.total() == 4
            assert store.spent() == 4 * ANSWER
            assert store.failures() == []
            assert store.unverified() == []
        # Nobody goes on asking with a key that is known to be bad: one for each in flight.
        assert provider.refused <= 2

        await _session(server, tmp_path)  # With the same key, by mistake.
        assert provider.billed.total() == 4

        provider.good.add("key-2")
        last = await _session(server, tmp_path, key="key-2")
    assert last.unusable == {}
    assert provider.billed == EVERY
    with Store(tmp_path) as store:
        assert store.spent() == len(EVERY) * ANSWER
        assert {(row.task_id, row.index) for row in store.rows()} == EVERY.keys()
        assert store.unverified() == []
        assert store.solved() == set(TASKS)


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        (Reply(status=500), 0),
        (Reply(status=429, headers={"Retry-After": "86400"}), 0),
        (Reply(cut=True), ATTEMPTS_BILLED),
        (Reply(body=b"<html>"), ATTEMPTS_BILLED),
        (Reply(endless=b" "), ATTEMPTS_BILLED),
    ],
    ids=["500", "come back tomorrow", "cut off", "html", "endless"],
)
async def test_a_sample_that_fails_is_paid_as_far_as_it_may_be_billed_and_stays_pending(
    tmp_path: Path, fault: Reply, lost: int
) -> None:
    provider = Provider()
    provider.faulty = {("t1", 2): fault}
    soon = 60.0 if fault.endless is None else 1.0
    with Endpoint(otherwise=provider) as server:
        first = await _session(server, tmp_path, limit=10_000.0, longest=soon)
        assert first.unusable == {}
        with Store(tmp_path) as store:
            (failure,) = store.failures()
            assert (failure.key.task_id, failure.key.index, failure.stage) == ("t1", 2, "sample")
            assert failure.cost == lost * MOST
            assert failure.usage is not None
            assert bool(failure.usage.input_tokens) == bool(lost)
            assert failure.usage.calls >= lost
            assert store.spent() == 5 * ANSWER + lost * MOST

        provider.faulty = {}
        await _session(server, tmp_path, limit=10_000.0)
    assert provider.billed == EVERY
    with Store(tmp_path) as store:
        assert store.spent() == len(EVERY) * ANSWER + lost * MOST
        assert {(row.task_id, row.index) for row in store.rows()} == EVERY.keys()


async def test_what_a_draw_cost_before_the_key_expired_is_booked(tmp_path: Path) -> None:
    provider = Provider()
    provider.expires_after = 2

    def losing(asked: Asked) -> Reply:
        # Lost on its way, and the key has expired by the time that it is asked for again.
        if provider.billed.total() == 2 and provider.good == {"key-1"}:
            provider.good.clear()
            return Reply(cut=True)
        return provider(asked)

    with Endpoint(otherwise=losing) as server:
        sweep = await _session(server, tmp_path, limit=10_000.0)
    assert "TEST_API_KEY" in str(sweep.unusable["m"])
    with Store(tmp_path) as store:
        assert store.spent() == 2 * ANSWER + MOST


async def test_what_failed_before_it_used_anything_cost_nothing_whatever_the_price(
    tmp_path: Path,
) -> None:
    provider = Provider()
    provider.faulty["t0", 1] = Reply(status=500, body=error("down"))
    with Endpoint(otherwise=provider) as server:
        await _session(server, tmp_path, price=UNKNOWN)
    with Store(tmp_path) as store:
        (failure,) = store.failures()
        assert failure.usage is not None
        assert failure.usage.calls > 0
        assert failure.cost == 0.0
        assert {row.cost for row in store.rows()} == {None}
