"""Where what could not be delivered waits for a person."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.waivers import waive


class DeadLetterQueue(sqs.Queue):
    """A dead-letter queue: encrypted, TLS only, kept for 14 days; its name is `named`."""

    named: str

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(
            scope,
            id,
            queue_name=name,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.named = name
        waive(self, {"SQS3": "This queue is a dead-letter queue itself."})
