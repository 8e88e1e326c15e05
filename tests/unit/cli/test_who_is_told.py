"""`andamio deploy --aws` says at its end where nobody hears of alarms and failed executions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from andamio.cli.cloud import deployment

CONFIRMED = "arn:aws:sns:eu-west-1:123456789012:andamio-heart-alerts:1"


class Account:
    """An account whose topic has these subscriptions, or may not be looked at."""

    def __init__(self, subscriptions: list[str] | ClientError) -> None:
        self.subscriptions = subscriptions

    def guarded(self, service: str) -> Account:
        assert service == "sns"
        return self

    def pages(self, operation: str, **asked: str) -> Iterator[dict[str, Any]]:
        assert (operation, asked) == ("list_subscriptions_by_topic", {"TopicArn": "topic"})
        if isinstance(self.subscriptions, ClientError):
            raise self.subscriptions
        for arn in self.subscriptions:
            yield {"Subscriptions": [{"SubscriptionArn": arn}]}


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        ([], True),
        (["PendingConfirmation"], True),
        (["Deleted", "PendingConfirmation"], True),
        (["PendingConfirmation", CONFIRMED], False),
        (ClientError({"Error": {"Code": "AuthorizationError"}}, "ListSubscriptionsByTopic"), False),
    ],
    ids=["nobody", "nobody confirmed", "nobody any more", "somebody", "not allowed to look"],
)
def test_it_is_said_where_nobody_is_told(
    subscriptions: list[str] | ClientError,
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(deployment, "account_of", lambda deployed: Account(subscriptions))
    deployment.say_who_is_told({"alerts_topic": "topic"})
    assert ("-c alert_email=" in capsys.readouterr().err) == said
