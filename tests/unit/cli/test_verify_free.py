"""`andamio verify` on an account where an earlier verification left data: nothing of it is deleted unasked."""

from __future__ import annotations

import sys

import pytest

from andamio.cli import main
from andamio.cli.verify import steps
from andamio.cli.verify.steps import Step, Verification
from andamio.errors import ToolError
from tests.support.account import KEPT, STACK, Aws

pytestmark = pytest.mark.slow

VERIFY = f"{STACK}--verify"


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command of `andamio`; its exit code."""
    monkeypatch.setattr(sys, "argv", ["andamio", *arguments, "--aws", "--yes"])
    with pytest.raises(SystemExit) as leave:
        main.main()
    return int(leave.value.code or 0)


def test_data_that_an_earlier_stack_kept_are_not_deleted_after_a_deploy_that_made_no_stack(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def deploy(it: Verification) -> str:
        raise ToolError("cdk deploy failed before there was a stack")

    monkeypatch.setattr(steps, "steps", lambda where: [Step("deploy", deploy)])
    aws.deploy("CDKToolkit", {"Resources": {"Staging": {"Type": "AWS::S3::Bucket"}}})
    aws.deploy(VERIFY, {"Resources": {"Lake": {"Type": "AWS::S3::Bucket", **KEPT}}})
    assert said(monkeypatch, "destroy", "--stage", "verify") == 0
    kept = [name for name in aws.buckets if name.startswith(VERIFY)]
    assert kept, "destroyed without --everything"
    assert said(monkeypatch, "verify") == 1
    assert [name for name in aws.buckets if name.startswith(VERIFY)] == kept
    words = " ".join(capsys.readouterr().err.split())
    assert "Nothing was changed" in words
    assert kept[0] in words
    assert "andamio destroy --aws --everything --stage verify" in words
    assert said(monkeypatch, "destroy", "--everything", "--stage", "verify") == 0
    assert said(monkeypatch, "verify") == 1
    assert "cdk deploy failed before there was a stack" in capsys.readouterr().err, "now the stage is free"


def test_a_region_without_room_for_another_vpc_is_told_before_anything_is_created(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    def deploy(it: Verification) -> str:
        begun.append("deploy")
        return ""

    monkeypatch.setattr(steps, "steps", lambda where: [Step("deploy", deploy)])
    aws.deploy("CDKToolkit", {"Resources": {"Staging": {"Type": "AWS::S3::Bucket"}}})
    network = aws.client("ec2")
    made = [network.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(4)]
    assert said(monkeypatch, "verify") == 1
    assert begun == []
    words = " ".join(capsys.readouterr().err.split())
    assert "there are 5 of 5 VPCs in AWS account 123456789012, us-east-1" in words
    network.delete_vpc(VpcId=made[0])
    assert said(monkeypatch, "verify") == 0
    assert begun == ["deploy"]
