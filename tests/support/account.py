"""An account of AWS with a system in it, on moto: a stack, what it keeps, and the stage beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from andamio.adapters.retained import BUCKET, KEY, MLFLOW, TABLE

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


def tags(stage: str) -> dict[str, list[dict[str, str]]]:
    """A resource's tags, as a template has them."""
    said = {"andamio:problem": "heart", "andamio:stage": stage, "andamio:version": "0.2.0"}
    return {"Tags": [{"Key": key, "Value": value} for key, value in said.items()]}


BUCKETS = {name: {"Type": "AWS::S3::Bucket", "Properties": tags("dev"), **KEPT} for name in ("Lake", "Models", "Batch")}
TEMPLATE = {
    "Resources": {
        **BUCKETS,
        "Predictions": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE_KEYS | tags("dev"), **KEPT},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
    },
    "Outputs": {"Lake": {"Value": {"Ref": "Lake"}}},
}
# Its neighbour: a stage of the same problem, whose name begins alike.
NEIGHBOUR = {"Resources": {"Lake": {"Type": "AWS::S3::Bucket", "Properties": tags("prod"), **KEPT}}}


def refused(operation: str, code: str, message: str = "") -> ClientError:
    """What boto3 raises when a service does not do it."""
    return ClientError({"Error": {"Code": code, "Message": message or f"{code} it is"}}, operation)


class MlflowApps:
    """SageMaker's client, as far as it is asked: moto knows no MLflow app."""

    def __init__(self) -> None:
        self.there = {APP}
        self.refuses: ClientError | None = None

    def _find(self, operation: str, arn: str) -> None:
        if arn not in self.there:
            raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such app"}}, operation)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_mlflow_apps"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self) -> Iterator[dict[str, Any]]:
        """Those of the stage dev, and its neighbour's."""
        if self.refuses:
            raise self.refuses
        own = [{"Arn": arn, "Name": "andamio-heart-mlflow"} for arn in sorted(self.there)]
        yield {"Summaries": [*own, {"Arn": f"{APP}-prod", "Name": "andamio-heart--prod-mlflow"}]}

    def describe_mlflow_app(self, *, Arn: str) -> dict[str, Any]:  # noqa: N803
        self._find("DescribeMlflowApp", Arn)
        return {"Status": "Created"}

    def delete_mlflow_app(self, *, Arn: str) -> dict[str, Any]:  # noqa: N803
        self._find("DeleteMlflowApp", Arn)
        self.there.remove(Arn)
        return {"Arn": Arn}


class Stacks:
    """CloudFormation, with what moto lacks: types that it does not know, deleted stacks' resources, failures."""

    def __init__(self, client: Any, aws: Aws) -> None:
        self._client, self._aws = client, aws

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **asked: self._pages(operation, **asked))

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803
        self._aws.delete(StackName)

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803
        reply = self._client.describe_stacks(StackName=StackName)
        if self._aws.undeletable and self._aws.deletions:
            reply["Stacks"][0]["StackStatus"] = "DELETE_FAILED"
        return reply

    def _pages(self, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
        if operation in self._aws.refuses:
            raise self._aws.refuses[operation]
        name = asked.get("StackName", "")
        if operation == "list_stack_resources" and name in self._aws.deleted:
            yield {"StackResourceSummaries": self._aws.deleted[name]}
            return
        if operation == "describe_stack_events" and self._aws.undeletable:
            yield {"StackEvents": self._aws.events(name)}
            return
        for page in self._client.get_paginator(operation).paginate(**asked):
            if operation == "list_stacks":
                yield {"StackSummaries": list(self._remembered(page["StackSummaries"]))}
            else:
                yield page
        if operation == "list_stack_resources" and (name == STACK or f"/{STACK}/" in name):
            unknown = ((MLFLOW, self._aws.app), (KEY, self._aws.key), ("AWS::ApiGateway::RestApi", "abc"))
            summaries = [{"ResourceType": kind, "PhysicalResourceId": id_} for kind, id_ in unknown]
            yield {"StackResourceSummaries": [each | {"ResourceStatus": "CREATE_COMPLETE"} for each in summaries]}

    def _remembered(self, summaries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for summary in summaries:
            if summary["StackStatus"] != "DELETE_COMPLETE":
                yield summary
            elif not self._aws.forgetful:
                yield summary | {"DeletionTime": self._aws.day}


@dataclass
class Aws:
    """The account: what of the system is there, and what it refuses.

    deleted      the resources of each deleted stack, by its id
    day          when deleted stacks were deleted
    forgetful    whether the 90 days are over in which CloudFormation remembers a deleted stack
    undeletable  why the stack cannot be deleted; "" where it can
    refuses      the errors that listings end in
    """

    apps: MlflowApps = field(default_factory=MlflowApps)
    app: str = APP
    key: str = ""
    deletions: list[str] = field(default_factory=list)
    synths: list[list[str]] = field(default_factory=list)
    deleted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    day: datetime = datetime(2026, 11, 3, tzinfo=UTC)
    forgetful: bool = False
    undeletable: str = ""
    refuses: dict[str, ClientError] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)

    @property
    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]

    @property
    def own(self) -> list[str]:
        """The buckets of the stage dev."""
        return [name for name in self.buckets if "prod" not in name]

    @property
    def tables(self) -> list[str]:
        names: list[str] = self.client("dynamodb").list_tables()["TableNames"]
        return names

    @property
    def groups(self) -> list[str]:
        return [group["logGroupName"] for group in self.client("logs").describe_log_groups()["logGroups"]]

    @property
    def live(self) -> list[str]:
        """The stacks that are there."""
        return [stack["StackName"] for stack in self.client("cloudformation").describe_stacks()["Stacks"]]

    def deploy(self, name: str, template: dict[str, Any]) -> None:
        self.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))

    def fill(self) -> None:
        """Put versions, a delete marker and half an upload into every bucket."""
        storage = self.client("s3")
        for bucket in self.buckets:
            storage.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            for body in (b"1", b"2"):
                storage.put_object(Bucket=bucket, Key="raw/a.csv", Body=body)
            storage.put_object(Bucket=bucket, Key="raw/gone.csv", Body=b"3")
            storage.delete_object(Bucket=bucket, Key="raw/gone.csv")
            storage.create_multipart_upload(Bucket=bucket, Key="raw/half.csv")

    def synth(self, arguments: list[str]) -> None:
        """`cdk destroy`."""
        self.synths.append(arguments)
        self.delete(arguments[1])

    def delete(self, stack: str) -> None:
        """The stack goes; a function's last line makes its log group again, and a key waits."""
        self.deletions.append(stack)
        if self.undeletable:
            return
        stacks = self.client("cloudformation")
        (found,) = stacks.describe_stacks(StackName=stack)["Stacks"]
        self.deleted[found["StackId"]] = [
            item | {"ResourceStatus": "DELETE_SKIPPED" if item["ResourceType"] in RETAINED else "DELETE_COMPLETE"}
            for page in Stacks(stacks, self).get_paginator("list_stack_resources").paginate(StackName=found["StackId"])
            for item in page["StackResourceSummaries"]
        ]
        stacks.delete_stack(StackName=stack)
        if GROUP not in self.groups:
            self.client("logs").create_log_group(logGroupName=GROUP)
        if self.client("kms").describe_key(KeyId=self.key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            self.client("kms").schedule_key_deletion(KeyId=self.key, PendingWindowInDays=7)

    def events(self, stack: str) -> list[dict[str, Any]]:
        """Why it was not deleted, newest first; before that, an earlier failure that is of no interest now."""
        whole = {"LogicalResourceId": STACK, "ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": stack}
        role = {"LogicalResourceId": "ApiRole", "ResourceType": "AWS::IAM::Role", "PhysicalResourceId": "api"}
        failed = {"ResourceStatus": "DELETE_FAILED"}
        return [
            whole | failed | {"ResourceStatusReason": "The following resource(s) failed to delete: [ApiRole]."},
            role | failed | {"ResourceStatusReason": self.undeletable},
            whole | {"ResourceStatus": "DELETE_IN_PROGRESS", "ResourceStatusReason": "User Initiated"},
            role | failed | {"ResourceStatusReason": "a reason of last week"},
        ]
