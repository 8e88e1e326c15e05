"""The account that a destroy is about, and the one in which batches are scored."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from andamio.adapters.aws import Account
from andamio.cli import main
from andamio.cli.batches import batch, watch
from andamio.cli.cloud import cdk
from andamio.cli.cloud.deployment import ECS_ROLE
from andamio.testing.read_once import read_once
from tests.support.account import NEIGHBOUR, REGION, STACK, TEMPLATE, Aws, Stacks
from tests.support.batch_cloud import DEPLOYED, HEADER, Cloud


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    made = Aws()
    real = Account.client

    def client(account: Account, service: str) -> Any:
        if service == "sagemaker":
            return made.apps
        found = real(account, service)
        return Stacks(found, made) if service == "cloudformation" else found

    monkeypatch.setattr(Account, "client", client)
    # A synth may refuse what is asked of a deploy: that there is none is what a test asks. It deletes, as it would.
    monkeypatch.setattr(cdk, "run", lambda arguments, *more, **also: made.synth(arguments))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with read_once(), mock_aws():
        made.client("iam").create_role(RoleName=ECS_ROLE, AssumeRolePolicyDocument="{}")
        made.key = made.client("kms").create_key()["KeyMetadata"]["KeyId"]
        made.deploy(STACK, TEMPLATE)
        made.deploy(f"{STACK}--prod", NEIGHBOUR)
        made.fill()
        made.client("logs").create_log_group(logGroupName="API-Gateway-Execution-Logs_abc/v1")
        yield made


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(batch, "account_of", lambda deployed: cloud)
    monkeypatch.setattr(main, "_deployed", lambda problem, stage: DEPLOYED)
    monkeypatch.setattr(watch, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(watch, "_APPEAR_SECONDS", 0.05)
    return cloud


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "patients.csv"
    file.write_text(f"{HEADER}\n52,1\nold,1\n54,1\n")
    return file
