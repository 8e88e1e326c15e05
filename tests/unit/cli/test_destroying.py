"""Taking a system down on AWS: what is kept is said, `--everything` removes it, and what is left is listed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from andamio.adapters.aws import Account
from andamio.adapters.retained import BUCKET, KEY, MLFLOW, TABLE, Resource, Retained
from andamio.cli import cdk, deployed, home, main
from andamio.errors import CommandError

HEART = home.REPO / "problems" / "heart"
STACK, REGION = "andamio-heart", "us-east-1"
APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-1"
GROUP = "/aws/lambda/andamio-heart-api"
RETAINED = (BUCKET, MLFLOW, TABLE)
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
TABLE_KEYS = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
TEMPLATE = {
    "Resources": {
        **{name: {"Type": "AWS::S3::Bucket", **KEPT} for name in ("Lake", "Models", "Batch")},
        "Predictions": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE_KEYS, **KEPT},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
    },
    "Outputs": {"Lake": {"Value": {"Ref": "Lake"}}},
}


class MlflowApps:
    """SageMaker's client, as far as it is asked: moto knows no MLflow app."""

    def __init__(self) -> None:
        self.there = {APP}

    def _find(self, operation: str, arn: str) -> None:
        if arn not in self.there:
            raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such app"}}, operation)

    def describe_mlflow_app(self, *, Arn: str) -> dict[str, Any]:  # noqa: N803
        self._find("DescribeMlflowApp", Arn)
        return {"Status": "Created"}

    def delete_mlflow_app(self, *, Arn: str) -> dict[str, Any]:  # noqa: N803
        self._find("DeleteMlflowApp", Arn)
        self.there.remove(Arn)
        return {"Arn": Arn}


class Stacks:
    """CloudFormation, with what moto lacks: types that it does not know, and the resources of a deleted stack."""

    def __init__(self, client: Any, aws: Aws) -> None:
        self._client, self._aws = client, aws

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_paginator(self, operation: str) -> Any:
        real = self._client.get_paginator(operation)
        return SimpleNamespace(paginate=lambda **asked: self._pages(real, operation, **asked))

    def _pages(self, real: Any, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
        name = asked.get("StackName", "")
        if operation != "list_stack_resources":
            yield from real.paginate(**asked)
        elif name in self._aws.deleted:
            yield {"StackResourceSummaries": self._aws.deleted[name]}
        else:
            yield from real.paginate(**asked)
            if name == STACK or f"/{STACK}/" in name:
                unknown = ((MLFLOW, APP), (KEY, self._aws.key), ("AWS::ApiGateway::RestApi", "abc"))
                summaries = [{"ResourceType": kind, "PhysicalResourceId": id_} for kind, id_ in unknown]
                yield {"StackResourceSummaries": [each | {"ResourceStatus": "CREATE_COMPLETE"} for each in summaries]}


@dataclass
class Aws:
    """The account: what of the system is there."""

    apps: MlflowApps = field(default_factory=MlflowApps)
    key: str = ""
    destroys: list[list[str]] = field(default_factory=list)
    deleted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)

    @property
    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]

    @property
    def tables(self) -> list[str]:
        names: list[str] = self.client("dynamodb").list_tables()["TableNames"]
        return names

    @property
    def groups(self) -> list[str]:
        return [group["logGroupName"] for group in self.client("logs").describe_log_groups()["logGroups"]]

    def destroy(self, arguments: list[str], environment: dict[str, str], what: str) -> None:
        """`cdk destroy`: the stack goes; a function's last line makes its log group again, and a key waits."""
        self.destroys.append(arguments)
        stacks = self.client("cloudformation")
        (stack,) = stacks.describe_stacks(StackName=arguments[1])["Stacks"]
        self.deleted[stack["StackId"]] = [
            item | {"ResourceStatus": "DELETE_SKIPPED" if item["ResourceType"] in RETAINED else "DELETE_COMPLETE"}
            for page in Stacks(stacks, self).get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
            for item in page["StackResourceSummaries"]
        ]
        stacks.delete_stack(StackName=arguments[1])
        if GROUP not in self.groups:
            self.client("logs").create_log_group(logGroupName=GROUP)
        self.client("kms").schedule_key_deletion(KeyId=self.key, PendingWindowInDays=7)


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    made = Aws()
    real = Account.client

    def client(account: Account, service: str) -> Any:
        if service == "sagemaker":
            return made.apps
        found = real(account, service)
        return Stacks(found, made) if service == "cloudformation" else found

    monkeypatch.setattr(Account, "client", client)
    monkeypatch.setattr(cdk, "run", made.destroy)
    with mock_aws():
        made.key = made.client("kms").create_key()["KeyMetadata"]["KeyId"]
        stacks = made.client("cloudformation")
        stacks.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
        # Its neighbour: a stage of the same problem, whose name begins alike.
        other = {"Resources": {"Lake": {"Type": "AWS::S3::Bucket", **KEPT}}}
        stacks.create_stack(StackName=f"{STACK}--prod", TemplateBody=json.dumps(other))
        storage = made.client("s3")
        for bucket in made.buckets:
            storage.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            for body in (b"1", b"2"):
                storage.put_object(Bucket=bucket, Key="raw/a.csv", Body=body)
            storage.put_object(Bucket=bucket, Key="raw/gone.csv", Body=b"3")
            storage.delete_object(Bucket=bucket, Key="raw/gone.csv")
            storage.create_multipart_upload(Bucket=bucket, Key="raw/half.csv")
        made.client("logs").create_log_group(logGroupName="API-Gateway-Execution-Logs_abc/v1")
        yield made


def destroy(monkeypatch: pytest.MonkeyPatch, *more: str, said: str | None = None) -> int:
    """Run `andamio destroy --aws`; `said` is what is typed when it asks."""
    monkeypatch.setattr(sys, "argv", ["andamio", "destroy", "--aws", *more])
    monkeypatch.setattr(sys, "stdin", io.StringIO("" if said is None else f"{said}\n"))
    with pytest.raises(SystemExit) as leave:
        main.main()
    return int(leave.value.code or 0)


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_without_everything_the_data_stay_and_it_is_said_that_they_cost_money(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = aws.buckets
    assert destroy(monkeypatch, "--yes") == 0
    said = words(capsys)
    assert aws.buckets == buckets
    assert aws.destroys[0][:3] == ["destroy", STACK, "--force"]
    assert "costs money" in said
    for kept in (*[name for name in buckets if "prod" not in name], *aws.tables, APP, GROUP):
        assert kept in said
    assert f"andamio destroy --aws --problem {HEART} --everything" in said


def test_everything_goes_and_the_neighbour_stays(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.write(
        {"problem": "heart", "stage": "dev", "system": "heart", "emulator": False, "account": "123456789012",
         "region": REGION, "deployed_at": "2026-11-27", "context": ["existing_role_arn=arn:aws:iam::1:role/r"]}
    )  # fmt: skip
    assert destroy(monkeypatch, "--everything", said="heart") == 0
    assert [name for name in aws.buckets if "prod" not in name] == []
    assert len(aws.buckets) == 1, "the stage prod keeps its bucket"
    assert (aws.tables, aws.groups, aws.apps.there) == ([], [], set())
    assert deployed.last_of_all() is None
    assert "existing_role_arn=arn:aws:iam::1:role/r" in aws.destroys[0], "it is destroyed as it was deployed"
    said = words(capsys)
    assert "is deleted on" in said, "the key waits"
    assert "Nothing of heart is left in AWS account 123456789012, us-east-1" in said


@pytest.mark.parametrize("answer", [None, "heart--prod", "y"])
def test_any_other_answer_than_its_name_does_nothing(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | None
) -> None:
    buckets = aws.buckets
    assert destroy(monkeypatch, "--everything", said=answer) == 130
    assert aws.destroys == []
    assert aws.buckets == buckets
    assert "Nothing was done" in words(capsys)


def test_what_an_earlier_destroy_kept_is_found_after_its_stack_is_gone(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert destroy(monkeypatch, "--yes") == 0
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert len(aws.destroys) == 1, "there is no stack to destroy the second time"
    assert len(aws.buckets) == 1
    assert (aws.tables, aws.groups, aws.apps.there) == ([], [], set())
    assert destroy(monkeypatch, "--everything", "--yes") == 0, "once more, with nothing left"
    assert "Nothing of heart is left" in words(capsys)


def test_what_cannot_be_removed_is_listed_with_how_and_is_no_success(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(self: Account, bucket: str) -> None:
        raise CommandError(f"s3://{bucket}/raw/a.csv cannot be deleted: Access Denied")

    monkeypatch.setattr(Account, "empty", refused)
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "This is left, and costs money" in said
    for bucket in aws.buckets:
        assert ("prod" in bucket) or f"aws s3api delete-bucket --bucket {bucket}" in said
    assert aws.tables == [], "one that cannot be removed keeps no other"


def test_a_key_that_does_not_wait_for_its_deletion_is_left_and_costs_money(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Retained, "_key_state", lambda self, name: "there")
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    assert "aws kms schedule-key-deletion --key-id" in words(capsys)


def test_cdks_own_bucket_is_named_and_left_alone(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    staging = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "cdk-hnb659fds-assets"}}
    aws.client("cloudformation").create_stack(
        StackName="CDKToolkit", TemplateBody=json.dumps({"Resources": {"StagingBucket": staging}})
    )
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert "cdk-hnb659fds-assets holds the bundles of every CDK app" in words(capsys)
    assert "cdk-hnb659fds-assets" in aws.buckets


def test_a_bucket_that_is_written_to_while_it_is_emptied_is_emptied_again(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, storage = Account(None, REGION), aws.client("s3")
    (bucket,) = [name for name in aws.buckets if "prod" in name]
    real, left = Account.empty, [b"a last line of the access log"]

    def then_written(self: Account, name: str) -> None:
        real(self, name)
        if left:
            storage.put_object(Bucket=name, Key="access/late", Body=left.pop())

    monkeypatch.setattr(Account, "empty", then_written)
    Retained(account).remove(Resource(BUCKET, bucket))
    assert bucket not in aws.buckets
    Retained(account).remove(Resource(BUCKET, bucket))  # gone, and that is no error


def test_a_refused_deletion_in_a_bucket_is_an_error(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(None, REGION)
    reply = {"Errors": [{"Key": "raw/a.csv", "Message": "Access Denied"}]}
    monkeypatch.setattr(account._s3._client, "delete_objects", lambda **asked: reply)
    with pytest.raises(CommandError, match=r"raw/a\.csv cannot be deleted: Access Denied"):
        account.empty(aws.buckets[0])


def test_a_deletion_date_is_said_as_a_day(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    retained = Retained(Account(None, REGION))
    assert retained._key_state(key) == "there"
    day = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"].astimezone(UTC)
    assert isinstance(day, datetime)
    assert retained._key_state(key).startswith("is deleted on 20")
