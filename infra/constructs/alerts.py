"""Somebody is told when an execution did not end well."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from andamio import names
from infra.constructs.queue import DeadLetterQueue


class Alerts(Construct):
    """An encrypted topic, and a rule that sends it every execution that failed, timed out or was aborted."""

    topic: sns.Topic

    def __init__(self, scope: Construct, id: str, *, problem: str, machines: Sequence[sfn.IStateMachine]) -> None:
        super().__init__(scope, id)
        # AWS's own key for SNS does not let EventBridge publish: messages would be lost without a sign.
        key = kms.Key(
            self,
            "Key",
            description=f"Alerts of {names.stack(problem)}",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.grant(iam.ServicePrincipal("events.amazonaws.com"), "kms:Decrypt", "kms:GenerateDataKey")
        self.topic = sns.Topic(
            self, "Topic", topic_name=names.resource(problem, "alerts"), master_key=key, enforce_ssl=True
        )
        events.Rule(
            self,
            "FailedExecutions",
            rule_name=names.resource(problem, "failed-executions"),
            description="Executions that failed, timed out or were aborted",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [machine.state_machine_arn for machine in machines],
                },
            ),
            targets=[
                targets.SnsTopic(
                    self.topic,
                    dead_letter_queue=DeadLetterQueue(
                        self, "DeadLetters", name=names.resource(problem, "alerts-dead-letters")
                    ),
                    max_event_age=Duration.hours(12),
                    retry_attempts=50,
                )
            ],
        )
