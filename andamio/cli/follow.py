"""Following executions to their end, with the state they are in."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from andamio.adapters.aws import Account, Execution
from andamio.cli.console import step
from andamio.errors import CommandError

_POLL_SECONDS = 0.5
_APPEAR_SECONDS = 30.0


def follow(account: Account, arn: str, what: str, look: Callable[[], str] = str) -> Execution:
    """Wait for an execution to end and return it; raises `CommandError` with the cause when it failed.

    `look` is called now and then, and says more about where it stands.
    """
    with step(what) as status:
        seen = ""
        while True:
            execution = account.execution(arn)
            more = look()
            if not execution.running:
                break
            now = account.current_state(arn)
            shown = f"{what}: {now}" + (f" ({more})" if more else "")
            if shown != seen:
                status.update(shown)
                seen = shown
            time.sleep(_POLL_SECONDS)
    if execution.status != "SUCCEEDED":
        raise CommandError(
            f"{what} ended as {execution.status}: {execution.cause or 'no cause was given'}\n"
            f"  Look closer with: andamio logs {'etl' if what.startswith('ETL') else 'train'}"
        )
    return execution


def follow_etl(account: Account, machine: str, since: datetime) -> Execution:
    """Wait for the executions that a landed file has set off; return the one that went through to the end.

    Every file sets off an execution of its own, and all but the last step aside ("superseded"): so the
    answer is the one that did not.
    """
    waited = time.monotonic()
    while True:
        arns = [execution.arn for execution in account.executions(machine) if execution.started >= since]
        if arns:
            ended = [follow(account, arn, "ETL") for arn in arns]
            decided = [execution for execution in ended if execution.output.get("status") != "superseded"]
            if decided:
                return decided[0]
        if time.monotonic() - waited > _APPEAR_SECONDS and not arns:
            raise CommandError(
                "The file landed, but no ETL execution was set off within "
                f"{_APPEAR_SECONDS:.0f} s. Start one by hand: andamio ingest (without a file)"
            )
        time.sleep(_POLL_SECONDS)


def training_arn(machine: str, name: str) -> str:
    """The ARN of a named execution of a state machine."""
    return machine.replace(":stateMachine:", ":execution:") + f":{name}"
