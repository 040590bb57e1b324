"""Plans of steps, and a runner that keeps results."""

from stepline import builtin
from stepline.actions import action, action_named
from stepline.errors import (
    BadPlan,
    CycleFound,
    StepFailed,
    SteplineError,
    UnknownAction,
    UnknownStep,
)
from stepline.plan import Plan, Step, load_plan
from stepline.runner import Outcome, Runner
from stepline.store import Store

__all__ = [
    "BadPlan",
    "CycleFound",
    "Outcome",
    "Plan",
    "Runner",
    "Step",
    "StepFailed",
    "SteplineError",
    "Store",
    "UnknownAction",
    "UnknownStep",
    "action",
    "action_named",
    "builtin",
    "load_plan",
]
