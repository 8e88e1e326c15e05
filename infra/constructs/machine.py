"""A state machine out of a file in stepfunctions/, with a role and a log group of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from andamio import names
from infra import asl
from infra.constructs import trust
from infra.constructs.role import Permission, create_role
from infra.constructs.waivers import waive

if TYPE_CHECKING:
    from infra.constructs.tasks import Tasks

# Step Functions writes its log through a delivery that only "*" can name.
LOG_DELIVERY = Permission(
    (
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ),
    ("*",),
    (("IAM5[Resource::*]", "Log deliveries have no ARN: AWS asks for '*' on these eight actions."),),
)


class FileMachine(sfn.StateMachine):
    """The state machine `stepfunctions/PART.asl.json`; it may call the functions and start the machines given.

    functions, starts, numbers, texts: placeholder -> what fills it in. With `${Partition}`, and for each `${XFunction}`
    with `${XFunctionSeconds}`, a task's timeout that is longer than the function's, they are all placeholders of the
    file. `also` is what else its role may do. Where there are no `tasks`, the states that run one are left out. Where
    the file has a Distributed Map, the role may start and follow its children.
    """

    part: str

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        part: str,
        system: str,
        functions: Mapping[str, lambda_.Function],
        starts: Mapping[str, sfn.IStateMachine],
        numbers: Mapping[str, int],
        given_role: str,
        texts: Mapping[str, str] | None = None,
        also: Sequence[Permission] = (),
        tasks: Tasks | None = None,
    ) -> None:
        name = names.resource(system, part)
        definition = asl.load(asl.FOLDER / f"{part}.asl.json")
        if tasks is None:
            definition = asl.without(definition, "ecs:runTask")
        values: dict[str, str | int] = {key: function.function_arn for key, function in functions.items()}
        for key, function in functions.items():
            assert function.timeout is not None
            values |= asl.task_seconds(key, int(function.timeout.to_seconds()))
        values |= {"Partition": Stack.of(scope).partition}
        values |= {key: machine.state_machine_arn for key, machine in starts.items()}
        values |= numbers
        values |= texts or {}
        values |= tasks.values if tasks else {}
        permissions: Sequence[Permission] = [
            Permission(("lambda:InvokeFunction",), tuple(function.function_arn for function in functions.values())),
            *(Permission(("states:StartExecution",), (machine.state_machine_arn,)) for machine in starts.values()),
            *(_children(scope, name) if asl.is_distributed(definition) else ()),
            *also,
            *(tasks.permissions if tasks else ()),
            LOG_DELIVERY,
        ]
        group = logs.LogGroup(
            scope,
            f"{id}Logs",
            # The prefix keeps the account's log resource policy short, whatever number of machines there is.
            log_group_name=f"/aws/vendedlogs/states/{name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        super().__init__(
            scope,
            id,
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            # Not Stack.to_json_string, which drops null: "ResultPath": null keeps a state's input.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(asl.render(definition, values))),
            role=create_role(scope, f"{id}Role", trust.machine(scope, name), permissions, given_role),
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
            tracing_enabled=False,
        )
        self.part = part
        waive(
            self,
            {"SF2": "The history of an execution already shows each step and its time; X-Ray would bill for it again."},
        )


def _children(scope: Construct, name: str) -> Iterator[Permission]:
    """Permissions of a machine with a Distributed Map on itself: its children are executions of the same machine.

    By name, because a role that refers to the machine that refers to the role could not be deployed.
    """

    def arn(resource: str, of: str) -> str:
        return Stack.of(scope).format_arn(
            service="states", resource=resource, resource_name=of, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    yield Permission(("states:StartExecution",), (arn("stateMachine", name),))
    runs = (f"{name}:*", f"{name}/*")
    why = "Step Functions names a map's children and its runs; they are all of this one machine."
    yield Permission(
        ("states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"),
        tuple(arn("execution", run) for run in runs),
        tuple(
            (
                f"IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:{run}]",
                why,
            )
            for run in runs
        ),
    )
