"""One call of a training function: runs the step that the event names, and logs its duration."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from andamio.errors import TrainingError

Event = dict[str, Any]


def do_step[To](
    steps: Mapping[str, Callable[[To, Event], Event]], connect: Callable[[], To], event: Event, kind: str, *shown: str
) -> Event:
    """Do the step that the event names, with what `connect` gives; raises `TrainingError` where there is none such.

    `kind` is the "event" of the log line, which says the `shown` keys of the event, and how many seconds it took.
    """
    name = event.get("step", "")
    step = steps.get(name)
    if step is None:
        raise TrainingError(f"The event's step must be one of {', '.join(steps)}")
    started = time.perf_counter()
    result = step(connect(), event)
    seconds = round(time.perf_counter() - started, 3)
    fields = {"event": kind, "step": name, **{key: event.get(key) for key in shown}}
    print(json.dumps({**fields, "seconds": seconds, **result}), flush=True)
    return result
