"""From a run folder to its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from eval.flaky import FlakyTasks
from eval.store import NoRunError, Store
from eval.summary import Summary, summarise
from eval.table import SampleTable


def flaky_of(store: Store, flaky_tasks: FlakyTasks | None = None) -> set[str]:
    """Return the issues that are known to be flaky of the run in a store; raises StoreError.

    Known is what the run itself says (`flaky` in its configuration), and what was found of its
    dataset on this machine, before the run or since.
    """
    config = _config(store)
    found = (flaky_tasks or FlakyTasks()).load().flaky_in(config["tasks_digest"])
    return {*found, *config.get("flaky", ())}


def summary_of(
    store: Store,
    flaky_tasks: FlakyTasks | None = None,
    table: SampleTable | None = None,
    without: Collection[str] = (),
) -> Summary:
    """Sum up the run in a store; raises NoRunError where it holds none.

    `table`, its samples, may be at hand; of issues that it lacks, `without`, nothing is counted.
    """
    config = _config(store)
    return summarise(
        table or store.table(),
        samples=max(config["samples"]),
        price_notes=config["prices"],
        failures=Counter(
            (failure.key.model, failure.key.strategy)
            for failure in store.failures()
            if failure.key.task_id not in without
        ),
        wanted={
            (model, name): samples
            for (model, name), samples in zip(config["arms"], config["samples"], strict=True)
        },
        failed=store.failed(without),
        flaky=flaky_of(store, flaky_tasks),
        adaptive=config.get("was_adaptive", config.get("allocate") == "adaptive"),
    )


def models_in(stores: Iterable[Store]) -> list[str]:
    """Return the models of the runs in stores, in their order."""
    arms = [arm for store in stores for arm in (store.config() or {}).get("arms", ())]
    return list(dict.fromkeys(model for model, _ in arms))


def parameters_kept(*stores: Store) -> dict[str, float]:
    """Return the numbers of parameters that were given for models when runs were drawn."""
    configs = [store.config() or {} for store in stores]
    return {model: n for one in configs for model, n in one.get("parameters", {}).items()}


def _config(store: Store) -> dict[str, Any]:
    config = store.config()
    if config is None:
        raise NoRunError(f"{store.folder} holds no run yet.")
    return config
