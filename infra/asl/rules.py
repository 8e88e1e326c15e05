"""The linter: every rule of ours that a state machine's file breaks, as one sentence each.

Every state has a name of its own in the whole machine, can be reached, and every path ends; no partition of AWS's is
written out; a Map uses nothing that only AWS does, and a Distributed Map, which has work of its own, has a Catch.
What a Task must hold is in `retries`, what a Fail must hold in `failures`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.asl.definition import (
    SUFFIX,
    AslError,
    State,
    every_state,
    has_children,
    inner,
    reachable,
    states,
    targets,
)
from infra.asl.failures import fail_rules
from infra.asl.placeholders import PLACEHOLDERS, placeholders
from infra.asl.policies import load
from infra.asl.retries import catches_all, task_rules

# What a Map may have on AWS, and what localstack/gaps.md says about it.
UNPORTABLE = frozenset({"ItemBatcher", "ResultWriter", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath"})
TERMINAL = ("Succeed", "Fail")
TYPES = ("Task", "Pass", "Choice", "Wait", "Parallel", "Map", *TERMINAL)
# ARNs begin with arn:aws-cn: and arn:aws-us-gov: elsewhere.
PARTITION = re.compile(r"arn:aws[\w-]*:")


def lint(path: Path) -> list[str]:
    """Every rule that a file breaks, as one sentence each; empty when it is fine."""
    try:
        definition = load(path)
    except AslError as error:
        return [str(error)]
    found = [*rules(definition), *_names(definition), *_partition(definition)]
    known = PLACEHOLDERS.get(path.name.removesuffix(SUFFIX))
    if known is None:
        found.append("no stack fills in this file's placeholders: name it in infra.asl.placeholders.PLACEHOLDERS")
    else:
        used = placeholders(definition)
        found += [f"the placeholder ${{{name}}} is not known here" for name in sorted(used - known)]
        found += [f"the placeholder ${{{name}}} is filled in but never used" for name in sorted(known - used)]
    return [f"{path.name}: {sentence}" for sentence in found]


def rules(machine: State) -> list[str]:
    """Every rule about states and what leads where that a machine breaks."""
    return list(_machine(machine, ""))


def _names(machine: State) -> Iterator[str]:
    places = Counter(name for _, name, _ in every_state(machine))
    for name in sorted(name for name, times in places.items() if times > 1):
        where = " and ".join(repr(at) for at, found, _ in every_state(machine) if found == name)
        yield f"{name} names {places[name]} states, {where}: a name is unique in the whole machine, Maps included"


def _partition(machine: State) -> Iterator[str]:
    for written in sorted(set(PARTITION.findall(json.dumps(machine)))):
        yield f"{written} is written out, and is another in China and GovCloud: begin the ARN with arn:${{Partition}}:"


def _machine(machine: State, at: str) -> Iterator[str]:
    found = states(machine)
    whole = at.removesuffix(" / ") or "the machine"
    if not found:
        yield f"{whole} has no States"
        return
    start = machine.get("StartAt")
    if start not in found:
        yield f"{at}StartAt is {start!r}, which is not a state"
    if not any(_ends(state) for state in found.values()):
        yield f"{whole} has no state that ends it (Succeed, Fail, or End)"
    for name, state in found.items():
        yield from _state(name, state, found, at)
        if state.get("Type") == "Fail":
            yield from fail_rules(f"{at}{name}", name, found, start)
    for name in sorted(set(found) - reachable(machine)):
        yield f"{at}{name} cannot be reached from StartAt"


def _state(name: str, state: State, siblings: Mapping[str, State], at: str) -> Iterator[str]:
    where = f"{at}{name}"
    kind = state.get("Type")
    if kind not in TYPES:
        yield f"{where} has Type {kind!r}, expected one of {', '.join(TYPES)}"
        return
    for target in targets(state):
        if target not in siblings:
            yield f"{where} continues with {target!r}, which is not a state"
    if kind == "Choice":
        if not state.get("Choices"):
            yield f"{where} is a Choice without Choices"
        if "Default" not in state:
            yield f"{where} is a Choice without Default: what no rule matches would fail the execution"
    elif not _ends(state) and "Next" not in state:
        yield f"{where} neither ends nor has a Next"
    elif kind not in TERMINAL and "Next" in state and state.get("End"):
        yield f"{where} has both Next and End"
    if kind in ("Map", "Parallel") and not inner(state):
        yield f"{where} is a {kind} with nothing in it"
    if kind == "Task":
        yield from task_rules(where, state)
    if kind == "Map":
        yield from _map(where, state)
    for within in inner(state):
        yield from _machine(within, f"{where} / ")


def _map(where: str, state: State) -> Iterator[str]:
    for name in UNPORTABLE & set(state):
        yield f"{where} has {name}, which not every emulator knows: make shards, let workers write, trust storage"
    if has_children(state) and not catches_all(state):
        yield f"{where} has no Catch for States.ALL: its items are read, and its children started, by itself"


def _ends(state: State) -> bool:
    return state.get("Type") in TERMINAL or state.get("End") is True
