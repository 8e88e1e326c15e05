"""Progress of a batch until its end, from its objects in the bucket and the status of its execution."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from andamio.adapters.aws import Account, Execution
from andamio.cli.models.follow import reason, resumable
from andamio.cli.progress import bar
from andamio.errors import ExecutionFailed, ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects
from scoring.state import read_state
from scoring.status import Status, read_status

_POLL_SECONDS = 0.5
_CHECK_SECONDS = 5.0
_APPEAR_SECONDS = 60.0
_NO_EXECUTION = "Its execution is not there any more."
_STEPS = {
    "planning": "Planning",
    "unpacking": "Unpacking",
    "cutting": "Cutting into shards",
    "scoring": "Scoring shards",
    "verifying": "Merging shards",
}


class Watch:
    """One batch of a state machine; `resumed` is the execution that was started to resume it."""

    def __init__(
        self, account: Account, objects: Objects, machine: str, batch: str, resumed: str | None = None
    ) -> None:
        self.batch = batch
        self._account = account
        self._objects = objects
        self._machine = machine
        self._resumed = resumed
        started = [execution.started for execution in account.executions(machine, limit=20)]
        # By the clock of the account, which may differ from the local one.
        self._since = max(started) + timedelta(microseconds=1) if started else datetime.min.replace(tzinfo=UTC)

    def running(self) -> bool:
        """Whether an execution is working on the batch."""
        execution = self._execution()
        return execution is not None and execution.running

    def begins(self, seconds: float) -> bool:
        """Wait until an execution has claimed it; False when none has within that time."""
        deadline = time.monotonic() + seconds
        while self._execution_name() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def ended(self) -> str:
        """Why nothing works on a batch that says that it runs, and what to do; "" while an execution does."""
        execution = self._execution()
        if execution is not None and execution.running:
            return ""
        status = read_status(self._objects, self.batch, datetime.now(UTC))
        if status is None or status.status != "running":
            return ""  # it ended between the two looks
        said = f"Its execution ended as {execution.status}: {reason(execution.cause)}." if execution else _NO_EXECUTION
        return f"{said} What was scored is kept. Go on with: andamio batch --resume {self.batch}"

    def await_end(self) -> Status:
        """Wait until the batch is done, or has failed because every row was rejected.

        Raises `ExecutionFailed` when it fails for another reason, or when no execution works on it, `NoAnswer` when
        nothing answers.
        """
        advice = f"What was scored is kept. To go on: andamio batch --resume {self.batch}"
        with resumable(self._account, advice):
            return self._await_end()

    def _await_end(self) -> Status:
        began_at = checked_at = time.monotonic()
        with bar(f"Scoring, as batch {self.batch}") as progress:
            while True:
                started_at = time.monotonic()
                status = self._status()
                if status is not None and status.status == "done":
                    return status
                if status is not None and status.status == "failed":
                    if status.all_rejected:
                        return status
                    raise ExecutionFailed(failure(status))
                if status is not None and status.status == "running":
                    shards = status.shards
                    text = _STEPS.get(status.step or "", "Working")
                    progress.at(text, shards.done if shards else 0, shards.all if shards else None)
                if started_at - checked_at >= _CHECK_SECONDS:
                    checked_at = started_at
                    self._require_execution(started_at - began_at)
                # The status of thousands of shards takes longer to read: wait in proportion.
                time.sleep(max(_POLL_SECONDS, 2 * (time.monotonic() - started_at)))

    def _status(self) -> Status | None:
        """The status; None before its execution has written one."""
        status = read_status(self._objects, self.batch, datetime.now(UTC))
        if status is None or status.status == "waiting":
            return None
        # The failure of the previous attempt.
        stale = self._resumed is not None and status.status == "failed" and self._execution_name() != self._resumed
        return None if stale else status

    def _require_execution(self, seconds: float) -> None:
        """Raise `ExecutionFailed` when no execution works on the batch."""
        execution = self._execution()
        if execution is not None and execution.running:
            return
        # It may have ended between the two reads.
        status = self._status()
        if status is not None and status.status in ("done", "failed"):
            return
        if execution is not None:
            raise ExecutionFailed(
                f"The execution of batch {self.batch} ended as {execution.status}: {reason(execution.cause)}\n"
                f"  Log: andamio logs score. To resume: andamio batch --resume {self.batch}"
            )
        if self._resumed is None and self._execution_name() is not None:
            if why := self.ended():
                raise ExecutionFailed(f"Batch {self.batch} stopped. {why}")
            return  # an execution has claimed it since it was looked for
        executions = [item for item in self._account.executions(self._machine) if item.started >= self._since]
        if any(item.running for item in executions):
            return
        failed = [item for item in executions if item.status != "SUCCEEDED"]
        if failed:
            cause = self._account.execution(failed[0].arn).cause
            raise ExecutionFailed(f"The batch machine failed: {reason(cause)}\n  Log: andamio logs score")
        if seconds > _APPEAR_SECONDS:
            raise ExecutionFailed(
                f"The file is uploaded, but no execution started within {_APPEAR_SECONDS:.0f} s. Check the "
                "EventBridge rule "
                f"for {layout.INCOMING}, or start the batch: andamio batch --resume {self.batch}"
            )

    def _execution_name(self) -> str | None:
        """The execution that claimed the batch last, if any."""
        state = read_state(self._objects, self.batch)
        return None if state is None else state.execution

    def _execution(self) -> Execution | None:
        name = self._resumed or self._execution_name()
        if name is None:
            return None
        arn = self._machine.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            return self._account.execution(arn)
        except ObjectNotFound:
            return None


def failure(status: Status) -> str:
    """A message about a failed batch, with the command that resumes it."""
    text = f"Batch {status.batch} failed: {status.reason}"
    if status.shards is None or status.all_rejected or "--resume" in text:
        return text
    return (
        f"{text}\n  {status.shards.done} of {status.shards.all} shards are scored. "
        f"To resume: andamio batch --resume {status.batch}"
    )
