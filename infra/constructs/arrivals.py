"""A file that lands under a prefix starts a state machine."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from andamio import names
from infra.constructs import trust
from infra.constructs.queue import DeadLetterQueue
from infra.constructs.role import Permission, create_role


class UploadRule(Construct):
    """S3 -> EventBridge -> Step Functions, tried again for half a day, then kept in a dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        part: str,
        bucket: s3.Bucket,
        prefix: str,
        machine: sfn.StateMachine,
        given_role: str,
    ) -> None:
        super().__init__(scope, id)
        name = names.resource(system, f"{part}-arrivals")
        start = Permission(("states:StartExecution",), (machine.state_machine_arn,))
        events.Rule(
            self,
            "Rule",
            rule_name=name,
            description=f"A file under {prefix} starts {names.resource(system, part)}",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": prefix}]}},
            ),
            targets=[
                targets.SfnStateMachine(
                    machine,
                    role=create_role(self, "Role", trust.rule(self, name), [start], given_role),
                    dead_letter_queue=DeadLetterQueue(self, "DeadLetters", name=f"{name}-dead-letters"),
                    max_event_age=Duration.hours(12),
                    retry_attempts=50,
                )
            ],
        )
