"""The topic of alerts: what rings there, and who hears it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
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
    """An encrypted topic, and rules that send it failed executions, and what waits for approval.

    Its messages go to an address of email and to an endpoint of HTTPS, where they are given; either has to confirm.
    """

    topic: sns.Topic

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        machines: Sequence[sfn.IStateMachine],
        email: str = "",
        webhook: str = "",
    ) -> None:
        super().__init__(scope, id)
        # AWS's own key for SNS lets neither EventBridge nor CloudWatch publish: messages would be lost without a sign.
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
                principals=[
                    iam.ServicePrincipal("events.amazonaws.com"),
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                # For messages of this topic: SNS says which one it encrypts for. A source cannot be asked for:
                # EventBridge names none when it publishes, here and to the topic, and AWS's guide takes conditions out.
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
        self.topic = sns.Topic(
            self, "Topic", topic_name=name, master_key=same_key, enforce_ssl=True, signature_version="2"
        )
        if email:
            sns.Subscription(self, "Email", topic=self.topic, protocol=sns.SubscriptionProtocol.EMAIL, endpoint=email)
        if webhook:
            sns.Subscription(
                self,
                "Webhook",
                topic=self.topic,
                protocol=sns.SubscriptionProtocol.HTTPS,
                endpoint=webhook,
                delivery_policy=_retried(),
                dead_letter_queue=DeadLetterQueue(
                    self, "WebhookDeadLetters", name=names.resource(system, "alert-webhook-dead-letters")
                ),
            )
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {
                        "aws:SourceArn": Stack.of(self).format_arn(
                            service="cloudwatch",
                            resource="alarm",
                            resource_name=names.alarm(system, "*"),
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    },
                },
            )
        )
        target = targets.SnsTopic(
            self.topic,
            dead_letter_queue=DeadLetterQueue(self, "DeadLetters", name=names.resource(system, "alerts-dead-letters")),
            max_event_age=Duration.hours(12),
            retry_attempts=50,
        )
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
            targets=[target],
        )
        events.Rule(
            self,
            "Approvals",
            rule_name=names.resource(system, "approvals"),
            description="What the gate allows and a person has to approve",
            event_pattern=events.EventPattern(source=[names.event_source(system)], detail_type=["Approval needed"]),
            targets=[target],
        )


def _retried() -> sns.DeliveryPolicy:
    """An endpoint that does not answer is asked again for more than half an hour; SNS takes an hour at most."""
    return sns.DeliveryPolicy(
        healthy_retry_policy=sns.HealthyRetryPolicy(
            min_delay_target=Duration.seconds(5),
            max_delay_target=Duration.minutes(5),
            num_retries=12,
            backoff_function=sns.BackoffFunction.EXPONENTIAL,
        ),
        request_policy=sns.RequestPolicy(header_content_type="application/json"),
    )
