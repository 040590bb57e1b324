"""What swebench 4.x specifies for rows of its form; a program for whichever Python has it.

It runs as a file of its own, since ksolve's own Python has swebench 5.x, which has no such
specifications. It reads rows as a JSON list, and writes a list as long of what completes each:
image, eval_script, log_parser and eval_type, or why it cannot be completed.
Arguments: the folder that swebench was installed in, where its Python does not find it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import types
from typing import Any


def main(folders: list[str]) -> None:
    """Read standard input, write standard output."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What the packages print is no answer.
    os.dup2(2, 1)
    sys.path[:0] = folders
    version = importlib.metadata.version("swebench")
    if not version.startswith("4."):
        sys.exit(f"it has swebench {version}")
    _plain_package("swebench")
    _plain_package("swebench.harness")
    rows = json.loads(sys.stdin.buffer.read())
    with out:
        json.dump([_completion(row) for row in rows], out)


def _plain_package(name: str) -> None:
    """Stand in for a package whose __init__ imports much that is not needed here."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("its swebench is no package")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


def _completion(row: dict[str, Any]) -> dict[str, str]:
    from swebench.harness.constants import FAIL_ONLY_REPOS, MAP_REPO_VERSION_TO_SPECS
    from swebench.harness.log_parsers import MAP_REPO_TO_PARSER
    from swebench.harness.test_spec.create_scripts import make_eval_script_list

    repo, version = row["repo"], row.get("version")
    specs = MAP_REPO_VERSION_TO_SPECS.get(repo, {}).get(version)
    if specs is None or repo not in MAP_REPO_TO_PARSER:
        return {"error": f"swebench 4.x has no specification of {repo} {version}"}
    try:
        commands = make_eval_script_list(
            row, specs, "testbed", "/testbed", row["base_commit"], row["test_patch"]
        )
    except Exception as error:  # noqa: BLE001  of one row, and the others are to be completed
        return {"error": f"swebench 4.x makes no script of it ({type(error).__name__}: {error})"}
    name = row["instance_id"].lower().replace("__", "_1776_")
    return {
        "image": f"swebench/sweb.eval.x86_64.{name}:latest",
        "eval_script": "\n".join(["#!/bin/bash", "set -uxo pipefail", *commands]) + "\n",
        "log_parser": MAP_REPO_TO_PARSER[repo].__name__,
        "eval_type": "fail_only" if repo in FAIL_ONLY_REPOS else "pass_and_fail",
    }


if __name__ == "__main__":
    main(sys.argv[1:])
