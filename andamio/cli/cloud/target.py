"""Where a deploy goes: the local cloud, or an account and a region of AWS; and under which name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from andamio import names
from andamio.adapters.aws import Account
from andamio.cli.cloud import identity as whose
from andamio.cli.cloud.local import aws_environment, started
from andamio.cli.cloud.outputs import LOCAL, place
from andamio.errors import AccountError, UsageError

_ENDPOINT = "AWS_ENDPOINT_URL"
_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment target.

    account      access to the account
    number       the account number
    environment  environment variables for the CDK
    recorded     the record of the local cloud; None on AWS
    """

    account: Account
    number: str
    region: str
    environment: dict[str, str]
    recorded: dict[str, Any] | None

    @property
    def local(self) -> bool:
        """Whether the target is the local cloud."""
        return self.recorded is not None

    @property
    def name(self) -> str:
        """The folder of the outputs: `local`, or account and region."""
        return place(self.number, self.region, local=self.local)

    @property
    def identity(self) -> str:
        """A unique name: the id of a local cloud, or account and region."""
        return f"{LOCAL}:{self.recorded['cloud']}" if self.recorded is not None else f"aws:{self.name}"

    def __str__(self) -> str:
        """A phrase for messages."""
        return "on the local cloud" if self.local else f"in AWS account {self.number}, {self.region}"


def target(*, aws: bool) -> Target:
    """The local cloud of this home, or the AWS account of the environment; raises `CommandError`."""
    if not aws:
        recorded = started()
        whose.require(recorded)
        account = Account(recorded["endpoint_url"], recorded["region"])
        return Target(account, recorded["account"], recorded["region"], aws_environment(recorded), recorded)
    environment = dict(os.environ)
    # boto3 and the CDK also read endpoints of single services (AWS_ENDPOINT_URL_S3).
    endpoints = {
        name: address for name, address in sorted(environment.items()) if name.startswith(_ENDPOINT) and address
    }
    if endpoints:
        address = ", ".join(f"{name} ({address})" for name, address in endpoints.items())
        raise AccountError(
            f"--aws needs AWS endpoints, but these variables are set: {address}. Run: unset {' '.join(endpoints)}"
        )
    region = _region(environment)
    account = Account(None, region)
    return Target(account, account.number(), region, environment, None)


def stage_of(stage: str | None, *, local: bool) -> str:
    """The given stage, else `dev` on AWS and none locally; raises `UsageError` for an invalid one.

    Locally `dev` means no stage: both have names without a suffix.
    """
    if not stage or stage == names.DEFAULT_STAGE:
        return "" if local else names.DEFAULT_STAGE
    if not _STAGE.fullmatch(stage):
        raise UsageError(
            f"--stage {stage[:40]}: expected 1 to 12 lower-case letters and digits, beginning with a letter."
        )
    return stage


def system_of(problem: str, stage: str) -> str:
    """The name of a problem's resources in a stage; raises `UsageError` when it is too long."""
    system = names.system(problem, stage)
    if len(system) > names.LONGEST_SYSTEM:
        raise UsageError(
            f"'{system}' has {len(system)} characters, and AWS names allow {names.LONGEST_SYSTEM}. "
            "Use a shorter stage, or a shorter name in problem.toml."
        )
    return system


def _region(environment: Mapping[str, str]) -> str:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise AccountError("No AWS region is set. Set AWS_REGION, for example: export AWS_REGION=eu-west-1")
    return region
