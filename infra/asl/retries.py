"""What a Task does when it fails: how long it may take, what it tries again and for how long, what it catches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.asl.definition import State

LAMBDA_FAULTS = frozenset({"Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"})
"""Faults of the Lambda service, not of our code: AWS's own advice is to retry them."""

THROTTLED = "Lambda.TooManyRequestsException"
"""What Step Functions reports when Lambda refuses a call because as many run as the account may have."""

LONGEST_CALL_SECONDS = 900
"""Lambda ends a call after fifteen minutes: by then a place must have become free."""

FIELDS = frozenset(
    {"Comment", "ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds", "JitterStrategy"}
)
"""What a retrier may hold. asl-validator does not look."""

FUNCTION = re.compile(r"\$\{(\w+Function)\}")
"""A function as a task's resource, before it is filled in."""


def longest_wait(retry: State) -> float:
    """How many seconds a retrier waits at most, over all its attempts; with full jitter it is half of that on average.

    By AWS's defaults where nothing is said: after 1 second, twice as long each time, 3 attempts.
    """
    first, rate = float(retry.get("IntervalSeconds", 1)), float(retry.get("BackoffRate", 2.0))
    longest = float(retry.get("MaxDelaySeconds", "inf"))
    return sum(min(first * rate**attempt, longest) for attempt in range(int(retry.get("MaxAttempts", 3))))


def task_rules(where: str, state: State) -> Iterator[str]:
    """Every rule that a Task breaks."""
    yield from _timeout(where, state)
    for unknown in sorted({name for retry in state.get("Retry") or [] for name in retry} - FIELDS):
        yield f"{where} has a Retry with {unknown}, expected only {', '.join(sorted(FIELDS))}"
    if _calls_lambda(state):
        yield from _throttling(where, state)
        yield from _faults(where, state)
    elif not state.get("Retry"):
        yield f"{where} has no Retry"
    if not catches_all(state):
        yield f"{where} has no Catch for States.ALL"


def catches_all(state: State) -> bool:
    """Whether a state catches `States.ALL`."""
    return any("States.ALL" in (catch.get("ErrorEquals") or []) for catch in state.get("Catch") or [])


def _timeout(where: str, state: State) -> Iterator[str]:
    if not ({"TimeoutSeconds", "TimeoutSecondsPath"} & set(state)):
        yield f"{where} has no TimeoutSeconds: a lost worker would hold the execution for a year"
        return
    called = FUNCTION.fullmatch(str(state.get("Resource", "")))
    if called and state.get("TimeoutSeconds") != (expected := f"${{{called[1]}Seconds}}"):
        yield (
            f"{where} has TimeoutSeconds {state.get('TimeoutSeconds')!r}, expected {expected!r}: a task that ends "
            "before its function loses what the function has to say"
        )


def _throttling(where: str, state: State) -> Iterator[str]:
    """A function that may not run yet is waited for: there is room again when another call ends."""
    retries = state.get("Retry") or []
    if not retries or retries[0].get("ErrorEquals") != [THROTTLED]:
        yield f"{where} does not retry {THROTTLED} first, in an entry of its own"
        return
    yield from _spreads(where, retries[0])
    average = longest_wait(retries[0]) / 2
    if average < LONGEST_CALL_SECONDS:
        yield (
            f"{where} waits {average:.0f} s on average for {THROTTLED} to pass, expected at least "
            f"{LONGEST_CALL_SECONDS}: other calls may last as long"
        )


def _faults(where: str, state: State) -> Iterator[str]:
    retried: set[str] = set()
    for retry in state.get("Retry") or []:
        faults = LAMBDA_FAULTS & set(retry.get("ErrorEquals") or [])
        if faults and retry.get("MaxAttempts", 3) > 0:
            retried |= faults
            yield from _spreads(where, retry)
    if missing := sorted(LAMBDA_FAULTS - retried):
        yield f"{where} does not retry {', '.join(missing)}"


def _spreads(where: str, retry: State) -> Iterator[str]:
    """Those that were refused together do not come back together, and soon come less often."""
    what = ", ".join(retry.get("ErrorEquals") or [])
    if retry.get("JitterStrategy") != "FULL":
        yield f"{where} retries {what} without JitterStrategy FULL"
    if retry.get("BackoffRate", 2.0) <= 1:
        yield f"{where} retries {what} without a growing BackoffRate"
    if "MaxDelaySeconds" not in retry:
        yield f"{where} retries {what} without MaxDelaySeconds: the last waits would be hours"


def _calls_lambda(state: State) -> bool:
    """Functions are called by ARN (a placeholder before it is filled in), or through lambda:invoke."""
    return bool(re.search(r"Function\}$|:function:|:lambda:invoke", str(state.get("Resource", ""))))
