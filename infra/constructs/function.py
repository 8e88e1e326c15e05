"""A Lambda function with a log group and a role of its own."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from andamio import names
from infra.bundling import Bundle
from infra.constructs import trust
from infra.constructs.role import Permission, create_role
from infra.constructs.waivers import waive

MOST_MEMORY_MB = 3008
"""What new AWS accounts allow."""

SCRATCH_MIB = 512
"""The /tmp that a function has at no cost."""

MOST_SCRATCH_MIB = 10_240
"""The most that AWS allows."""

ARCHITECTURES = {
    "x86_64": lambda_.Architecture.X86_64,
    "amd64": lambda_.Architecture.X86_64,
    "arm64": lambda_.Architecture.ARM_64,
    "aarch64": lambda_.Architecture.ARM_64,
}


class BundledFunction(lambda_.Function):
    """A function out of a bundle, `lambdas/PART/handler.py`.

    timeout in seconds, memory in MB (a vCPU is 1,769 MB), scratch (/tmp) in MiB. `dead_letters` is for calls that
    nobody waits for; state machines and API Gateway wait for theirs. `lines` is where it logs.
    """

    part: str
    named: str
    lines: logs.LogGroup

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        part: str,
        system: str,
        bundle: Bundle,
        environment: Mapping[str, str],
        permissions: Sequence[Permission],
        description: str,
        memory_mb: int,
        timeout: int,
        given_role: str,
        scratch_mib: int = SCRATCH_MIB,
        layers: Sequence[lambda_.ILayerVersion] = (),
        snapstart: bool = False,
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        name = names.resource(system, part)
        group = logs.LogGroup(
            scope,
            f"{id}Logs",
            log_group_name=names.log_group(name),
            retention=logs.RetentionDays.THREE_MONTHS,
            # An explicit name that outlived its stack would keep the stack from being deployed again.
            removal_policy=RemovalPolicy.DESTROY,
        )
        write_logs = Permission(("logs:CreateLogStream", "logs:PutLogEvents"), (group.log_group_arn,))
        give_up = [Permission(("sqs:SendMessage",), (dead_letters.queue_arn,))] if dead_letters else []
        granted = [write_logs, *give_up, *permissions]
        role = create_role(scope, f"{id}Role", trust.FUNCTIONS, granted, given_role)
        self.lines = group
        super().__init__(
            scope,
            id,
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=ARCHITECTURES[platform.machine().lower() if bundle.platform == "host" else bundle.platform],
            handler=f"lambdas.{part}.handler.handler",
            code=lambda_.Code.from_asset(str(bundle.path)),
            layers=list(layers),
            environment=dict(environment),
            memory_size=min(memory_mb, MOST_MEMORY_MB),
            ephemeral_storage_size=Size.mebibytes(scratch_mib) if scratch_mib > SCRATCH_MIB else None,
            timeout=Duration.seconds(timeout),
            role=role,
            log_group=group,
            dead_letter_queue=dead_letters,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snapstart else None,
        )
        self.part, self.named = part, name
        waive(
            self,
            {"L1": "Python 3.13 is the newest that all of this runs on: the bundles' wheels, and the emulators."},
        )
        if snapstart:
            published = "The stack publishes a version of this function and calls it through an alias."
            waive(self, {"Annotation::@aws-cdk/aws-lambda:snapStartRequirePublish": published})
