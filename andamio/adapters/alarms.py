"""The alarms of a system in an account: which ring, and whether anybody is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from andamio.adapters.aws import Account
from andamio.errors import AwsError


@dataclass(frozen=True, slots=True)
class Ringing:
    """An alarm in the state ALARM: since when, what it is about, and CloudWatch's reason."""

    name: str
    since: datetime
    description: str
    reason: str


def ringing(account: Account, prefix: str) -> list[Ringing]:
    """The alarms that ring, of those whose names begin like this; raises `AwsError`."""
    client = account.guarded("cloudwatch")
    try:
        pages = list(client.pages("describe_alarms", AlarmNamePrefix=prefix, StateValue="ALARM"))
    except ClientError as error:
        raise AwsError(f"The alarms cannot be read: {error}") from error
    return [
        Ringing(
            alarm["AlarmName"],
            alarm["StateUpdatedTimestamp"],
            str(alarm.get("AlarmDescription") or ""),
            str(alarm.get("StateReason") or ""),
        )
        for page in pages
        for alarm in page["MetricAlarms"]
    ]


def has_subscriber(account: Account, topic: str) -> bool:
    """Whether somebody is told what a topic is sent; raises `AwsError`.

    One that is not confirmed, or was deleted, has a word in the place of its ARN, and does not count.
    """
    client = account.guarded("sns")
    try:
        pages = list(client.pages("list_subscriptions_by_topic", TopicArn=topic))
    except ClientError as error:
        raise AwsError(f"The subscribers of {topic} cannot be read: {error}") from error
    arns = [found["SubscriptionArn"] for page in pages for found in page["Subscriptions"]]
    return any(arn.startswith("arn:") for arn in arns)
