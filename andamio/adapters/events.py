"""Events on the account's default bus of EventBridge."""

from __future__ import annotations

from typing import Any

from andamio import names
from andamio.adapters.refusals import refusal
from andamio.errors import EventNotSent
from andamio.storage.events import Event


class BusEvents:
    """`Events` on the default bus; the client comes from the environment unless one is given."""

    def __init__(self, client: Any = None) -> None:
        # Imported here: a cold start pays for boto3 only when it first has something to tell.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        self._refused, self._unreachable = ClientError, BotoCoreError
        self._events: Any = client or boto3.client(
            "events",
            config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=3, read_timeout=10),
        )

    def put(self, event: Event) -> None:
        """Send one event; raises `AccessRefused` where IAM does not allow it, `EventNotSent` where AWS took none."""
        source = names.event_source(event.detail.system)
        entry = {"Source": source, "DetailType": event.kind, "Detail": event.detail.to_json().decode()}
        try:
            reply = self._events.put_events(Entries=[entry])
        except self._unreachable as error:
            raise EventNotSent(_not_sent(event, str(error))) from error
        except self._refused as error:
            refused = refusal(error, "events", "the default event bus")
            if refused is not None:
                raise refused from error
            raise EventNotSent(_not_sent(event, str(error))) from error
        if reply.get("FailedEntryCount"):
            failed = reply["Entries"][0]
            raise EventNotSent(_not_sent(event, f"{failed.get('ErrorCode')}: {failed.get('ErrorMessage')}"))


def _not_sent(event: Event, why: str) -> str:
    return (
        f"EventBridge did not take the event '{event.kind}' ({why}). What it tells of has happened. Start the same "
        "step or command again: it sends the event and repeats nothing else."
    )
