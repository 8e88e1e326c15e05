"""Delivers the lines of a log to the function that is subscribed to it: one call at a time, and again where one fails.

On its own ministack starts a call for each request that is logged, and none is tried again. A burst of requests to an
API then takes all the calls that the account may run at once: the API is refused, and what was logged is lost. On AWS a
log stream has one delivery at a time, which takes the lines that have come since the last one.
"""

import base64
import contextvars
import gzip
import json
import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id  # type: ignore[import-not-found]
from ministack.services import cloudwatch_logs, lambda_svc  # type: ignore[import-not-found]

LINES = 1000
"""The most lines of one delivery: CloudWatch Logs sends batches of far less than the 6 MB that a function takes."""
FAILURES = 3
"""How often a function may fail at a delivery: Lambda tries a call twice more (Lambda Developer Guide, Asynchronous
invocation, Error handling)."""
AGAIN_SECONDS = 0.2

logger = logging.getLogger("logs")


@dataclass
class Subscription:
    """What waits for one function: lines with the stream that they stand in, in the order of their coming."""

    group: str
    name: str
    function: str
    context: contextvars.Context
    """The account and the region of the log group."""
    lines: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)
    busy: bool = False


class Deliveries:
    """Every subscription of a log group to a function, and what waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: dict[tuple[str, str, str], Subscription] = {}

    def fan_out(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        """Take lines that have been logged, and begin to deliver those that a subscription asks for."""
        found = cloudwatch_logs._log_groups.get(group) or {}
        for name, each in (found.get("subscriptionFilters") or {}).items():
            function = str(each.get("destinationArn", "")).partition(":function:")[2].partition(":")[0]
            pattern = each.get("filterPattern", "")
            lines = [
                (stream, event)
                for event in events
                if cloudwatch_logs._subscription_pattern_matches(pattern, event.get("message", ""))
            ]
            if lines and function and group != f"/aws/lambda/{function}":
                self._take(group, name, function, lines)

    def _take(self, group: str, name: str, function: str, lines: list[tuple[str, dict[str, Any]]]) -> None:
        with self._lock:
            key = (get_account_id(), group, name)
            waiting = self._subscriptions.get(key)
            if waiting is None or waiting.function != function:
                waiting = Subscription(group, name, function, contextvars.copy_context())
                self._subscriptions[key] = waiting
            waiting.lines.extend(lines)
            if waiting.busy:
                return
            waiting.busy = True
            # A copy, since the thread before this one may not have left the context yet.
            context = waiting.context.copy()
        threading.Thread(target=context.run, args=(self._drain, waiting), daemon=True).start()

    def _drain(self, waiting: Subscription) -> None:
        while batch := self._batch(waiting):
            try:
                _deliver(waiting, *batch)
            except Exception:
                logger.exception(
                    "%s: %d lines were not delivered to %s", waiting.group, len(batch[1]), waiting.function
                )

    def _batch(self, waiting: Subscription) -> tuple[str, list[dict[str, Any]]] | None:
        """The oldest lines of one stream; none where all are delivered."""
        with self._lock:
            if not waiting.lines:
                waiting.busy = False
                return None
            stream = waiting.lines[0][0]
            events: list[dict[str, Any]] = []
            while waiting.lines and waiting.lines[0][0] == stream and len(events) < LINES:
                events.append(waiting.lines.popleft()[1])
            return stream, events


def _deliver(waiting: Subscription, stream: str, events: list[dict[str, Any]]) -> None:
    """Call the function until it takes the lines, has failed at them too often, or is there no longer."""
    payload = {
        "messageType": "DATA_MESSAGE",
        "owner": get_account_id(),
        "logGroup": waiting.group,
        "logStream": stream,
        "subscriptionFilters": [waiting.name],
        "logEvents": [
            {"id": uuid.uuid4().hex, "timestamp": event["timestamp"], "message": event["message"]} for event in events
        ],
    }
    data = base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
    failures = 0
    while function := lambda_svc._functions.get(waiting.function):
        answer = lambda_svc._execute_function_with_config_scope(function, {"awslogs": {"data": data}})
        if not answer.get("error"):
            return
        if not answer.get("throttle"):
            failures += 1
        if failures == FAILURES:
            break
        time.sleep(AGAIN_SECONDS)
    logger.error("%s: %d lines were not delivered to %s", waiting.group, len(events), waiting.function)
