"""State machines as files: what every one of them must hold, and their placeholders filled in.

    python -m infra.asl [FILE ...]        lints stepfunctions/*.asl.json; exit code 1 when a rule is broken

A file is Amazon States Language (JSONPath or JSONata) with placeholders, `"${EtlFunction}"`, and is valid
JSON before they are filled in. Rules: every state can be reached and every path ends; every Task has a
timeout, retries what Lambda says is worth retrying, with jitter, and catches everything; a Map uses nothing
that only AWS does, and a Distributed Map, which has work of its own, catches everything too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import REPOSITORY

FOLDER = REPOSITORY / "stepfunctions"
# Of each state machine: what the stack fills in, and whether it is a number.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "etl": frozenset({"EtlFunction", "TrainMachine", "QuietSeconds"}),
    "train": frozenset({"TrainFunction", "SearchFunction", "RegistryFunction", "Parallel"}),
    "batch": frozenset({"ScoreFunction", "BatchBucket", "BatchTopic", "Workers"}),
}
# Faults of the Lambda service, not of our code: AWS's own advice is to retry them.
LAMBDA_FAULTS = frozenset(
    {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    }
)
# What a Map may have on AWS, and what localstack/gaps.md says about it.
UNPORTABLE = frozenset({"ItemBatcher", "ResultWriter", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath"})
TERMINAL = ("Succeed", "Fail")
TYPES = ("Task", "Pass", "Choice", "Wait", "Parallel", "Map", *TERMINAL)
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

State = dict[str, Any]


class AslError(Exception):
    """A state machine breaks a rule, or cannot be filled in: the message names file and state."""


def load(path: Path) -> State:
    """Read a state machine; raises `AslError` where it is no JSON object."""
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


def placeholders(definition: Any) -> set[str]:
    """The names of all placeholders of a definition."""
    return set(PLACEHOLDER.findall(json.dumps(definition)))


def lint(path: Path) -> list[str]:
    """Every rule that a file breaks, as one sentence each; empty when it is fine."""
    try:
        definition = load(path)
    except AslError as error:
        return [str(error)]
    found = list(_machine(definition, ""))
    known = PLACEHOLDERS.get(path.name.removesuffix(".asl.json"))
    if known is None:
        found.append(f"no stack fills in this file's placeholders: name it in {__name__}.PLACEHOLDERS")
    else:
        used = placeholders(definition)
        found += [f"the placeholder ${{{name}}} is not known here" for name in sorted(used - known)]
        found += [f"the placeholder ${{{name}}} is filled in but never used" for name in sorted(known - used)]
    return [f"{path.name}: {sentence}" for sentence in found]


def tasks(machine: State, at: str = "") -> Iterator[tuple[str, State]]:
    """Every Task of a state machine, inner ones included: where it is -> the state."""
    for name, state in _states(machine).items():
        where = f"{at}{name}"
        if state.get("Type") == "Task":
            yield where, state
        for inner in _inner(state):
            yield from tasks(inner, f"{where} / ")


def is_distributed(machine: State) -> bool:
    """Whether a state machine has a Distributed Map, whose children are executions of their own."""
    return any(
        (inner.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED" or is_distributed(inner)
        for state in _states(machine).values()
        for inner in _inner(state)
    )


def _states(machine: State) -> dict[str, State]:
    states = machine.get("States")
    return {k: v for k, v in states.items() if isinstance(v, dict)} if isinstance(states, dict) else {}


def _inner(state: State) -> list[State]:
    """State machines within a Map or Parallel state."""
    found = [state.get("ItemProcessor"), state.get("Iterator"), *(state.get("Branches") or [])]
    return [machine for machine in found if isinstance(machine, dict)]


def _machine(machine: State, at: str) -> Iterator[str]:
    states = _states(machine)
    whole = at.removesuffix(" / ") or "the machine"
    if not states:
        yield f"{whole} has no States"
        return
    start = machine.get("StartAt")
    if start not in states:
        yield f"{at}StartAt is {start!r}, which is not a state"
    if not any(_ends(state) for state in states.values()):
        yield f"{whole} has no state that ends it (Succeed, Fail, or End)"
    for name, state in states.items():
        yield from _state(name, state, states, at)
    for name in sorted(set(states) - _reachable(start, states)):
        yield f"{at}{name} cannot be reached from StartAt"


def _state(name: str, state: State, states: Mapping[str, State], at: str) -> Iterator[str]:
    where = f"{at}{name}"
    kind = state.get("Type")
    if kind not in TYPES:
        yield f"{where} has Type {kind!r}, expected one of {', '.join(TYPES)}"
        return
    for target in _targets(state):
        if target not in states:
            yield f"{where} goes on to {target!r}, which is not a state"
    if kind == "Choice":
        if not state.get("Choices"):
            yield f"{where} is a Choice without Choices"
        if "Default" not in state:
            yield f"{where} is a Choice without Default: what no rule matches would fail the execution"
    elif not _ends(state) and "Next" not in state:
        yield f"{where} neither ends nor has a Next"
    elif kind not in TERMINAL and "Next" in state and state.get("End"):
        yield f"{where} has both Next and End"
    if kind == "Fail" and not ({"Cause", "CausePath"} & set(state)):
        yield f"{where} is a Fail without a Cause: its reader would not know what happened"
    if kind in ("Map", "Parallel") and not _inner(state):
        yield f"{where} is a {kind} with nothing in it"
    if kind == "Task":
        yield from _task(where, state)
    if kind == "Map":
        yield from _map(where, state)
    for inner in _inner(state):
        yield from _machine(inner, f"{where} / ")


def _map(where: str, state: State) -> Iterator[str]:
    for name in UNPORTABLE & set(state):
        yield f"{where} has {name}, which not every emulator knows: make shards, let workers write, trust storage"
    distributed = any((inner.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED" for inner in _inner(state))
    if distributed and not _catches_all(state):
        yield f"{where} has no Catch for States.ALL: its items are read, and its children started, by itself"


def _task(where: str, state: State) -> Iterator[str]:
    if not ({"TimeoutSeconds", "TimeoutSecondsPath"} & set(state)):
        yield f"{where} has no TimeoutSeconds: a lost worker would hold the execution for a year"
    retried: set[str] = set()
    for retry in state.get("Retry") or []:
        faults = LAMBDA_FAULTS & set(retry.get("ErrorEquals") or [])
        if faults and retry.get("MaxAttempts", 3) > 0:
            retried |= faults
            if retry.get("JitterStrategy") != "FULL":
                yield f"{where} retries {', '.join(sorted(faults))} without JitterStrategy FULL"
            if retry.get("BackoffRate", 2.0) <= 1:
                yield f"{where} retries {', '.join(sorted(faults))} without a growing BackoffRate"
    missing = sorted(LAMBDA_FAULTS - retried)
    if not _calls_lambda(state):
        if not state.get("Retry"):
            yield f"{where} has no Retry"
    elif missing:
        yield f"{where} does not retry {', '.join(missing)}"
    if not _catches_all(state):
        yield f"{where} has no Catch for States.ALL"


def _catches_all(state: State) -> bool:
    return any("States.ALL" in (catch.get("ErrorEquals") or []) for catch in state.get("Catch") or [])


def _calls_lambda(state: State) -> bool:
    """Functions are called by ARN (a placeholder before it is filled in), or through lambda:invoke."""
    return bool(re.search(r"Function\}$|:function:|:lambda:invoke", str(state.get("Resource", ""))))


def _ends(state: State) -> bool:
    return state.get("Type") in TERMINAL or state.get("End") is True


def _targets(state: State) -> list[str]:
    """Where a state may go on to."""
    steps = [state, *(state.get("Choices") or []), *(state.get("Catch") or [])]
    return [step[key] for step in steps for key in ("Next", "Default") if isinstance(step, dict) and key in step]


def _reachable(start: object, states: Mapping[str, State]) -> set[str]:
    seen: set[str] = set()
    ahead = [start] if isinstance(start, str) else []
    while ahead:
        name = ahead.pop()
        if name in states and name not in seen:
            seen.add(name)
            ahead += _targets(states[name])
    return seen


def main(arguments: Sequence[str] | None = None) -> int:
    """Lint state machines; 1 when a rule is broken."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    paths = [Path(name) for name in given] or sorted(FOLDER.glob("*.asl.json"))
    missing = [] if given else sorted(set(PLACEHOLDERS) - {path.name.removesuffix(".asl.json") for path in paths})
    broken = [sentence for path in paths for sentence in lint(path)]
    broken += [f"{name}.asl.json: expected in {FOLDER}, but it is not there" for name in missing]
    for sentence in broken:
        print(f"error: {sentence}", file=sys.stderr)
    if not broken:
        print(f"{len(paths)} state machines are fine: {', '.join(path.name for path in paths)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
