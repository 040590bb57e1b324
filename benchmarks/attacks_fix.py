"""What ksolve says of hostile and right patches where one exit status decides, as one table.

    python -m benchmarks.attacks_fix [--only NAME ...]

Run from the root of the repository. A star marks a hostile patch that is accepted and a right one
that is not.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.attacks.fix_cases import CASES, judge


def main() -> None:
    """Print what ksolve says of each case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="names of cases")
    only = parser.parse_args().only
    cases = [case for case in CASES if not only or case.name in only]
    with tempfile.TemporaryDirectory() as folder:
        verdicts = asyncio.run(judge(cases, Path(folder)))
    print("| case | command | patch | ksolve | note |\n|---|---|---|---|---|")
    for case in cases:
        verdict = verdicts[case.name]
        is_wanted = (verdict.outcome == "resolved") == case.right
        command = case.command.replace("|", "/")[:50]
        print(
            f"| {case.name} | `{command}` | {'right' if case.right else 'hostile'}"
            f" | {verdict.outcome}{'' if is_wanted else ' *'} | {verdict.note[:100]} |"
        )


if __name__ == "__main__":
    main()
