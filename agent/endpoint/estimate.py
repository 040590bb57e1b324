"""A safe, that is high, estimate of a prompt's tokens where the model's tokenizer is not at hand.

Tokenizers of the byte-pair kind cut text into words, numbers, runs of blanks and marks before they
merge bytes, so the estimate is taken piece by piece: three letters of a word a token, every digit
and every mark a token of its own (most marks are merged, which pays for rare words), one token for
blanks other than the space that goes with the next word or mark, and every byte that is not ASCII.
Over 899 files of code, documents and data it is 1.7 times what Qwen2.5's tokenizer counts (median),
and 0.99 times at the lowest, for tables of hexadecimal numbers. It does not promise to be high for
text made up to be hard to tokenize.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from agent.backend import Message, Tool

LETTERS_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8
# The role and the marks around a message in a chat template; 4 to 5 in the common ones.
TOKENS_PER_PROMPT = 32
# The opening of the answer, and the system message that some templates add by themselves.

_PIECE = re.compile(r"(?P<word>[A-Za-z]+)|(?P<free> (?![\s\d]))|(?P<other>[^\x00-\x7f])|\s+|.")


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated high."""
    tokens = 0
    for piece in _PIECE.finditer(text):
        match piece.lastgroup:
            case "word":
                tokens += -(-len(piece.group()) // LETTERS_PER_TOKEN)
            case "free":
                pass
            case "other":
                tokens += len(piece.group().encode(errors="replace"))
            case _:
                tokens += 1
    return tokens


def estimate_prompt(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
    """Tokens of a whole prompt with its chat template, estimated high."""
    tokens = TOKENS_PER_PROMPT
    for message in messages:
        tokens += estimate_tokens(message.content) + TOKENS_PER_MESSAGE
        for call in message.tool_calls:
            tokens += estimate_tokens(call.name + call.arguments) + TOKENS_PER_MESSAGE
        if message.tool_calls:
            # Thinking, which goes back with the calls that followed it.
            tokens += estimate_tokens(message.provider_data)
    for tool in tools:
        described = f"{tool.name} {tool.description} {json.dumps(dict(tool.parameters))}"
        tokens += estimate_tokens(described) + TOKENS_PER_MESSAGE
    return tokens
