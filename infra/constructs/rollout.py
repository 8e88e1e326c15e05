"""The trial of a challenger: the state machine that ends it by rule, and on AWS the alarms that end it at once."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from andamio import names
from infra.constructs import trust
from infra.constructs.alarms import OF_A_CHALLENGER
from infra.constructs.function import BundledFunction
from infra.constructs.machine import FileMachine
from infra.constructs.queue import DeadLetterQueue
from infra.constructs.role import Permission, create_role


class Rollout(Construct):
    """`stepfunctions/rollout.asl.json`; with `rings` a rule starts it for each alarm on a challenger."""

    machine: FileMachine

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        registry: BundledFunction,
        given_role: str,
        rings: bool,
    ) -> None:
        super().__init__(scope, id)
        functions: dict[str, lambda_.Function] = {"RegistryFunction": registry}
        self.machine = FileMachine(
            self,
            "Machine",
            part="rollout",
            system=system,
            functions=functions,
            starts={},
            numbers={},
            given_role=given_role,
        )
        # An emulator puts no alarm on EventBridge: there the machine sees at its next look what the alarm would see.
        if not rings:
            return
        name = names.resource(system, "challenger-alarms")
        start = Permission(("states:StartExecution",), (self.machine.state_machine_arn,))
        events.Rule(
            self,
            "Alarms",
            rule_name=name,
            description=f"Starts {names.resource(system, 'rollout')} when an alarm on a challenger rings",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                detail={
                    "alarmName": [names.alarm(system, alarm) for alarm in OF_A_CHALLENGER],
                    "state": {"value": ["ALARM"]},
                },
            ),
            targets=[
                targets.SfnStateMachine(
                    self.machine,
                    input=events.RuleTargetInput.from_object(
                        {
                            "alarm": events.EventField.from_path("$.detail.alarmName"),
                            "raised": events.EventField.from_path("$.time"),
                        }
                    ),
                    role=create_role(self, "AlarmsRole", trust.rule(self, name), [start], given_role),
                    dead_letter_queue=DeadLetterQueue(self, "DeadLetters", name=f"{name}-dead-letters"),
                    max_event_age=Duration.hours(1),
                    retry_attempts=10,
                )
            ],
        )
