"""The estimate of tokens is high, because a low one overflows the context or the budget."""

from __future__ import annotations

import pytest

from agent.backend import Message
from agent.endpoint.estimate import estimate_prompt, estimate_tokens

# What Qwen2.5's tokenizer counts for these texts.
COUNTED = [
    ("def add(a: int, b: int) -> int:\n    return a + b\n", 19),
    ("for i in range(1024):\n\tx[i] ^= 0xdeadbeef\n", 21),
    ("The quick brown fox jumps over the lazy dog.", 10),
    ("internationalization, uncharacteristically", 6),
    ("数据库连接失败, попробуйте ещё раз 🙂", 11),
    ("9007199254740993 3.14159265", 27),
]


@pytest.mark.parametrize(("text", "counted"), COUNTED)
def test_never_fewer_tokens_than_a_real_tokenizer_counts(text: str, counted: int) -> None:
    assert estimate_tokens(text) >= counted


def test_still_of_use_far_below_one_token_a_byte() -> None:
    text = "\n".join(f"    self.total += self.lines[{n % 10}].amount  # booked" for n in range(200))
    assert estimate_tokens(text) < len(text) / 2


def test_each_message_costs_more_than_its_text() -> None:
    one = estimate_prompt([Message(role="user", content="a b")])
    two = estimate_prompt([Message(role="user", content="a"), Message(role="user", content="b")])
    assert estimate_tokens("a b") < one < two
