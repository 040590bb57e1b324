"""The words by which providers say what they refuse.

Patterns are searched for in a refusal in lower case, in which camelCase is snake_case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Settings by the importance that they have for what is sampled, the least first.
NAMES: Mapping[str, str] = {
    "seed": r"seed",
    "top_p": r"top_?p",
    "temperature": r"temperature",
    "reasoning_effort": r"reasoning_effort|reasoning|effort|think|thinking",
}
LIMIT = r"max_(?:completion_|output_|new_)?tokens|maximum tokens|max tokens"
REFUSAL = re.compile(
    r"support|unknown|unrecogni|not permitted|extra|forbidden|deprecated|invalid|illegal|cannot"
    r"|can't|must|only|mandatory|too large|not enabled|exceed|not allowed|unexpected|not accept"
    r"|does not take|not available|非法|requir|should be|failed|jinja|at most|range of|missing"
    r"|passed back",
    re.IGNORECASE,
)
# The same under a status that says of most requests that the server failed.
REFUSAL_OF_SERVER = re.compile(
    r"unsupport|n(?:o|')t support|jinja|template|requires|not permitted|invalid think",
    re.IGNORECASE,
)
# What repeats the request, or points elsewhere, and names nothing by that.
ECHO = re.compile(
    r"\"?'?input\"?'?\s*:\s*[^,}\]]+|did you mean[^?.]*|https?://\S+"
    r"|, value: .*?(?=;|$)|to drop (?:these|unsupported).*",
    re.IGNORECASE | re.DOTALL,
)
UNKNOWN = re.compile(
    r"unsupported|not supported|not accept|extra|unknown|unrecogni|forbidden|not permitted"
    r"|cannot find"
)
# Of a temperature: that no other value would be taken either.
NO_TEMPERATURE = re.compile(
    r"only|default|unsupported|not support|not accept|not permitted|deprecated|unknown|extra"
)
OF_VALUE = re.compile(r"illegal|invalid|range|between|must|greater|positive|value|非法")
EITHER = re.compile(r"\bboth\b|only one|either", re.IGNORECASE)
RESPONSES = re.compile(
    r"v1/responses|/responses\b|responses api|unsupported_api_for_model", re.IGNORECASE
)
STREAM_ONLY = re.compile(
    r"only support(?:s)? stream|enable the stream|must have stream|non-streaming"
    r"|stream\s*=\s*false",
    re.IGNORECASE,
)
STREAM = re.compile(r"\bstream(?:ing)?\b", re.IGNORECASE)
STREAM_USAGE = re.compile(r"stream_options|include_usage", re.IGNORECASE)
SYSTEM = re.compile(
    r"\bsystem\b.{0,40}?\b(?:role|message|prompt|instruction)|\brole\b.{0,40}?\bsystem\b"
    r"|developer instruction|does not support 'system'|\bmessages?[.\[]\S*\brole\b",
    re.IGNORECASE,
)
TURNS = re.compile(
    r"length of 9|a-z, a-z, 0-9|tool.?call.?id|tool_call|tool call id|but not both|after role"
    r"|alternat|interleav|successive|in a row|role '(?:user|tool|assistant)'|last role"
    r"|turn comes immediately|both content and",
    re.IGNORECASE,
)
MISSING = re.compile(
    r"missing|must be passed back|without its required|expected `thinking`", re.IGNORECASE
)
THOUGHT = re.compile(r"reasoning|thinking|think_?chunk|thought_signature|encrypted", re.IGNORECASE)
BLANK = re.compile(
    r"\bblank\b|non-empty|must not be empty|cannot be empty|at least one content", re.IGNORECASE
)
NO_CONTENT = re.compile(
    r"\bcontent\b.{0,60}(?:valid string|required|missing|\bnone\b|\bnull\b)"
    r"|(?:required|missing).{0,40}\bcontent\b",
    re.IGNORECASE | re.DOTALL,
)
NO_NAME = re.compile(
    r"function_?response\.name|\btool\b.{0,40}\bname\b.{0,40}(?:empty|missing|required)",
    re.IGNORECASE | re.DOTALL,
)
# What a refusal speaks of that is more likely about turns than about settings.
OF_TURNS = re.compile(
    r"\b(?:assistant|roles?|turns?|messages?|conversation|content|tool_calls?)\b", re.IGNORECASE
)
# Fields of a turn's thinking that can be filled in where a turn has none.
THINKING_FIELD = re.compile(r"\b(reasoning_content|reasoning)\b")
ENCRYPTED = re.compile(r"encrypted", re.IGNORECASE)
TOOLS = re.compile(r"\btools?\b|function.?call|\bfunctions\b|tool_choice", re.IGNORECASE)
