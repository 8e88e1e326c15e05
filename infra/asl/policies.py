"""What a state machine does about errors: `stepfunctions/policies.json`, put into the states that refer to it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from infra.asl.definition import FOLDER, AslError, State, every_state, read

POLICIES = FOLDER / "policies.json"


@cache
def policies() -> dict[str, Any]:
    """The file of policies: "Retriers" by name, and the "Catcher" that says what a catcher need not say."""
    found: dict[str, Any] = json.loads(POLICIES.read_text())
    return found


def load(path: Path) -> State:
    """Read a state machine with its policies put in; raises `AslError` where that cannot be done."""
    machine = read(path)
    try:
        return expand(machine)
    except AslError as error:
        raise AslError(f"{path.name}: {error}") from error


def expand(machine: State) -> State:
    """Replace, in place, names of retriers by what they stand for, and complete the catchers; returns the machine.

    A retrier or catcher that is written out in the state stays as it is. Raises `AslError` where no retrier has
    a name that is referred to.
    """
    for where, _, state in every_state(machine):
        if "Retry" in state:
            state["Retry"] = [_retrier(where, entry) for entry in state["Retry"]]
        if "Catch" in state:
            state["Catch"] = [policies()["Catcher"] | entry for entry in state["Catch"]]
    return machine


def _retrier(where: str, entry: str | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(entry, str):
        return entry
    retriers = policies()["Retriers"]
    if entry not in retriers:
        raise AslError(f"{where} retries {entry!r}, expected one of {', '.join(retriers)} ({POLICIES.name}).")
    return {name: value for name, value in retriers[entry].items() if name != "Comment"}
