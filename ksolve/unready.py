"""Signs, in the log of the tests without a patch, that they fail for want of something else.

A patch could not mend that, so that every sample would be paid for in vain. None of the signs is
certain: what looks like a missing dependency may be the very module that the issue asks for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

_NETWORK = (
    r"Temporary failure in name resolution|Name or service not known|Could not resolve host"
    r"|getaddrinfo (?:EAI_AGAIN|ENOTFOUND)|no such host|Network is unreachable"
)
_ABSENT = "command not found|not found|No such file or directory"
# Each with what it means; the first group is quoted.
_SIGNS = tuple(
    (re.compile(sign, re.MULTILINE), meaning)
    for sign, meaning in (
        (
            r"^\S*python[\d.]*: No module named (\S+)$",
            "the module {} is not installed: install it with --setup",
        ),
        (
            rf"^(?:\S*sh: (?:\d+: |line \d+: )?|make: )(\S+): (?:{_ABSENT})$",
            "the program {} is not there: install it with --setup",
        ),
        (r"Cannot find module '([^.'/][^']*)'", "{} is not installed: install it with --setup"),
        (
            r"error: unrecognized arguments: (.+)$",
            "the runner does not know {}: install the plugin that does with --setup",
        ),
        (r"fixture '(\w+)' not found$", "nothing gives tests the fixture {}: install what does"),
        (
            r"^ERROR: (?:file or directory not found|not found): (.+)$",
            "there are no tests {}: correct the test command",
        ),
        (
            r"(no tests ran|Ran 0 tests|NO TESTS RAN|No tests found|collected 0 items$)",
            "no test was run ({}): correct the test command",
        ),
        (rf"({_NETWORK})", "something reaches for the network, which tests do not have ({})"),
    )
)
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def unready(log: str, names: Collection[str]) -> str | None:
    """Return what is amiss, without an end, or None; `names` are the files of the repository."""
    return next(_missing_modules(log, names), None) or next(_signs(log), None)


def _missing_modules(log: str, names: Collection[str]) -> Iterator[str]:
    parts = {part for name in names for part in PurePosixPath(name).parts}
    for module in dict.fromkeys(_MODULE.findall(log)):
        first, dot, _ = module.partition(".")
        if not {first, f"{first}.py"}.isdisjoint(parts):
            if not dot:
                yield (
                    f"the repository's own module {module} cannot be imported there: install it "
                    "with --setup, or set PYTHONPATH in the test command"
                )
            # Else a part of the repository's own package, which the fix may well add.
        else:
            yield f"the module {module} is not installed: install it with --setup"


def _signs(log: str) -> Iterator[str]:
    for sign, meaning in _SIGNS:
        if found := sign.search(log):
            yield meaning.format(found[1])
