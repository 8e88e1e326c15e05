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
from andamio.errors import CommandError

_ENDPOINT = "AWS_ENDPOINT_URL"
_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Target:
    """A place to deploy to.

    account      what it is asked through
    number       the account's number
    environment  what the CDK command line runs in
    recorded     what the local cloud recorded; None on AWS
    """

    account: Account
    number: str
    region: str
    environment: dict[str, str]
    recorded: dict[str, Any] | None

    @property
    def local(self) -> bool:
        """Whether it is the local cloud."""
        return self.recorded is not None

    @property
    def name(self) -> str:
        """What outputs are kept under, and what a fingerprint is of: `local`, or account and region."""
        return place(self.number, self.region, local=self.local)

    @property
    def identity(self) -> str:
        """What no other place has: of a local cloud its id, since account and region are those of every other."""
        return f"{LOCAL}:{self.recorded['cloud']}" if self.recorded is not None else f"aws:{self.name}"

    def __str__(self) -> str:
        """As people say it."""
        return "on the local cloud" if self.local else f"in AWS account {self.number}, {self.region}"


def target(*, aws: bool) -> Target:
    """The local cloud, when it is ours that answers, or AWS as the environment says; raises `CommandError`."""
    if not aws:
        recorded = started()
        whose.require(recorded)
        account = Account(recorded["endpoint_url"], recorded["region"])
        return Target(account, recorded["account"], recorded["region"], aws_environment(recorded), recorded)
    environment = dict(os.environ)
    # One service's own (AWS_ENDPOINT_URL_S3) leads boto3 and the CDK astray as well as that of all.
    endpoints = {
        name: address for name, address in sorted(environment.items()) if name.startswith(_ENDPOINT) and address
    }
    if endpoints:
        address = ", ".join(f"{name} ({address})" for name, address in endpoints.items())
        raise CommandError(
            f"--aws would not reach AWS, since these are set: {address}. First: unset {' '.join(endpoints)}"
        )
    region = _region(environment)
    account = Account(None, region)
    return Target(account, account.number(), region, environment, None)


def stage_of(stage: str | None, *, local: bool) -> str:
    """The stage that was asked for, else `dev` on AWS and none locally; raises `CommandError` for a wrong one.

    Locally `dev` is none too: both have names without a suffix.
    """
    if not stage or stage == names.DEFAULT_STAGE:
        return "" if local else names.DEFAULT_STAGE
    if not _STAGE.fullmatch(stage):
        raise CommandError(f"--stage {stage[:40]}: expected 1 to 12 lower-case letters and digits, a letter first.")
    return stage


def system_of(problem: str, stage: str) -> str:
    """What a problem's resources are named by in a stage; raises `CommandError` when that is too long."""
    system = names.system(problem, stage)
    if len(system) > names.LONGEST_SYSTEM:
        raise CommandError(
            f"'{system}' has {len(system)} characters, and names of AWS leave room for {names.LONGEST_SYSTEM}. "
            "Use a shorter stage, or a shorter name in problem.toml."
        )
    return system


def _region(environment: Mapping[str, str]) -> str:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise CommandError("Which AWS region? Set AWS_REGION, for example: export AWS_REGION=eu-west-1")
    return region
