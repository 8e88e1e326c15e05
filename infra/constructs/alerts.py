"""Alerts for executions that fail, time out or are aborted."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
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

    def __init__(self, scope: Construct, id: str, *, system: str, machines: Sequence[sfn.IStateMachine]) -> None:
        super().__init__(scope, id)
        # AWS's own key for SNS does not let EventBridge publish: messages would be lost without a sign.
        key = kms.Key(
            self,
            "Key",
            description=f"Alerts of {names.stack(system)}",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            removal_policy=RemovalPolicy.DESTROY,
        )
        name = names.resource(system, "alerts")
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                # For messages of this topic: SNS says which one it encrypts for. A source cannot be asked for, here and
                # in the topic's policy: EventBridge names none when it publishes, and AWS's guide takes conditions out.
                conditions={
                    "StringEquals": {
                        "kms:EncryptionContext:aws:sns:topicArn": Stack.of(self).format_arn(
                            service="sns", resource=name
                        )
                    }
                },
            )
        )
        # By its ARN, so that a rule with this topic as its target does not let itself use the key for anything else.
        same_key = kms.Key.from_key_arn(self, "SameKey", key.key_arn)
        self.topic = sns.Topic(self, "Topic", topic_name=name, master_key=same_key, enforce_ssl=True)
        events.Rule(
            self,
            "FailedExecutions",
            rule_name=names.resource(system, "failed-executions"),
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
                        self, "DeadLetters", name=names.resource(system, "alerts-dead-letters")
                    ),
                    max_event_age=Duration.hours(12),
                    retry_attempts=50,
                )
            ],
        )
