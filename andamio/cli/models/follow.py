"""Progress of executions until their end, with their current state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from andamio.adapters.aws import Account, Execution, NoAnswer
from andamio.cli.console import done, note, step
from andamio.cli.home import cloud
from andamio.errors import ExecutionFailed, ObjectNotFound

_POLL_SECONDS = 0.5
_APPEAR_SECONDS = 30.0
_LOGS = {"ETL": "etl", "Monitor": "monitor"}
"""The function whose log tells of an execution, by the first word of what it is called."""
_FORGETFUL = "localstack"
"""The emulator whose state is in memory."""
_WAITS = {"AskApproval": "waits for approval, in another terminal: andamio approve"}
"""What is said of a state that waits for a person."""


def follow(account: Account, arn: str, title: str, detail: Callable[[], str] = str) -> Execution:
    """Wait for the end of an execution and return it; raises `ExecutionFailed` with the cause when it failed.

    `detail` is called at each poll and returns more about the progress.
    """
    try:
        with resumable(account, "Finished steps are kept. To go on, give this command again."):
            execution = _until_end(account, arn, title, detail)
    except ObjectNotFound as error:
        raise ExecutionFailed(
            f"{title} was lost: {error}. The local cloud was killed before it had saved this execution. Look "
            "with andamio status whether the local cloud runs. Then give this command again: it uses what is stored."
        ) from error
    if execution.status != "SUCCEEDED":
        raise ExecutionFailed(
            f"{title} ended as {execution.status}: {reason(execution.cause)}\n"
            f"  Log: andamio logs {_LOGS.get(title.split(maxsplit=1)[0], 'train')}"
        )
    return execution


@contextmanager
def resumable(account: Account, advice: str) -> Iterator[None]:
    """Where nothing answers any more, add what is kept and how to go on; a cloud without a disk keeps nothing."""
    try:
        yield
    except NoAnswer as error:
        if account.endpoint_url is not None and (cloud() or {}).get("emulator") == _FORGETFUL:
            raise
        raise NoAnswer(f"{str(error).rstrip('.')}. {advice}") from error


def _until_end(account: Account, arn: str, title: str, detail: Callable[[], str]) -> Execution:
    with step(title) as status:
        last = ""
        while True:
            execution = account.execution(arn)
            more = detail()
            if not execution.running:
                return execution
            now = account.current_state(arn)
            now = _WAITS.get(now, now)
            text = (f"{title}: {now}" if now else title) + (f" ({more})" if more else "")
            if text != last:
                status.update(text)
                last = text
            time.sleep(_POLL_SECONDS)


def follow_etl(account: Account, machine: str, since: datetime) -> Execution:
    """Wait for the ETL executions of uploaded files; return the one that was not superseded.

    Each file starts an execution. All but the last one end as "superseded".
    """
    since_last = time.monotonic()
    superseded: set[str] = set()
    while True:
        arns = [execution.arn for execution in account.executions(machine) if execution.started >= since]
        for arn in arns:
            if arn in superseded:
                continue
            ended = follow(account, arn, "ETL")
            if ended.output.get("status") != "superseded":
                return ended
            superseded.add(arn)
            since_last = time.monotonic()
        if time.monotonic() - since_last > _APPEAR_SECONDS:
            event = "the execution that supersedes the others" if superseded else "an ETL execution"
            raise ExecutionFailed(
                f"The file is uploaded, but {event} did not start within {_APPEAR_SECONDS:.0f} s. "
                "Start one by hand: andamio ingest (without a file)"
            )
        time.sleep(_POLL_SECONDS)


def report_training(execution: Execution) -> None:
    """Say how a training ended, and why."""
    output = execution.output
    what = {
        "promoted": "The new model is the champion",
        "challenged": "The new model is the challenger, whose trial goes on: andamio status",
        "rejected": "The new model was not promoted",
        "tied": "The new model equals the champion, which stays",
        "no_parity": "No model could be exported with parity. The champion stays",
    }.get(str(output.get("status")), f"Training ended: {output.get('status')}")
    done(what)
    if output.get("reason"):
        note(f"  {output['reason']}")


def reason(cause: str) -> str:
    """The cause of a failed execution; of an error of a function, its message."""
    try:
        details = json.loads(cause)
    except ValueError:
        return cause or "no cause was given"
    return str(details.get("errorMessage") or cause) if isinstance(details, dict) else cause


def execution_arn(machine: str, name: str) -> str:
    """The ARN of a named execution of a state machine."""
    return machine.replace(":stateMachine:", ":execution:") + f":{name}"
