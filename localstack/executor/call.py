"""One call of a function, what came of it, and how both are told to people: log lines and error documents."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

EVENT_BYTES = 6 * 1024 * 1024
"""What Lambda takes as the event of a synchronous call."""
PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
"""What Lambda takes as a reply to a synchronous call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the event as JSON text, and what the runtime tells the handler's context."""

    request_id: str
    payload: bytes
    function_arn: str = ""
    trace_id: str = ""


class ErrorType(StrEnum):
    """How a call fails without a word from the handler; the names are Lambda's."""

    TIMEOUT = "Sandbox.Timedout"
    EXIT = "Runtime.ExitError"
    TOO_LARGE = "Function.ResponseSizeTooLarge"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call is answered with. `error_type` is set where the runtime failed, not the handler."""

    payload: bytes
    is_error: bool = False
    error_type: ErrorType | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took: seconds, and the most memory its process ever had, in bytes (None where that is unknown)."""

    seconds: float
    memory: int | None
    init_seconds: float | None = None


def timed_out(call: Call, seconds: float) -> Reply:
    """The reply to a call that took longer than the function's timeout."""
    return _failure(
        ErrorType.TIMEOUT, f"RequestId: {call.request_id} Error: Task timed out after {seconds:.2f} seconds"
    )


def exited(call: Call, code: int) -> Reply:
    """The reply to a call whose process ended; a negative code is the number of the signal that ended it."""
    return _failure(ErrorType.EXIT, f"RequestId: {call.request_id} Error: {exit_reason(code)}")


def too_large(size: int) -> Reply:
    """The reply in place of one that is larger than Lambda takes."""
    return _failure(
        ErrorType.TOO_LARGE,
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({PAYLOAD_BYTES} bytes).",
    )


def exit_reason(code: int) -> str:
    """Lambda's sentence about a process that ended."""
    status = f"signal: {-code}" if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {status}" if code else "Runtime exited without providing a reason"


def log_of(call: Call, version: str, memory_size: int, reply: Reply, usage: Usage, *, init: str, output: str) -> str:
    """The log of one call as Lambda writes it: what was printed while it started, START, what it printed, END, REPORT.

    `init` and `output` are what the process has printed before and during the call.
    """
    lines = [_ended(init), f"START RequestId: {call.request_id} Version: {version}\n", _ended(output)]
    if reply.error_type is ErrorType.TIMEOUT:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        sentence = json.loads(reply.payload)["errorMessage"].partition("Error: ")[2]
        lines.append(f"{now}Z {call.request_id} {sentence}\n")
    elif reply.error_type is not None:
        lines.append(f"{json.loads(reply.payload)['errorMessage']}\n{reply.error_type}\n")
    lines.append(f"END RequestId: {call.request_id}\n")
    lines.append(_report(call, memory_size, reply, usage))
    return "".join(lines)


def _report(call: Call, memory_size: int, reply: Reply, usage: Usage) -> str:
    duration = usage.seconds * 1000
    fields = [
        f"REPORT RequestId: {call.request_id}",
        f"Duration: {duration:.2f} ms",
        f"Billed Duration: {math.ceil(duration)} ms",
        f"Memory Size: {memory_size} MB",
    ]
    if usage.memory is not None:
        fields.append(f"Max Memory Used: {math.ceil(usage.memory / (1 << 20))} MB")
    if usage.init_seconds is not None:
        fields.append(f"Init Duration: {usage.init_seconds * 1000:.2f} ms")
    if reply.error_type is ErrorType.TIMEOUT:
        fields.append("Status: timeout")
    elif reply.error_type is not None:
        fields.append(f"Status: error\tError Type: {reply.error_type}")
    return "\t".join(fields) + "\n"


def _ended(text: str) -> str:
    return text + "\n" if text and not text.endswith("\n") else text


def _failure(error_type: ErrorType, message: str) -> Reply:
    document = {"errorType": str(error_type), "errorMessage": message}
    return Reply(json.dumps(document).encode(), is_error=True, error_type=error_type)
