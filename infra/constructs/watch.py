"""The watch: the function that compares, its state machine, and the rule that starts it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from andamio import names
from andamio.settings import MonitorSettings
from infra.bundling import Bundle
from infra.constructs import trust
from infra.constructs.function import BundledFunction
from infra.constructs.machine import FileMachine
from infra.constructs.queue import DeadLetterQueue
from infra.constructs.role import Permission, create_role
from infra.options import Options
from infra.permissions import OF_FUNCTIONS, Stores


class Watch(Construct):
    """A `rate` rule -> state machine -> monitor function: the last hours of predictions against the champion.

    Where the contract lets it, the machine starts `etl`, which starts training.
    """

    machine: FileMachine

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        options: Options,
        bundle: Bundle,
        stores: Stores,
        layers: Sequence[lambda_.ILayerVersion],
        etl: sfn.IStateMachine,
    ) -> None:
        super().__init__(scope, id)
        function = BundledFunction(
            self,
            "Function",
            part="monitor",
            system=system,
            bundle=bundle,
            environment=MonitorSettings(
                stores.problem,
                system,
                stores.lake.bucket_name,
                stores.models.bucket_name,
                stores.batch.bucket_name,
                stores.table.table_name,
            ).as_env(),
            permissions=OF_FUNCTIONS["monitor"](stores),
            description="The last hours of predictions against the champion, and what follows of it",
            memory_mb=3008,
            # The predictions of an hour are there while they are made one file, before they are thinned.
            scratch_mib=8192,
            timeout=900,
            given_role=options.existing_role_arn,
            layers=layers,
        )
        self.machine = FileMachine(
            self,
            "Machine",
            part="monitor",
            system=system,
            functions={"MonitorFunction": function},
            starts={"EtlMachine": etl},
            numbers={},
            given_role=options.existing_role_arn,
        )
        name = names.resource(system, "monitor-schedule")
        start = Permission(("states:StartExecution",), (self.machine.state_machine_arn,))
        minutes = options.monitor_minutes
        events.Rule(
            self,
            "Schedule",
            rule_name=name,
            description=f"Starts {names.resource(system, 'monitor')} every {minutes} minutes",
            schedule=events.Schedule.rate(Duration.minutes(minutes)),
            targets=[
                targets.SfnStateMachine(
                    self.machine,
                    role=create_role(self, "ScheduleRole", trust.rule(self, name), [start], options.existing_role_arn),
                    dead_letter_queue=DeadLetterQueue(self, "DeadLetters", name=f"{name}-dead-letters"),
                    # The next one finds what this one would have found.
                    max_event_age=Duration.hours(1),
                    retry_attempts=10,
                )
            ],
        )
