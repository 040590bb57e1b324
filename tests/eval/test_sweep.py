"""The main loop: all that is pending is drawn and judged once, and faults are nobody's answer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

from agent.backend import (
    Backend,
    BackendError,
    BackendUnusableError,
    Book,
    Completion,
    Message,
    Sampling,
    Tool,
    Usage,
    no_book,
)
from agent.models import Model
from agent.price import UNKNOWN, Price
from agent.scripted import ANSWER_WORDS, ScriptedBackend
from agent.strategy import Proposal
from agent.trajectory import turns_of
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.observer import Observer
from eval.plan import Plan, Solver
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.sweep import FAULTS_IN_A_ROW, Sweep, SweepHaltedError
from eval.verdict import Verdict
from sandbox.fake import FakeHost, FakeSandbox
from sandbox.sandbox import ExecResult, SandboxError, SandboxHost
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

RIGHT = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
WRONG = RIGHT.replace("+a = 2", "+a = 3")
PRICE = Price(input=0.0, output=1_000_000.0)
# One dollar an output word.


def task(name: str) -> Task:
    issue = Issue(id=name, statement="mend it", repo="r", base_commit="c", image=f"image-{name}")
    oracle = Oracle(
        eval_script=("cd /testbed\n: '>>>>> Start Test Output'\nrun\n: '>>>>> End Test Output'\n"),
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
        self,
        issue: Issue,
        backend: Backend,
        sandboxes: SandboxHost,
        sampling: Sampling,
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


passing_for_right = evaluating(lambda patch: patch == RIGHT)


Script = Callable[[Sequence[Message], Sampling], str | BackendError]


def solver(script: Script, *, name: str = "m", price: Price = PRICE, in_flight: int = 4) -> Solver:
    backend = ScriptedBackend(script, name=name, in_flight=in_flight)
    model = Model(name=name, backend=backend, price=price)
    return Solver(model=model, strategy=Verbatim(), sampling=Sampling(seed=100))


def second_is_right(_: Sequence[Message], sampling: Sampling) -> str:
    return RIGHT if sampling.index == 1 else WRONG


def plan(*solvers: Solver, samples: int = 3, tasks: int = 2, until_solved: bool = False) -> Plan:
    return Plan(
        tasks=[task(f"t{n}") for n in range(tasks)],
        solvers=solvers,
        samples=samples,
        until_solved=until_solved,
    )


class Seen(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.judged: list[tuple[SampleKey, str, bool]] = []
        self.told: list[str] = []
        self.first = asyncio.Event()

    def sampled(self, sample: Sample) -> None:
        self.told.append("sampled")

    def holding(self, *, verdicts_wait: bool) -> None:
        self.told.append("verdicts wait" if verdicts_wait else "verdicts go on")

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
        self.told.append("verified")
        self.judged.append((key, verdict.outcome, reused))
        self.first.set()


async def test_everything_pending_is_drawn_judged_and_paid_once(tmp_path: Path) -> None:
    host, seen = FakeHost(passing_for_right), Seen()
    with Store(tmp_path) as store:
        await Sweep(plan(solver(second_is_right)), store, host, observer=seen).run()
        outcomes = {(row.task_id, row.index): row.outcome for row in store.rows()}
        assert outcomes == {
            (name, index): "resolved" if index == 1 else "unresolved"
            for name in ("t0", "t1")
            for index in range(3)
        }
        assert store.spent() == pytest.approx(
            sum(len(p.split()) for p in (RIGHT, WRONG, WRONG)) * 2
        )
        assert len(seen.judged) == 6
        assert host.opened == host.closed

        again = solver(second_is_right)
        await Sweep(plan(again), store, host).run()
        assert isinstance(again.model.backend, ScriptedBackend)
        assert again.model.backend.calls == 0


async def test_identical_patches_of_a_task_are_verified_once(tmp_path: Path) -> None:
    host, seen = FakeHost(passing_for_right), Seen()
    with Store(tmp_path) as store:
        many = plan(solver(lambda _, __: WRONG), samples=8, tasks=2)
        await Sweep(many, store, host, observer=seen, workers=4).run()
    assert len(seen.judged) == 16
    assert sum(not reused for _, _, reused in seen.judged) == 2
    assert host.opened == 2 * len(("base", "base again", "candidate"))


async def test_more_samples_continue_where_the_run_stopped(tmp_path: Path) -> None:
    host = FakeHost(passing_for_right)
    with Store(tmp_path) as store:
        await Sweep(plan(solver(second_is_right), samples=1), store, host).run()
        more = solver(second_is_right)
        await Sweep(plan(more, samples=3), store, host).run()
        assert isinstance(more.model.backend, ScriptedBackend)
        assert more.model.backend.calls == 4
        assert store.solved() == {"t0", "t1"}


async def test_a_pending_verdict_is_made_up_without_sampling_again(tmp_path: Path) -> None:
    def broken(_: Sequence[str], __: bytes, ___: FakeSandbox) -> ExecResult:
        raise SandboxError("the daemon is gone")

    with Store(tmp_path) as store:
        await Sweep(plan(solver(second_is_right), tasks=1), store, FakeHost(broken)).run()
        assert len(store.unverified()) == 3
        assert {failure.stage for failure in store.failures()} == {"verify"}
        spent = store.spent()
        idle = solver(second_is_right)
        await Sweep(plan(idle, tasks=1), store, FakeHost(passing_for_right)).run()
        assert store.unverified() == []
        assert store.failures() == []
        assert store.spent() == spent


async def test_sandboxes_that_all_fail_stop_the_sweep_and_keep_what_was_drawn(
    tmp_path: Path,
) -> None:
    def broken(_: Sequence[str], __: bytes, ___: FakeSandbox) -> ExecResult:
        raise SandboxError("the daemon is gone")

    distinct = solver(lambda _, sampling: f"{WRONG}# {sampling.seed}")
    with Store(tmp_path) as store:
        with pytest.raises(SweepHaltedError, match="the daemon is gone"):
            await Sweep(
                plan(distinct, samples=FAULTS_IN_A_ROW, tasks=1), store, FakeHost(broken), workers=8
            ).run()
        assert store.unverified()


class Breaking(Verbatim):
    """A strategy with a defect that some answers bring out."""

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        proposal = await super().propose(issue, backend, sandboxes, sampling)
        assert "defect" not in proposal.patch, "a link leads to \udcff\x1b[2J"
        return proposal


async def test_an_error_that_nobody_foresaw_is_a_failure_of_its_sample_alone(
    tmp_path: Path,
) -> None:
    """An AssertionError at one command of one agent ended the whole run."""

    def answers(_: Sequence[Message], sampling: Sampling) -> str:
        return {0: "defect", 1: RIGHT}.get(sampling.index, WRONG)

    breaking = dataclasses.replace(solver(answers), strategy=Breaking())
    with Store(tmp_path) as store:
        sweep = Sweep(plan(breaking, tasks=2), store, FakeHost(passing_for_right))
        await sweep.run()
        assert sweep.ending == "failed"
        assert store.drawn("m", "verbatim") == {"t0": {1, 2}, "t1": {1, 2}}
        assert store.unverified() == []
        failures = store.failures()
        assert [(failure.key.index, failure.stage) for failure in failures] == [(0, "sample")] * 2
        assert "AssertionError: a link leads to" in failures[0].message
        assert "test_sweep.py:" in failures[0].message
        # The answer was paid for.
        assert failures[0].cost == pytest.approx(1.0)


async def test_an_error_that_nobody_foresaw_in_a_verdict_leaves_the_others(tmp_path: Path) -> None:
    def judging(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        if WRONG.encode() in stdin:
            raise AssertionError
        return passing_for_right(argv, stdin, sandbox)

    with Store(tmp_path) as store:
        await Sweep(plan(solver(second_is_right), tasks=1), store, FakeHost(judging)).run()
        assert store.solved() == {"t0"}
        assert {failure.stage for failure in store.failures()} == {"verify"}
        assert "This is a defect of ksolve" in store.failures()[0].message


async def test_defects_at_all_samples_stop_the_sweep_before_all_are_paid_for(
    tmp_path: Path,
) -> None:
    breaking = dataclasses.replace(
        solver(lambda *_: "defect", in_flight=1), strategy=Breaking(), samples=50
    )
    with Store(tmp_path) as store:
        with pytest.raises(SweepHaltedError, match="samples failed one after another"):
            await Sweep(plan(breaking, tasks=1), store, FakeHost(passing_for_right)).run()
        assert store.spent() == pytest.approx(FAULTS_IN_A_ROW)


async def test_a_failed_draw_is_a_failure_that_stays_pending_and_paid(tmp_path: Path) -> None:
    def flaky(_: Sequence[Message], sampling: Sampling) -> str | BackendError:
        if sampling.index == 1:
            error = BackendError("HTTP 500 after retries")
            error.usage = Usage(output_tokens=2, calls=1)
            return error
        return WRONG

    with Store(tmp_path) as store:
        await Sweep(plan(solver(flaky), tasks=1), store, FakeHost(passing_for_right)).run()
        (failure,) = store.failures()
        assert (failure.key.index, failure.stage) == (1, "sample")
        # The fake books the time itself.
        assert failure.usage is not None
        assert failure.usage.calls == 1
        assert failure.usage.accelerator_seconds > 0
        assert store.failed()["m", "verbatim"].usage == failure.usage
        assert store.drawn("m", "verbatim") == {"t0": {0, 2}}


async def test_an_unusable_model_stops_alone(tmp_path: Path) -> None:
    def refused(_: Sequence[Message], __: Sampling) -> str | BackendError:
        return BackendUnusableError("wrong key", bad_input=True)

    with Store(tmp_path) as store:
        both = plan(solver(refused, name="bad"), solver(second_is_right, name="good"))
        sweep = Sweep(both, store, FakeHost(passing_for_right))
        await sweep.run()
        assert set(sweep.unusable) == {"bad"}
        assert {row.model for row in store.rows()} == {"good"}
        assert len(list(store.rows())) == 6


async def test_what_was_used_before_a_model_became_unusable_is_kept_whatever_its_price(
    tmp_path: Path,
) -> None:
    def refused(_: Sequence[Message], __: Sampling) -> str | BackendError:
        return BackendUnusableError("the server is gone")

    with Store(tmp_path) as store:
        unpriced = plan(solver(refused, price=UNKNOWN, in_flight=1))
        await Sweep(unpriced, store, FakeHost(passing_for_right)).run()
        (failure,) = store.failures()
        assert (failure.cost, failure.usage and failure.usage.calls) == (None, 1)


async def test_a_budget_is_not_exceeded_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    words = len(WRONG.split())
    host = FakeHost(passing_for_right)
    with Store(tmp_path) as store:
        first = solver(lambda _, __: WRONG, in_flight=16)
        limited = plan(first, samples=20)
        bound = PRICE.bound(1, ANSWER_WORDS)
        assert bound is not None
        budget = Budget(bound + 5 * words)
        sweep = Sweep(limited, store, host, budgets=Budgets(budget))
        await sweep.run()
        assert sweep.budget_spent
        drawn = len(list(store.rows()))
        assert 0 < drawn < 40
        assert store.spent() <= bound + 5 * words
        wider = Budget(2 * bound, spent=store.spent())
        await Sweep(limited, store, host, budgets=Budgets(wider)).run()
        assert len(list(store.rows())) > drawn


async def test_a_budget_needs_a_price(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        sweep = Sweep(
            plan(solver(second_is_right, price=UNKNOWN)),
            store,
            FakeHost(passing_for_right),
            budgets=Budgets(Budget(1.0)),
        )
        await sweep.run()
        assert "price" in str(sweep.unusable["m"])
        assert list(store.rows()) == []


async def test_until_solved_draws_no_more_of_a_solved_task(tmp_path: Path) -> None:
    host = FakeHost(passing_for_right)
    with Store(tmp_path) as store:
        only = solver(lambda _, __: RIGHT, in_flight=1)
        await Sweep(plan(only, samples=500, tasks=1, until_solved=True), store, host).run()
        assert store.solved() == {"t0"}
        assert len(list(store.rows())) < 500
        before = len(list(store.rows()))
        await Sweep(plan(only, samples=500, tasks=1, until_solved=True), store, host).run()
        assert len(list(store.rows())) == before


async def test_cancelling_leaves_no_sandbox_open_and_a_run_that_continues(tmp_path: Path) -> None:
    host, seen = FakeHost(passing_for_right), Seen()
    # The first verdict waits for swebench to be imported, which takes seconds.
    slow = ScriptedBackend(second_is_right, name="m", in_flight=2, delay=1.0)
    model = Model(name="m", backend=slow, price=PRICE)
    wanted = plan(Solver(model=model, strategy=Verbatim(), sampling=Sampling(seed=100)), samples=9)
    with Store(tmp_path) as store:
        running = asyncio.create_task(Sweep(wanted, store, host, observer=seen).run())
        await seen.first.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert host.opened == host.closed
        assert len(list(store.rows())) < 18
        fast = Model(name="m", backend=ScriptedBackend(second_is_right, name="m"), price=PRICE)
        rest = Solver(model=fast, strategy=Verbatim(), sampling=Sampling(seed=100))
        await Sweep(plan(rest, samples=9), store, host).run()
        assert len(list(store.rows())) == 18
        assert store.unverified() == []


def computing_here(*, samples: int, until_solved: bool = False) -> Plan:
    """Two tasks for a model on this machine's processor, which is slower than a verdict."""
    backend = ScriptedBackend(
        second_is_right, name="m", in_flight=1, delay=0.02, uses_processor=True
    )
    model = Model(name="m", backend=backend, price=PRICE)
    local = Solver(model=model, strategy=Verbatim(), sampling=Sampling(seed=100))
    return plan(local, samples=samples, until_solved=until_solved)


async def test_verdicts_wait_while_a_model_needs_the_processor(tmp_path: Path) -> None:
    seen = Seen()
    with Store(tmp_path) as store:
        wanted = computing_here(samples=3)
        await Sweep(wanted, store, FakeHost(passing_for_right), observer=seen).run()
        assert store.unverified() == []
    drawn = ["verdicts wait", *["sampled"] * 6, "verdicts go on"]
    assert seen.told == [*drawn, *["verified"] * 6]


async def test_verdicts_that_decide_what_is_drawn_do_not_wait(tmp_path: Path) -> None:
    seen = Seen()
    with Store(tmp_path) as store:
        wanted = computing_here(samples=500, until_solved=True)
        await Sweep(wanted, store, FakeHost(passing_for_right), observer=seen).run()
        assert store.solved() == {"t0", "t1"}
    assert "verdicts wait" not in seen.told
    assert seen.told.count("sampled") < 1000


class Entered(ScriptedBackend):
    """Counts how often it is entered, and answers only in between."""

    entered = 0
    is_open = False

    async def __aenter__(self) -> Self:
        self.entered += 1
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        assert self.is_open
        return await super().complete(messages, sampling, tools, book=book)


async def test_strategies_of_one_model_share_its_server_and_its_places(tmp_path: Path) -> None:
    backend = Entered(lambda *_: WRONG, name="m", in_flight=2, delay=0.001)
    model = Model(name="m", backend=backend, price=PRICE)
    solvers = [
        Solver(model=model, strategy=Verbatim(), sampling=Sampling(), label=label, samples=count)
        for label, count in (("wide", 5), ("deep", 2))
    ]
    with Store(tmp_path) as store:
        await Sweep(plan(*solvers, samples=9), store, FakeHost(passing_for_right)).run()
        drawn = Counter((row.task_id, row.strategy) for row in store.rows())
    assert drawn == {(t, s): n for t in ("t0", "t1") for s, n in (("wide", 5), ("deep", 2))}
    assert backend.entered == 1
    assert backend.most_in_flight == 2


async def test_a_refused_key_ends_all_strategies_of_its_model(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda *_: BackendUnusableError("no key"), name="m", in_flight=2)
    model = Model(name="m", backend=backend, price=PRICE)
    solvers = [
        Solver(model=model, strategy=Verbatim(), sampling=Sampling(), label=label)
        for label in ("wide", "deep")
    ]
    with Store(tmp_path) as store:
        sweep = Sweep(plan(*solvers, samples=9), store, FakeHost(passing_for_right))
        await sweep.run()
        assert list(store.rows()) == []
    assert "no key" in str(sweep.unusable["m"])
    assert backend.calls <= 2
