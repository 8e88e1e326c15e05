"""A state machine's definition: read, walked through, and filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra import REPOSITORY

FOLDER = REPOSITORY / "stepfunctions"
SUFFIX = ".asl.json"
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

State = dict[str, Any]


class AslError(Exception):
    """A state machine breaks a rule, or cannot be rendered or checked."""


def read(path: Path) -> State:
    """Read a state machine's file as it is written; raises `AslError` where it is no JSON object."""
    if not path.is_file():
        raise AslError(f"{path.name}: expected a state machine in {path.parent}, but there is no such file.")
    try:
        definition = json.loads(path.read_text())
    except ValueError as error:
        raise AslError(f"{path.name}: not valid JSON: {error}") from error
    if not isinstance(definition, dict):
        raise AslError(f"{path.name}: expected a JSON object with StartAt and States.")
    return definition


def render(definition: Any, values: Mapping[str, str | int]) -> Any:
    """Fill in placeholders. A text that is nothing but one placeholder takes its value's type, number or text.

    Raises `AslError` where a placeholder has no value.
    """
    if isinstance(definition, dict):
        return {key: render(value, values) for key, value in definition.items()}
    if isinstance(definition, list):
        return [render(value, values) for value in definition]
    if not isinstance(definition, str):
        return definition
    unknown = sorted(set(PLACEHOLDER.findall(definition)) - set(values))
    if unknown:
        raise AslError(f"The placeholder ${{{unknown[0]}}} has no value. Known: {', '.join(sorted(values))}.")
    whole = PLACEHOLDER.fullmatch(definition)
    if whole:
        return values[whole.group(1)]
    return PLACEHOLDER.sub(lambda found: str(values[found.group(1)]), definition)


def states(machine: State) -> dict[str, State]:
    """The states of a machine by name, those of its Maps and Parallels not among them."""
    found = machine.get("States")
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def inner(state: State) -> list[State]:
    """State machines within a Map or Parallel state."""
    found = [state.get("ItemProcessor"), state.get("Iterator"), *(state.get("Branches") or [])]
    return [machine for machine in found if isinstance(machine, dict)]


def every_state(machine: State, at: str = "") -> Iterator[tuple[str, str, State]]:
    """Every state of a machine, inner ones included: where it is, its name, the state."""
    for name, state in states(machine).items():
        yield f"{at}{name}", name, state
        for within in inner(state):
            yield from every_state(within, f"{at}{name} / ")


def tasks(machine: State) -> Iterator[tuple[str, State]]:
    """Every Task of a state machine, inner ones included: where it is -> the state."""
    return ((where, state) for where, _, state in every_state(machine) if state.get("Type") == "Task")


def is_distributed(machine: State) -> bool:
    """Whether a state machine has a Distributed Map, whose children are executions of their own."""
    return any(has_children(state) for _, _, state in every_state(machine))


def has_children(state: State) -> bool:
    """Whether a state is a Distributed Map."""
    return any((within.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED" for within in inner(state))


def without(machine: State, resource: str) -> State:
    """A machine that never calls a service: its tasks are gone, and every Choice that only leads to one of them.

    `resource` is what their resources contain: "ecs:runTask". States that nothing leads to any more are gone as well.
    Only tasks that a Choice leads to can be left out; what else leads to one keeps a name that is no state, which
    `lint` finds.
    """
    kept = {
        name: {**state, **_within(state, resource)}
        for name, state in states(machine).items()
        if resource not in str(state.get("Resource", ""))
    }
    instead: dict[str, str] = {}
    for name, state in list(kept.items()):
        if state.get("Type") == "Choice":
            choices = [rule for rule in state["Choices"] if rule["Next"] in kept]
            kept[name] = {**state, "Choices": choices}
            if not choices:
                instead[name] = state["Default"]
                del kept[name]
    bypassed: State = _renamed({**machine, "States": kept}, instead)
    return {**bypassed, "States": {name: bypassed["States"][name] for name in kept if name in reachable(bypassed)}}


def targets(state: State) -> list[str]:
    """The possible next states of a state."""
    steps = [state, *(state.get("Choices") or []), *(state.get("Catch") or [])]
    return [step[key] for step in steps for key in ("Next", "Default") if isinstance(step, dict) and key in step]


def reachable(machine: State) -> set[str]:
    """The states of a machine that can be reached from its start, those of its Maps and Parallels not among them."""
    siblings = states(machine)
    seen: set[str] = set()
    start = machine.get("StartAt")
    ahead = [start] if isinstance(start, str) else []
    while ahead:
        name = ahead.pop()
        if name in siblings and name not in seen:
            seen.add(name)
            ahead += targets(siblings[name])
    return seen


def _within(state: State, resource: str) -> State:
    """The machines within a Map or Parallel state, without those tasks."""
    found: State = {key: without(state[key], resource) for key in ("ItemProcessor", "Iterator") if key in state}
    if "Branches" in state:
        found["Branches"] = [without(branch, resource) for branch in state["Branches"]]
    return found


def _renamed(value: Any, instead: Mapping[str, str], key: str = "") -> Any:
    """A definition in which other states follow in the place of some."""
    if isinstance(value, dict):
        return {key: _renamed(each, instead, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, instead) for each in value]
    while key in ("Next", "Default", "StartAt") and value in instead:
        value = instead[value]
    return value
