"""The steps of a state machine: the models of what each is called with and returns, and the call of one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from andamio.errors import DataError
from andamio.storage.documents import Part, first_fault

_LONGEST_CAUSE = 500


class StepEvent(Part):
    """What a step is called with: the `Parameters` of its state, without the name of the step."""


class StepResult(Part):
    """What a step returns to its state machine: names and small numbers."""


class NoResult(StepResult):
    """What the children of a Map return: state data are bounded, and storage holds the facts."""


class CaughtError(StepEvent):
    """An error as Step Functions caught it; a timeout has no cause."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    error: str | None = Field(default=None, alias="Error")
    cause: str | None = Field(default=None, alias="Cause")

    @property
    def why(self) -> str:
        """What a function raised, with its type; else what Step Functions says."""
        cause = self.cause or self.error or "no cause was given"
        try:
            details = json.loads(cause)
        except ValueError:
            details = None
        if isinstance(details, dict) and details.get("errorMessage"):
            cause = f"{details.get('errorType', 'Error')}: {details['errorMessage']}"
        return cause[:_LONGEST_CAUSE]


@dataclass(frozen=True, slots=True)
class Step[To, E: StepEvent]:
    """One step: the model of its event, and the function that does it."""

    event: type[E]
    do: Callable[[To, E], StepResult]


type Steps[To] = Mapping[str, Step[To, Any]]


def run_step[To](steps: Steps[To], to: To, event: Mapping[str, Any]) -> dict[str, Any]:
    """Do the step that an event names, and return its result as JSON has it.

    Raises `DataError` for a step that is not known, and for an event that is not the step's.
    """
    name = event.get("step")
    step = steps.get(str(name))
    if step is None:
        raise DataError(f"There is no step {name!r}: expected one of {', '.join(steps)}")
    fields = {key: value for key, value in event.items() if key != "step"}
    try:
        # As JSON, so that the strict models take what JSON has: a list for a tuple, an object for a model.
        parsed = step.event.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise DataError(
            f"The step '{name}' cannot be done: {first_fault(error, 'the event')}. Correct the input of the execution "
            "and start it again. If nobody wrote that, deploy again: state machine and functions are then of one "
            "version."
        ) from None
    return step.do(to, parsed).model_dump(mode="json")


def logged_step[To](
    steps: Steps[To], connect: Callable[[], To], event: Mapping[str, Any], kind: str, *shown: str
) -> dict[str, Any]:
    """Do the step that an event names, with what `connect` gives, and log it in one line; raises as `run_step` does.

    `kind` is the "event" of the line, which has the `shown` keys of the event, the result and the seconds it took.
    """
    started = time.perf_counter()
    result = run_step(steps, connect(), event)
    seconds = round(time.perf_counter() - started, 3)
    fields = {"event": kind, **{key: event[key] for key in ("step", *shown) if key in event}}
    # In one write, so that no other thread's line comes between it and its end.
    print(json.dumps({**fields, **result, "seconds": seconds}, ensure_ascii=False) + "\n", end="", flush=True)
    return result
