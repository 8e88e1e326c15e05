"""CloudFormation stacks: listing, resources and deletion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from andamio.adapters.aws import Account
from andamio.errors import AwsError

_PAUSE, _LOCAL_PAUSE = 5.0, 0.5
"""Seconds between two looks at a stack that is being deleted, on AWS and on an emulator."""
_GRACE_SECONDS = 20.0
"""Seconds for which a stack may still show the status that it had before its deletion was asked for."""
_TIMEOUT_SECONDS = 2 * 3600.0
"""Seconds after which a deletion is no longer followed; CloudFormation continues it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack of a name, there or deleted; `deleted` is None where that is not known."""

    id: str
    name: str
    status: str
    created: datetime
    deleted: datetime | None

    @property
    def is_deleted(self) -> bool:
        """Whether it is deleted to the end."""
        return self.status == "DELETE_COMPLETE"


@dataclass(frozen=True, slots=True)
class Member:
    """A resource in a stack: CloudFormation's type, physical name ("" before it had one), and status."""

    kind: str
    name: str
    status: str


class Stacks:
    """The stacks of an account and region."""

    def __init__(self, account: Account) -> None:
        self._client = account.guarded("cloudformation")
        self._pause = _LOCAL_PAUSE if account.endpoint_url else _PAUSE

    def list_all(self) -> list[Stack]:
        """Every stack, also those deleted in the last 90 days; raises `CommandError` where they cannot be listed."""
        try:
            return [
                Stack(item["StackId"], item["StackName"], item["StackStatus"], item["CreationTime"], deleted)
                for page in self._client.pages("list_stacks")
                for item in page["StackSummaries"]
                for deleted in (item.get("DeletionTime"),)
            ]
        except ClientError as error:
            raise AwsError(f"The stacks cannot be listed: {error}\n{_advice(error, 'ListStacks')}") from error

    def members(self, stack: str) -> list[Member]:
        """The resources of a stack, by its id or name; none where it does not exist or is forgotten.

        Raises `CommandError` where they cannot be listed: that is no sign that there are none.
        """
        try:
            return [
                Member(item["ResourceType"], item.get("PhysicalResourceId") or "", item["ResourceStatus"])
                for page in self._client.pages("list_stack_resources", StackName=stack)
                for item in page["StackResourceSummaries"]
            ]
        except ClientError as error:
            if _missing(error):
                return []
            raise AwsError(
                f"The resources of stack {stack} cannot be listed: {error}\n{_advice(error, 'ListStackResources')}"
            ) from error

    def delete(self, stack: Stack, progress: Callable[[str], None]) -> None:
        """Delete a stack and wait for the end; `progress` receives the current event.

        Raises `CommandError` with the reasons from the stack's events when CloudFormation does not delete it.
        """
        try:
            # By its id: a stack of the same name that is made in the meantime is another one.
            self._client.delete_stack(StackName=stack.id)
        except ClientError as error:
            raise AwsError(f"Stack {stack.name} cannot be deleted: {error}\n{_advice(error, 'DeleteStack')}") from error
        start = time.monotonic()
        while True:
            status = self._status(stack)
            if status in ("", "DELETE_COMPLETE"):
                return
            waited = time.monotonic() - start
            if status != "DELETE_IN_PROGRESS" and not (status == stack.status and waited < _GRACE_SECONDS):
                raise AwsError(self._failure_message(stack, status))
            if waited > _TIMEOUT_SECONDS:
                raise AwsError(
                    f"Stack {stack.name} is still being deleted after {_TIMEOUT_SECONDS / 3600:.0f} hours. "
                    "CloudFormation "
                    "continues: look at its events in the console, then run the same command again."
                )
            progress(self._latest(stack))
            time.sleep(self._pause)

    def _status(self, stack: Stack) -> str:
        try:
            return str(self._client.describe_stacks(StackName=stack.id)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if _missing(error):
                return ""
            raise AwsError(
                f"The deletion of stack {stack.name} has begun, but cannot be followed: {error}\n"
                f"{_advice(error, 'DescribeStacks')}"
            ) from error

    def _latest(self, stack: Stack) -> str:
        try:
            event = next(self._deletion_events(stack), None)
        except ClientError:
            return "its events cannot be read"
        return _event_line(event) if event else ""

    def _failure_message(self, stack: Stack, status: str) -> str:
        try:
            reasons = [
                f"{_event_line(event)}: {event.get('ResourceStatusReason') or 'no reason is given'}"
                for event in self._deletion_events(stack)
                if event["ResourceStatus"] == "DELETE_FAILED" and event.get("PhysicalResourceId") != stack.id
            ]
        except ClientError as error:
            reasons = [f"Its events, which say why, cannot be read: {error}"]
        return (
            f"Stack {stack.name} was not deleted, it is {status}:\n"
            + "\n".join(f"  {reason}" for reason in reversed(reasons))
            + "\nNo retained resource was removed. Fix the cause, then run the same command again."
        )

    def _deletion_events(self, stack: Stack) -> Iterator[dict[str, Any]]:
        """The events since the last deletion began, newest first."""
        for page in self._client.pages("describe_stack_events", StackName=stack.id):
            for event in page["StackEvents"]:
                yield event
                if event.get("PhysicalResourceId") == stack.id and event["ResourceStatus"] == "DELETE_IN_PROGRESS":
                    return


def newest(stacks: Iterable[Stack]) -> Stack | None:
    """The one that is there, else the one made last; None for none."""
    return max(stacks, key=lambda stack: (not stack.is_deleted, stack.created), default=None)


def _event_line(event: dict[str, Any]) -> str:
    return f"{event['LogicalResourceId']} ({event['ResourceType']}) {event['ResourceStatus']}"


def _missing(error: ClientError) -> bool:
    details = error.response["Error"]
    return details["Code"] == "ValidationError" and "does not exist" in details.get("Message", "")


def _advice(error: ClientError, call: str) -> str:
    code = str(error.response["Error"]["Code"])
    if code.startswith(("Throttl", "RequestLimit")):
        return "AWS is throttling: wait a minute, then run the same command again."
    if code.startswith("AccessDenied"):
        return f"Use credentials that allow cloudformation:{call}, then run the same command again."
    return "Fix the cause, then run the same command again."
