"""One prompt, one completion, one patch: with the scripted model and a repository run by tar."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Sequence

import pytest

from agent.backend import BackendError, ContextOverflowError, Message, Sampling
from agent.oneshot import Oneshot
from agent.prompts import ContextKind
from agent.scripted import ScriptedBackend
from agent.strategy import Proposal
from sandbox.fake import FakeHost, FakeSandbox
from sandbox.sandbox import ExecResult, SandboxError
from tasks.task import Issue

CODE = "def area(width, height):\n    return width + height\n"
FIX = (
    "shapes/area.py\n<<<<<<< SEARCH\n    return width + height\n=======\n"
    "    return width * height\n>>>>>>> REPLACE\n"
)
ISSUE = Issue(
    id="shapes-1",
    statement="area(2, 3) is 5, not 6",
    repo="shapes",
    base_commit="c",
    image="shapes:1",
    hints="Use a star.",
)
SAMPLING = Sampling(max_tokens=100)


class Repository:
    """Answers what a sandbox would, for a repository that is a dict."""

    def __init__(self, files: dict[str, str], failures: int = 0) -> None:
        self.files = files
        self.failures = failures
        self.host = FakeHost(self.answer)

    def answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        if self.failures:
            self.failures -= 1
            raise SandboxError("The engine is away.")
        outputs = {"tar": self.archive, "bash": self.listing, "sh": self.history}
        return ExecResult(
            exit_code=0,
            stdout=outputs[argv[0]](),
            stderr=b"",
            truncated=False,
            timed_out=False,
            seconds=0.0,
        )

    def history(self) -> bytes:
        """What `sandbox.history` is told where there is no git."""
        return b"end\n"

    def listing(self) -> bytes:
        return "".join(f"{len(t)} regular file:{p}\0" for p, t in self.files.items()).encode()

    def archive(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, text in self.files.items():
                member = tarfile.TarInfo(f"./{path}")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return buffer.getvalue()


def shapes() -> Repository:
    return Repository({"shapes/area.py": CODE, "README.md": "Shapes.\n"})


def answering(text: str, context_window: int = 32_768) -> ScriptedBackend:
    return ScriptedBackend(lambda messages, sampling: text, context_window=context_window)


def messages(proposal: Proposal) -> tuple[Message, ...]:
    return tuple(turn.message for turn in proposal.trajectory)


def shown(prompt: Sequence[Message]) -> str:
    return "\n".join(message.content for message in prompt)


async def test_an_edit_becomes_a_patch_with_its_whole_conversation() -> None:
    proposal = await Oneshot().propose(ISSUE, answering(FIX), shapes().host, SAMPLING)
    assert (proposal.stop, proposal.note) == ("patch", "")
    assert "-    return width + height\n+    return width * height\n" in proposal.patch
    assert messages(proposal)[-1] == Message(role="assistant", content=FIX)
    assert CODE in shown(messages(proposal)[:-1])
    assert ISSUE.statement in shown(messages(proposal)[:-1])
    assert proposal.usage.calls == 1


async def test_hints_are_not_shown() -> None:
    proposal = await Oneshot().propose(ISSUE, answering(FIX), shapes().host, SAMPLING)
    assert ISSUE.hints not in shown(messages(proposal))


async def test_samples_of_an_issue_share_one_prompt_and_one_reading() -> None:
    repository, strategy, backend = shapes(), Oneshot(), answering(FIX)
    draws = (
        strategy.propose(ISSUE, backend, repository.host, Sampling(max_tokens=100, seed=seed))
        for seed in range(6)
    )
    proposals = await asyncio.gather(*draws)
    assert repository.host.opened == 1
    assert len({proposal.prompt_digest for proposal in proposals}) == 1
    assert len({messages(proposal)[:-1] for proposal in proposals}) == 1


async def test_other_issues_of_a_repository_share_its_reading_but_not_the_prompt() -> None:
    repository, strategy, backend = shapes(), Oneshot(), answering(FIX)
    other = Issue(id="shapes-2", statement="no colours", repo="", base_commit="c", image="shapes:1")
    first = await strategy.propose(ISSUE, backend, repository.host, SAMPLING)
    second = await strategy.propose(other, backend, repository.host, SAMPLING)
    assert repository.host.opened == 1
    assert first.prompt_digest != second.prompt_digest


async def test_the_prompt_is_the_same_in_another_process() -> None:
    first = await Oneshot().propose(ISSUE, answering(FIX), shapes().host, SAMPLING)
    second = await Oneshot().propose(ISSUE, answering(""), shapes().host, SAMPLING)
    assert first.prompt_digest == second.prompt_digest


async def test_a_failure_of_the_sandbox_is_raised_and_not_remembered() -> None:
    repository, strategy = Repository({"shapes/area.py": CODE}, failures=1), Oneshot()
    with pytest.raises(SandboxError, match="engine is away"):
        await strategy.propose(ISSUE, answering(FIX), repository.host, SAMPLING)
    proposal = await strategy.propose(ISSUE, answering(FIX), repository.host, SAMPLING)
    assert proposal.stop == "patch"


async def test_a_sample_that_is_cancelled_does_not_take_the_others_with_it() -> None:
    repository, strategy, backend = shapes(), Oneshot(), answering(FIX)
    tasks = [
        asyncio.create_task(strategy.propose(ISSUE, backend, repository.host, SAMPLING))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [getattr(result, "stop", "") for result in results[1:]] == ["patch", "patch"]


async def test_a_failure_of_the_model_is_raised() -> None:
    backend = ScriptedBackend(lambda messages, sampling: BackendError("The endpoint is down."))
    with pytest.raises(BackendError, match="endpoint is down"):
        await Oneshot().propose(ISSUE, backend, shapes().host, SAMPLING)


@pytest.mark.parametrize(
    ("answer", "stop"),
    [
        ("", "empty"),
        (FIX.replace("*", "+"), "empty"),
        ("I do not know.", "unusable"),
        ("word " * 200, "length"),
    ],
)
async def test_an_answer_without_a_patch_is_kept_with_its_reason(answer: str, stop: str) -> None:
    proposal = await Oneshot().propose(ISSUE, answering(answer), shapes().host, SAMPLING)
    assert (proposal.patch, proposal.stop) == ("", stop)
    assert proposal.note
    assert messages(proposal)[-1].role == "assistant"


async def test_an_answer_that_was_cut_off_after_its_edit_is_a_patch_and_says_so() -> None:
    proposal = await Oneshot().propose(
        ISSUE, answering(FIX + "and " * 200), shapes().host, SAMPLING
    )
    assert proposal.stop == "patch"
    assert "cut off" in proposal.note


LARGE = {
    f"pkg/part_{n}.py": f"def part_{n}(value):\n    return value + {n}\n" * 50 for n in range(50)
}


@pytest.mark.parametrize("window", [700, 1_500, 4_000, 200_000])
async def test_the_prompt_fits_the_window_and_leaves_room_for_the_answer(window: int) -> None:
    issue = Issue(id="i", statement="part_7 is off. " * 100, repo="", base_commit="", image="i")
    backend = answering(FIX, context_window=window)
    repository = Repository(LARGE)
    proposal = await Oneshot(prompt_tokens=window).propose(
        issue, backend, repository.host, SAMPLING
    )
    assert proposal.stop != "context"
    assert await backend.count_tokens(messages(proposal)[:-1]) + 100 <= window
    assert "part_7 is off." in shown(messages(proposal))


async def test_a_larger_window_shows_more() -> None:
    small, large = answering(FIX, context_window=4_000), answering(FIX, context_window=100_000)
    issue = Issue(id="i", statement="part_7 is off.", repo="", base_commit="", image="i")
    little = await Oneshot().propose(issue, small, Repository(LARGE).host, SAMPLING)
    much = await Oneshot().propose(issue, large, Repository(LARGE).host, SAMPLING)
    assert len(shown(messages(much))) > 2 * len(shown(messages(little)))


async def test_a_small_window_is_asked_for_functions_and_a_larger_one_for_edits() -> None:
    few = await Oneshot().propose(ISSUE, answering(FIX, 8_192), shapes().host, SAMPLING)
    many = await Oneshot().propose(ISSUE, answering(FIX, 32_768), shapes().host, SAMPLING)
    assert "SEARCH" not in shown(messages(few)[:-1])
    assert "SEARCH" in shown(messages(many)[:-1])
    assert few.patch == many.patch != ""


async def test_a_small_window_is_shown_the_functions_in_question_and_nothing_else() -> None:
    repository = Repository({**LARGE, "pkg/odd.py": "def odd(value):\n    return value % 2 == 0\n"})
    issue = Issue(id="i", statement="`odd(2)` is True.", repo="", base_commit="", image="i")
    proposal = await Oneshot().propose(issue, answering("", 8_192), repository.host, SAMPLING)
    question = messages(proposal)[-2].content
    assert "return value % 2 == 0" in question
    assert len(question) < 3_000


async def test_examples_make_room_for_the_code_in_a_tiny_window() -> None:
    backend = answering(FIX, context_window=600)
    proposal = await Oneshot().propose(ISSUE, backend, shapes().host, SAMPLING)
    assert [message.role for message in messages(proposal)] == ["system", "user", "assistant"]
    assert CODE in shown(messages(proposal))


async def test_a_window_that_is_too_small_is_a_context_stop_and_costs_nothing() -> None:
    backend = answering(FIX, context_window=150)
    proposal = await Oneshot().propose(ISSUE, backend, shapes().host, SAMPLING)
    assert (proposal.stop, proposal.patch, backend.calls) == ("context", "", 0)
    assert "do not fit" in proposal.note


async def test_an_endpoint_that_finds_the_prompt_too_long_is_a_context_stop() -> None:
    backend = ScriptedBackend(lambda messages, sampling: ContextOverflowError("Too long."))
    proposal = await Oneshot().propose(ISSUE, backend, shapes().host, SAMPLING)
    assert (proposal.stop, proposal.note) == ("context", "Too long.")


SHOP = {
    "shop/cart.py": "def total(items):\n    return sum(items)\n",
    "shop/money.py": "def rounded(amount):\n    return int(amount)\n",
    "shop/other.py": "".join(f"def other_{n}():\n    return {n}\n\n\n" for n in range(60)),
}
CENTS = Issue(
    id="shop-1", statement="total() loses cents", repo="shop", base_commit="c", image="shop:1"
)


def ranking(answer: str | BackendError, context_window: int = 32_768) -> ScriptedBackend:
    """Give `answer` when asked for files, and nothing of use when asked for a fix."""

    def script(prompt: Sequence[Message], sampling: Sampling) -> str | BackendError:
        return answer if "Which of these files" in prompt[-1].content else "I do not know."

    return ScriptedBackend(script, context_window=context_window)


def first_shown(proposal: Proposal) -> str:
    question = messages(proposal)[-2].content
    return question.partition('<file path="')[2].partition('"')[0]


async def test_the_files_that_the_model_names_are_shown_first() -> None:
    by_words = await Oneshot().propose(CENTS, ranking(""), Repository(SHOP).host, SAMPLING)
    asked = Oneshot(context="rank")
    by_model = await asked.propose(
        CENTS, ranking("1. `shop/money.py`"), Repository(SHOP).host, SAMPLING
    )
    assert first_shown(by_words) == "shop/cart.py"
    assert first_shown(by_model) == "shop/money.py"
    assert SHOP["shop/cart.py"] in messages(by_model)[-2].content


async def test_files_are_ranked_once_an_issue_and_paid_for_by_the_sample_that_asked() -> None:
    repository, strategy, backend = Repository(SHOP), Oneshot(context="rank"), ranking("money.py")
    draws = (
        strategy.propose(CENTS, backend, repository.host, Sampling(max_tokens=100, seed=seed))
        for seed in range(5)
    )
    proposals = await asyncio.gather(*draws)
    assert backend.calls == 6
    assert sorted(proposal.usage.calls for proposal in proposals) == [1, 1, 1, 1, 2]
    asker = max(proposals, key=lambda proposal: proposal.usage.calls)
    sources = [turn.source for turn in asker.trajectory]
    assert sources[:3] == ["ranking"] * 3
    assert sum(turn.usage.input_tokens for turn in asker.trajectory) == asker.usage.input_tokens
    assert len({proposal.prompt_digest for proposal in proposals}) == 1
    others = [proposal for proposal in proposals if proposal is not asker]
    assert not any(turn.source for proposal in others for turn in proposal.trajectory)
    assert messages(asker)[3:] == messages(others[0])


async def test_a_ranking_that_fails_is_raised_and_asked_again_by_the_next_sample() -> None:
    answers: list[str | BackendError] = [BackendError("The endpoint is down."), "shop/money.py"]

    def script(prompt: Sequence[Message], sampling: Sampling) -> str | BackendError:
        return answers.pop(0) if "Which of these files" in prompt[-1].content else ""

    repository, strategy = Repository(SHOP), Oneshot(context="rank")
    backend = ScriptedBackend(script)
    with pytest.raises(BackendError, match="is down"):
        await strategy.propose(CENTS, backend, repository.host, SAMPLING)
    proposal = await strategy.propose(CENTS, backend, repository.host, SAMPLING)
    assert first_shown(proposal) == "shop/money.py"


async def test_a_prompt_that_proves_too_long_still_pays_for_its_ranking() -> None:
    def script(prompt: Sequence[Message], sampling: Sampling) -> str | BackendError:
        asked = "Which of these files" in prompt[-1].content
        return "shop/money.py" if asked else ContextOverflowError("Too long.")

    strategy = Oneshot(context="rank")
    backend = ScriptedBackend(script)
    proposal = await strategy.propose(CENTS, backend, Repository(SHOP).host, SAMPLING)
    assert (proposal.stop, proposal.usage.calls) == ("context", 2)


@pytest.mark.parametrize("window", [8_192, 32_768])
async def test_files_are_shown_whole(window: int) -> None:
    issue = Issue(id="i", statement="other_7() is off", repo="", base_commit="", image="i")
    backend = answering("", window)
    proposal = await Oneshot(context="files").propose(
        issue, backend, Repository(SHOP).host, SAMPLING
    )
    assert SHOP["shop/other.py"].strip() in messages(proposal)[-2].content
    assert proposal.usage.calls == 1


@pytest.mark.parametrize("context", ["bm25", "rank", "files"])
@pytest.mark.parametrize("window", [700, 4_000, 9_000])
async def test_any_context_fits_the_window(context: ContextKind, window: int) -> None:
    issue = Issue(id="i", statement="part_7 is off. " * 100, repo="", base_commit="", image="i")
    backend = ranking("pkg/part_3.py", window)
    proposal = await Oneshot(context=context).propose(
        issue, backend, Repository(LARGE).host, SAMPLING
    )
    assert proposal.stop == "unusable"
    prompt = [turn.message for turn in proposal.trajectory if not turn.source]
    assert await backend.count_tokens(prompt[:-1]) + 100 <= window


def test_the_version_changes_with_what_is_asked() -> None:
    strategies = [
        Oneshot(),
        Oneshot(context="rank"),
        Oneshot(context="files"),
        Oneshot(prompt_tokens=2_000),
        Oneshot(context="rank", prompt_tokens=2_000),
    ]
    assert len({strategy.version for strategy in strategies}) == len(strategies)
