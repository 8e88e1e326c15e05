"""What a Fail state may say: a cause that is there whichever way it was reached, and an error name of our own.

A path that leads nowhere makes the Fail state itself fail (`States.Runtime`), and the reason of the failure is lost. A
caught error always has an `Error`; a timeout has no `Cause`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.asl.definition import State


def fail_rules(where: str, name: str, states: Mapping[str, State], start: object) -> Iterator[str]:
    """Every rule that a Fail state breaks; `states` are those of its machine, which begins at `start`."""
    state = states[name]
    if not ({"Cause", "CausePath"} & set(state)):
        yield f"{where} is a Fail without a Cause: its reader would not know what happened"
    if "ErrorPath" in state:
        yield f"{where} has ErrorPath, which may lead to a name that is Step Functions' own (States.*): set Error"
    path = str(state.get("CausePath", ""))
    if path.endswith((".Error", ".Cause")):
        for way in _unverified_paths(path, name, states, start, seen=set()):
            yield (
                f"{where} has CausePath {path}, which need not be there when {way} leads to it: "
                "let a Choice ask whether it IsPresent"
            )


def _unverified_paths(
    path: str, target: str, states: Mapping[str, State], start: object, seen: set[str]
) -> Iterator[str]:
    """What leads to a state without making sure that there is something at the path."""
    if target in seen:
        return
    seen.add(target)
    if target == start:
        yield "StartAt"
    parent, _, field = path.rpartition(".")
    for name, state in states.items():
        if state.get("Next") == target and _keeps_input(state):
            yield from _unverified_paths(path, name, states, start, seen)
        elif state.get("Next") == target:
            yield name
        for catch in state.get("Catch") or []:
            if catch.get("Next") == target and not (field == "Error" and catch.get("ResultPath", "$") == parent):
                yield f"the Catch of {name}"
        rules = state.get("Choices") or []
        passed_on = any(rule.get("Next") == target and not _asks(rule, path) for rule in rules)
        if passed_on or state.get("Default") == target:
            yield from _unverified_paths(path, name, states, start, seen)


def _keeps_input(state: State) -> bool:
    """Whether a state's output is its input, whatever it does."""
    return state.get("ResultPath", "$") is None and not ({"InputPath", "OutputPath"} & set(state))


def _asks(rule: State, path: str) -> bool:
    """Whether a Choice rule holds only where there is something at the path."""
    if rule.get("Variable") == path and rule.get("IsPresent") is True:
        return True
    return any(_asks(part, path) for part in rule.get("And") or [])
