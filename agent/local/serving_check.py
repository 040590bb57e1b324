"""A program that tells whether the vLLM beside it takes serving options; it loads no model.

Run by path in the environment of the model server, so it imports nothing of ksolve. Reads from
stdin a list of [NAME, VALUE, ARGUMENTS] as JSON, and writes {"refusal": SENTENCE or null,
"greedy_only": BOOL} as the last line of stdout. vLLM's own parser of its command line decides. It
takes any text for some names that the server refuses later; those are looked up here.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, NoReturn

from vllm import __version__
from vllm.utils.argparse_utils import FlexibleArgumentParser

try:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
except ImportError:  # Before vLLM 0.32.
    from vllm.entrypoints.openai.cli_args import make_arg_parser

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "human_readable_int": "a whole number such as 8192 or 8k",
    "human_readable_int_or_auto": "a whole number such as 8192 or 8k, or auto",
    "loads": "a table, in JSON",
}
_SHOWN = 40
"""Names that a sentence lists."""

_SPECULATION = {"speculative_config", "spec_method", "spec_model"}


class _RefusedError(Exception):
    """vLLM's parser refuses an argument, with its own words."""


def _refuse(message: str) -> NoReturn:
    raise _RefusedError(message)


def main(options: list[tuple[str, Any, list[str]]]) -> str | None:
    """Return the sentence that refuses one of the options, None where vLLM takes them all."""
    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    # Instead of printing its usage and ending this program.
    parser.error = _refuse
    actions = {
        flag.removeprefix("--").replace("-", "_"): action
        for action in parser._actions  # noqa: SLF001 - argparse has no other list of them
        for flag in action.option_strings
        if flag.startswith("--") and not flag.startswith("--no-")
    }
    given = {name for name, _, _ in options}
    for name, value, arguments in options:
        if name not in actions:
            return f"vLLM {__version__} has no serving option {name}{_nearest(name, actions)}."
        why = _refusal(parser, actions[name], value, arguments)
        if why is None and isinstance(value, str):
            known = _names(name, given)
            if known and value not in known:
                why = f"it has no {value!r}{_nearest(value, known)}"
        if why is None and name == "speculative_config" and isinstance(value, dict):
            why = _speculation(value, actions)
        if why:
            shown = value if isinstance(value, str) else json.dumps(value)
            return f"vLLM {__version__} refuses the serving option {name}={shown}: {why}."
    return None


def _refusal(
    parser: FlexibleArgumentParser, action: argparse.Action, value: Any, arguments: list[str]
) -> str | None:
    """Return why an option is refused, which is what it takes, where that is known."""
    if action.nargs == 0 and not isinstance(value, bool):
        return "it takes true or false"
    try:
        parser.parse_args(arguments)
    except _RefusedError as error:
        if choices := [str(choice) for choice in action.choices or () if choice is not None]:
            return f"it takes one of {', '.join(choices)}"
        if takes := _TYPES.get(getattr(_inner(action.type), "__name__", "")):
            return f"it takes {takes}"
        says = re.sub(r"^argument \S+: ", "", " ".join(str(error).split()))
        # pydantic's words end with where its documentation is.
        return re.sub(r"\s*\[type=.*", "", says).rstrip(".")
    except (TypeError, ValueError) as error:
        return " ".join(str(error).split()).rstrip(".")
    return None


def _inner(kind: Any) -> Any:
    """Return the reader of a value that vLLM has wrapped to take None, too."""
    while inspect.isfunction(kind):
        wrapped = inspect.getclosurevars(kind).nonlocals.get("return_type")
        if wrapped is None:
            break
        kind = wrapped
    return kind


def _names(option: str, given: set[str]) -> list[str] | None:
    """Return the names that an option takes although its parser takes any text."""
    try:
        if option == "quantization":
            from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS

            return list(QUANTIZATION_METHODS)
        # A plugin brings names of its own.
        if option == "tool_call_parser" and "tool_parser_plugin" not in given:
            from vllm.tool_parsers import ToolParserManager

            return list(ToolParserManager.list_registered())
        if option == "reasoning_parser" and "reasoning_parser_plugin" not in given:
            from vllm.reasoning import ReasoningParserManager

            return list(ReasoningParserManager.list_registered())
    except ImportError:
        # Another version keeps them elsewhere; then the server decides.
        pass
    return None


def _speculation(config: dict[str, Any], actions: dict[str, argparse.Action]) -> str | None:
    from vllm.config import SpeculativeConfig

    known = {field.name for field in fields(SpeculativeConfig)}
    for key in config:
        if key.replace("-", "_") not in known:
            return f"it has no {key}{_nearest(key, known)}"
    methods = actions["spec_method"].choices if "spec_method" in actions else None
    method = config.get("method")
    if methods and method is not None and method not in methods:
        return f"it has no method {method!r}{_nearest(str(method), map(str, methods))}"
    return None


def is_greedy_only(given: set[str]) -> bool:
    """Whether answers above temperature 0 are wrong with these options.

    With speculation on a processor, vLLM 0.32 divides by what its memory happens to hold in place
    of the temperature (vllm-project/vllm, issue 55005). What does that is tried here by itself.
    """
    try:
        import torch
        from vllm.platforms import current_platform
        from vllm.utils.cpu_triton_utils import _expand_kernel_impl

        if not given & _SPECULATION or not current_platform.is_cpu():
            return False
        current_platform.import_kernels()
        temperatures = torch.zeros(2)
        _expand_kernel_impl(temperatures, torch.tensor([0.5]), torch.tensor([2]), 0, 1)
    except (AttributeError, ImportError, TypeError):
        # Another version does it in another way.
        return False
    return bool((temperatures != 0.5).any())  # noqa: PLR2004 - the one three lines above


def _nearest(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    if near := difflib.get_close_matches(name, known, n=1):
        return f"; the nearest is {near[0]}"
    if len(known) > _SHOWN:
        return ""
    return f"; it has {', '.join(known)}"


if __name__ == "__main__":
    # vLLM logs to stdout, which is for the answer.
    stdout, sys.stdout = sys.stdout, sys.stderr
    asked = json.load(sys.stdin)
    answer = {
        "refusal": main(asked),
        "greedy_only": is_greedy_only({name for name, _, _ in asked}),
    }
    stdout.write(json.dumps(answer) + "\n")
