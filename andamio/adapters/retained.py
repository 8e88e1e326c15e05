"""Resources that AWS retains after a stack is deleted: their state and their removal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from andamio.adapters.aws import Account
from andamio.errors import AwsError

BUCKET, TABLE = "AWS::S3::Bucket", "AWS::DynamoDB::Table"
MLFLOW, LOGS, KEY = "AWS::SageMaker::MlflowApp", "AWS::Logs::LogGroup", "AWS::KMS::Key"
ORDER = (MLFLOW, BUCKET, TABLE, LOGS, KEY)
"""What may be kept, in the order in which it is removed: MLflow first, which writes to a bucket."""
_TRIES = 5
"""How often a bucket is emptied that something still writes to."""
_NOT_FOUND_CODES = frozenset(
    {"404", "NoSuchBucket", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"}
)
_TITLES = {BUCKET: "bucket", TABLE: "table", MLFLOW: "MLflow app", LOGS: "log group", KEY: "KMS key"}
_REMOVAL_COMMANDS = {
    BUCKET: "empty it in the S3 console, then: aws s3api delete-bucket --bucket {}",
    TABLE: "aws dynamodb delete-table --table-name {}",
    MLFLOW: "aws sagemaker delete-mlflow-app --arn {}",
    LOGS: "aws logs delete-log-group --log-group-name {}",
    KEY: "aws kms schedule-key-deletion --key-id {} --pending-window-in-days 7",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource by CloudFormation's type and its physical name."""

    kind: str
    name: str

    def __str__(self) -> str:
        """A phrase for messages."""
        return f"{_TITLES.get(self.kind, self.kind)} {self.name}"

    @property
    def removal_command(self) -> str:
        """How a person removes it."""
        return _REMOVAL_COMMANDS[self.kind].format(self.name)


class RetainedResources:
    """What is there of an account's resources, and how each is removed."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def state(self, resource: Resource) -> str:
        """What there is of a resource: "there", "" for nothing (any more), or a sentence about its pending deletion."""
        lookup = {
            BUCKET: lambda name: self._client("s3").head_bucket(Bucket=name) and "there",
            TABLE: self._table_state,
            MLFLOW: self._mlflow_state,
            LOGS: self._log_group_state,
            KEY: self._key_state,
        }[resource.kind]
        try:
            return str(lookup(resource.name))
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND_CODES:
                return ""
            raise AwsError(f"The state of {resource} cannot be read: {error}") from error

    def remove(self, resource: Resource) -> None:
        """Remove a resource with its content, if it exists; raises `CommandError` when AWS refuses."""
        remove: Callable[[str], Any] = {
            BUCKET: self._remove_bucket,
            TABLE: lambda name: self._client("dynamodb").delete_table(TableName=name),
            MLFLOW: lambda arn: self._client("sagemaker").delete_mlflow_app(Arn=arn),
            LOGS: lambda name: self._client("logs").delete_log_group(logGroupName=name),
            KEY: lambda name: self._client("kms").schedule_key_deletion(KeyId=name, PendingWindowInDays=7),
        }[resource.kind]
        try:
            remove(resource.name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_FOUND_CODES:
                raise AwsError(f"{resource}: {error.response['Error'].get('Message') or error}") from error

    def _remove_bucket(self, name: str) -> None:
        storage = self._client("s3")
        for attempt in range(_TRIES):
            self._account.empty(name)
            for page in self._pages("s3", "list_multipart_uploads", Bucket=name):
                for upload in page.get("Uploads", []):
                    storage.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            try:
                storage.delete_bucket(Bucket=name)
                return
            except ClientError as error:
                if error.response["Error"]["Code"] != "BucketNotEmpty" or attempt == _TRIES - 1:
                    raise

    def _table_state(self, name: str) -> str:
        status = self._client("dynamodb").describe_table(TableName=name)["Table"]["TableStatus"]
        return "" if status == "DELETING" else "there"

    def _mlflow_state(self, arn: str) -> str:
        status = self._client("sagemaker").describe_mlflow_app(Arn=arn)["Status"]
        return "" if status in ("Deleting", "Deleted") else "there"

    def _log_group_state(self, name: str) -> str:
        pages = self._pages("logs", "describe_log_groups", logGroupNamePrefix=name)
        return "there" if any(group["logGroupName"] == name for page in pages for group in page["logGroups"]) else ""

    def _key_state(self, name: str) -> str:
        key = self._client("kms").describe_key(KeyId=name)["KeyMetadata"]
        if key["KeyState"] == "PendingDeletion":
            return f"is deleted on {key['DeletionDate']:%Y-%m-%d}, and costs nothing until then"
        return "there"

    def _client(self, service: str) -> Any:
        return self._account.guarded(service)

    def _pages(self, service: str, operation: str, **arguments: Any) -> Any:
        return self._account.guarded(service).pages(operation, **arguments)
