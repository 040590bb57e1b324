"""One model served in different ways: coverage, accelerator seconds and cost per solve of each.

A form is a model and its serving options. The forms are sampled one after the other by whole
sweeps of `oneshot`, with the same seeds where the model is the same, each on a server of its own
and verified before the next one starts. Accelerator seconds are the server's busy time; its start
is not in them. Few samples tell of speed, and hardly of coverage: compare the intervals.

    python -m benchmarks.serving --form qwen2.5-coder-0.5b \
        --form "qwen2.5-coder-0.5b speculative_config.method=ngram \
                speculative_config.num_speculative_tokens=4"

`--int8 FOLDER` first writes the weights of the first form as 8-bit integers (per channel, with
activations per token) into FOLDER, which is then a model like any other.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agent.backend import Sampling, Usage
from agent.local.server_env import ensure_server_env
from agent.local.serving import parse_serve
from agent.local.vllm import ManagedVllm
from agent.local.weights import MODELS, ensure_weights
from agent.models import Model
from agent.oneshot import Oneshot
from agent.price import Price
from eval.cost import cost_per_solve
from eval.coverage import coverage
from eval.plan import Plan, Solver
from eval.store import Store
from eval.sweep import Sweep
from eval.verifier import Verifier
from ksolve.commands.demo import TASKS
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.load import load_tasks
from tasks.task import Task

INT8 = """
import json, shutil, sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
source, folder = map(Path, sys.argv[1:])
folder.mkdir(parents=True)
for file in source.glob("*.json"):
    if not file.name.endswith(".index.json"):
        shutil.copy(file, folder)
weights = {}
for file in sorted(source.glob("*.safetensors")):
    for name, weight in load_file(file).items():
        if name.endswith("_proj.weight"):
            scale = weight.float().abs().amax(1, keepdim=True) / 127
            weights[name + "_scale"] = scale
            weight = (weight.float() / scale).round().clamp(-128, 127).to(torch.int8)
        weights[name] = weight
save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
kind = {"num_bits": 8, "type": "int", "symmetric": True}
config = json.loads((source / "config.json").read_text())
config["quantization_config"] = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "config_groups": {"all": {
        "targets": ["Linear"],
        "weights": {**kind, "strategy": "channel", "dynamic": False},
        "input_activations": {**kind, "strategy": "token", "dynamic": True},
    }},
    "ignore": ["lm_head"],
}
(folder / "config.json").write_text(json.dumps(config, indent=2))
"""


def main() -> None:
    """Sample every form and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--form", action="append", required=True, help="MODEL [NAME=VALUE ...]")
    parser.add_argument("--int8", type=Path, help="a folder to be made, and sampled last")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--hour", type=float, default=0.1, help="dollars an accelerator hour")
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    forms = list(arguments.form)
    if arguments.int8:
        if not arguments.int8.exists():
            _write_int8(shlex.split(forms[0])[0], arguments.int8)
        forms.append(str(arguments.int8))
    asyncio.run(_compare(forms * arguments.repeat, arguments))


def _write_int8(model: str, folder: Path) -> None:
    source = ensure_weights(model, lambda *_: None) if model in MODELS else Path(model)
    python = ensure_server_env(lambda *_: None)
    subprocess.run([python, "-c", INT8, source, folder], check=True)


async def _compare(forms: Sequence[str], arguments: argparse.Namespace) -> None:
    tasks = load_tasks("starter", ids=TASKS)
    async with DockerHost(run_id="benchmark") as host:
        for task in tasks:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)
        print(
            f"{len(tasks)} issues, {arguments.samples} samples each at temperature "
            f"{arguments.temperature}, {arguments.in_flight} in flight, at most "
            f"{arguments.max_tokens} tokens, ${arguments.hour} an hour"
        )
        for form in forms:
            print(form, await _sample(form, tasks, host, arguments), sep="\n  ", flush=True)


async def _sample(
    form: str, tasks: Sequence[Task], host: DockerHost, arguments: argparse.Namespace
) -> str:
    model, *options = shlex.split(form)
    server = ManagedVllm(
        name=f"vllm:{model}",
        model=model,
        in_flight=arguments.in_flight,
        serve=parse_serve(options),
    )
    solver = Solver(
        model=Model(name=server.name, backend=server, price=Price(hour=arguments.hour)),
        strategy=Oneshot(),
        sampling=Sampling(
            temperature=arguments.temperature, max_tokens=arguments.max_tokens, seed=0
        ),
    )
    plan = Plan(tasks=tasks, solvers=[solver], samples=arguments.samples)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        sweep = Sweep(plan, store, host, verifier=Verifier(host, workers=2), workers=2)
        await sweep.run()
        for error in sweep.unusable.values():
            raise SystemExit(str(error))
        rows = list(store.rows())
    drawn = Counter(row.task_id for row in rows)
    resolved = Counter(row.task_id for row in rows if row.outcome == "resolved")
    n, c = ([count[task.id] for task in tasks] for count in (drawn, resolved))
    one = coverage(n, c, 1)
    usage = sum((row.usage for row in rows), Usage())
    cost = cost_per_solve(sum(row.cost or 0.0 for row in rows), len(resolved))
    return (
        f"coverage {len(resolved)}/{len(tasks)} within {arguments.samples} samples, "
        f"{one.coverage or 0:.0%} within one ({one.low or 0:.0%} to {one.high or 0:.0%}); "
        f"{usage.accelerator_seconds / len(rows):.2f} accelerator seconds a sample; "
        f"{usage.output_tokens / usage.accelerator_seconds:.0f} output tokens a second; "
        + ("nothing solved" if cost is None else f"${cost:.5f} a solve")
    )


if __name__ == "__main__":
    main()
