"""State machines call steps with what the steps' models have, and read of their results what these have."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union

import pytest
from pydantic import BaseModel

from andamio.errors import DataError
from andamio.step import Step, StepResult, run_step
from etl import steps as etl_steps
from lambdas.registry import handler as registry
from lambdas.search import handler as search
from lambdas.train import handler as train
from monitoring import steps as monitoring_steps
from scoring import steps as scoring_steps

FUNCTIONS: dict[str, Mapping[str, Step[Any, Any]]] = {
    "${EtlFunction}": etl_steps.STEPS,
    "${TrainFunction}": train.STEPS,
    "${SearchFunction}": search.STEPS,
    "${RegistryFunction}": registry.STEPS,
    "${ScoreFunction}": scoring_steps.STEPS,
    "${MonitorFunction}": monitoring_steps.STEPS,
}
Json = dict[str, Any]


def states(machine: Json) -> Iterator[tuple[str, Json]]:
    for name, state in machine["States"].items():
        yield name, state
        for key in ("ItemProcessor", "Iterator"):
            if key in state:
                yield from states(state[key])


MACHINES = {
    path.name: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[3] / "stepfunctions").glob("*.asl.json"))
}


def called(state: Json) -> tuple[str, Json]:
    """The function that a state calls, and what with; one that waits for its task's token says so in other places."""
    if state.get("Resource", "").endswith(":lambda:invoke.waitForTaskToken"):
        return state["Parameters"]["FunctionName"], state["Parameters"]["Payload"]
    return state.get("Resource", ""), state.get("Parameters", {})


TASKS = [
    pytest.param(*called(state), id=f"{file} {name}")
    for file, machine in MACHINES.items()
    for name, state in states(machine)
    if called(state)[0] in FUNCTIONS
]


@pytest.mark.parametrize(("function", "parameters"), TASKS)
def test_a_state_passes_the_fields_of_its_steps_event(function: str, parameters: Json) -> None:
    model = FUNCTIONS[function][parameters["step"]].event
    passed = {name.removesuffix(".$") for name in parameters} - {"step"}
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= passed <= set(model.model_fields)


BY_HAND = {("${RegistryFunction}", "follow")}
"""Steps that the command line calls."""


def test_every_step_is_called_by_a_state_or_by_a_command() -> None:
    called = {(function, parameters["step"]) for function, parameters in (task.values for task in TASKS)}
    assert called | BY_HAND == {(function, step) for function, steps in FUNCTIONS.items() for step in steps}


def results(step: Step[Any, Any]) -> list[type[StepResult]]:
    """The models that a step may return."""
    return list(flat(typing.get_type_hints(step.do)["return"]))


def flat(kind: Any) -> Iterator[Any]:
    if typing.get_origin(kind) in (Union, types.UnionType):
        for part in typing.get_args(kind):
            yield from flat(part)
    else:
        yield kind


def statuses(machine: Json) -> set[str]:
    """Every status that a choice of a machine waits for."""
    found = set()
    for _, state in states(machine):
        for choice in state.get("Choices", []):
            for rule in [choice, *choice.get("And", [])]:
                if str(rule.get("Variable", "")).endswith(".status"):
                    found.add(rule["StringEquals"])
    return found


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_choice_waits_for_a_status_that_some_step_returns(name: str) -> None:
    returned = {
        status
        for _, state in states(MACHINES[name])
        if state.get("Resource") in FUNCTIONS
        for result in results(FUNCTIONS[state["Resource"]][state["Parameters"]["step"]])
        if "status" in result.model_fields
        for status in typing.get_args(result.model_fields["status"].annotation)
    }
    assert statuses(MACHINES[name])
    assert statuses(MACHINES[name]) <= returned


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_step_returns_a_model(function: str) -> None:
    for step in FUNCTIONS[function].values():
        assert all(issubclass(result, StepResult) for result in results(step))
        assert issubclass(step.event, BaseModel)


class TestAnEventThatIsNotTheSteps:
    def test_is_refused_with_its_field(self) -> None:
        with pytest.raises(DataError, match=r"The step 'score' cannot be done: shard: Input should be a valid integer"):
            run_step(scoring_steps.STEPS, None, {"step": "score", "batch": "b", "shard": "x"})  # type: ignore[arg-type]

    def test_is_refused_where_a_field_is_missing(self) -> None:
        with pytest.raises(DataError, match=r"The step 'commit' cannot be done: version: Field required"):
            run_step(etl_steps.STEPS, None, {"step": "commit", "input": "i"})  # type: ignore[arg-type]

    def test_a_comment_in_the_input_of_an_execution_is_passed_over(self) -> None:
        event = train.STEPS["plan"].event.model_validate({"input": {"Comment": "Insert your JSON here", "trials": 3}})
        assert event.input.trials == 3
