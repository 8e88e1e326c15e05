"""The steps of training as Fargate tasks: the function's own bundle, in an image that AWS keeps for functions.

A task is in a VPC of its own, in public subnets, with a public address and no way in: AWS bills neither a VPC, nor
subnets, nor the gateway endpoint of S3, so there is no cost while no task runs (docs/adr/0046).
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from andamio import names
from andamio.contract.own_code import packed
from andamio.settings import TrainSettings
from infra import REPOSITORY
from infra.bundling import Bundle
from infra.constructs import trust
from infra.constructs.role import Permission, create_role
from infra.constructs.waivers import waive

IMAGE = "public.ecr.aws/lambda/python:3.13"
"""Lambda's own runtime as an image: the system that the bundle's wheels are for, the same Python, and boto3."""
PYTHON = "/var/lang/bin/python3"
BOOTSTRAP = REPOSITORY / "infra" / "tasks" / "bootstrap.py"

SECONDS = 6 * 3600
"""After so long a task is stopped, as one that hangs."""

MEMORY_MB = 16 * 1024
"""What the definition says; each task is told its own size."""

RULE = "StepFunctionsGetEventsForECSTaskRule"
"""The rule by which Step Functions learns that a task has ended; it makes it itself."""

SUBNETS = 2
"""Availability zones that tasks are placed in: where one has no capacity, the other may."""

ARCHITECTURES = {"x86_64": "X86_64", "amd64": "X86_64", "arm64": "ARM64", "aarch64": "ARM64"}


class Tasks(Construct):
    """A cluster, a task definition and a network for the steps of training.

    `settings` are the function's, `permissions` what a task may do besides reading its bundle, `pipeline` is the
    problem's pipeline.py.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        bundle: Bundle,
        settings: TrainSettings,
        permissions: Sequence[Permission],
        pipeline: bytes | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._name = name = names.resource(system, "train")
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=names.task_log_group(name),
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        write_logs = Permission(("logs:CreateLogStream", "logs:PutLogEvents"), (self.log_group.log_group_arn,))
        archive = assets.Asset(self, "Bundle", path=str(bundle.path))
        place = f"{archive.s3_bucket_name}/{archive.s3_object_key}"
        read_bundle = Permission(("s3:GetObject",), (f"arn:{Stack.of(self).partition}:s3:::{place}",))
        trusted = trust.tasks(self)
        self._start_role = create_role(self, "StartRole", trusted, [write_logs], "")
        self._role = create_role(self, "Role", trusted, [read_bundle, *permissions], "")
        region = Stack.of(self).region
        with bundle.path.open("rb") as body:
            digest = hashlib.file_digest(body, "sha256").hexdigest()
        variables = {
            # The memory is that of the definition; the machine tells each task its own.
            **replace(settings, seconds=SECONDS, memory_mb=MEMORY_MB).as_env(),
            "ANDAMIO_BUNDLE": place,
            "ANDAMIO_BUNDLE_SHA256": digest,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "PYTHONPATH": "/var/runtime",  # boto3, on the images that do not have it beside Python's own packages
        }
        if pipeline is not None:  # a task has no layers
            variables["ANDAMIO_PIPELINE"] = packed(pipeline)
        self._cluster = ecs.CfnCluster(
            self, "Cluster", cluster_name=name, capacity_providers=["FARGATE", "FARGATE_SPOT"]
        )
        waive(self._cluster, {"ECS4": "Tasks are few and end by themselves; their log says what they did and took."})
        machine = platform.machine().lower() if bundle.platform == "host" else bundle.platform
        self._definition = ecs.CfnTaskDefinition(
            self,
            "Definition",
            family=name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            # What each task is told takes the place of these: the size goes by the data.
            cpu="2048",
            memory=str(MEMORY_MB),
            execution_role_arn=self._start_role.role_arn,
            task_role_arn=self._role.role_arn,
            runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
                cpu_architecture=ARCHITECTURES[machine], operating_system_family="LINUX"
            ),
            container_definitions=[
                ecs.CfnTaskDefinition.ContainerDefinitionProperty(
                    name=names.TASK_CONTAINER,
                    image=IMAGE,
                    essential=True,
                    entry_point=[PYTHON, "-c", BOOTSTRAP.read_text()],
                    environment=[
                        ecs.CfnTaskDefinition.KeyValuePairProperty(name=key, value=value)
                        for key, value in sorted(variables.items())
                    ],
                    log_configuration=ecs.CfnTaskDefinition.LogConfigurationProperty(
                        log_driver="awslogs",
                        options={
                            "awslogs-group": self.log_group.log_group_name,
                            "awslogs-region": region,
                            "awslogs-stream-prefix": names.TASK_LOG_PREFIX,
                        },
                    ),
                )
            ],
        )
        waive(self._definition, {"ECS2": "The variables are names of buckets and a digest, as the function has them."})
        self._network()

    def _network(self) -> None:
        self._vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=SUBNETS,
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
            restrict_default_security_group=False,  # by a custom resource, and nothing is in that group
        )
        waive(self._vpc, {"VPC7": "Nothing listens in this network; a log of what tasks fetch would say little."})
        self._group = ec2.SecurityGroup(
            self, "Group", vpc=self._vpc, description="Tasks: nothing comes in, everything may go out"
        )

    @property
    def values(self) -> dict[str, str | int]:
        """What fills in the placeholders of the state machine."""
        one, two = (subnet.subnet_id for subnet in self._vpc.public_subnets)
        return {
            "TaskCluster": self._cluster.ref,
            # The latest revision: the one that an execution began with goes when another is deployed.
            "TaskDefinition": self._name,
            "TaskSeconds": SECONDS,
            "TaskSubnetOne": one,
            "TaskSubnetTwo": two,
            "TaskSecurityGroup": self._group.security_group_id,
        }

    @property
    def permissions(self) -> list[Permission]:
        """What a state machine needs to run tasks and wait for their end, as its guide says."""
        revisions, tasks = f"task-definition/{self._name}:*", f"task/{self._name}/*"
        return [
            self._any("ecs:RunTask", of=revisions, why="A deployment makes a new revision, and removes the last one."),
            self._any("ecs:StopTask", "ecs:DescribeTasks", of=tasks, why="ECS names tasks when they start."),
            Permission(("iam:PassRole",), (self._role.role_arn, self._start_role.role_arn)),
            Permission(
                ("events:PutTargets", "events:PutRule", "events:DescribeRule"),
                (Stack.of(self).format_arn(service="events", resource="rule", resource_name=RULE),),
            ),
        ]

    def _any(self, *actions: str, of: str, why: str) -> Permission:
        arn = Stack.of(self).format_arn(service="ecs", resource=of, arn_format=ArnFormat.NO_RESOURCE_NAME)
        finding = f"IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:{of}]"
        return Permission(actions, (arn,), ((finding, why),))
