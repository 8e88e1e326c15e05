"""Taking a system down on AWS: what is kept is said, `--everything` removes it, and what is left is listed."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from andamio.adapters.aws import Account
from andamio.adapters.retained import BUCKET, Resource, RetainedResources
from andamio.adapters.stacks import Stacks
from andamio.cli import home, main
from andamio.cli.cloud import outputs
from andamio.errors import CommandError
from tests.support.account import APP, GROUP, REGION, STACK, Aws, refused

pytestmark = pytest.mark.slow

HEART = home.REPO / "problems" / "heart"


def destroy(monkeypatch: pytest.MonkeyPatch, *more: str, said: str | None = None) -> int:
    """Run `andamio destroy --aws`; `said` is what is typed when it asks."""
    monkeypatch.setattr(sys, "argv", ["andamio", "destroy", "--aws", *more])
    monkeypatch.setattr(sys, "stdin", io.StringIO("" if said is None else f"{said}\n"))
    with pytest.raises(SystemExit) as leave:
        main.main()
    return int(leave.value.code or 0)


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def said_by(capsys: pytest.CaptureFixture[str]) -> str:
    """All of it: questions go to standard output."""
    read = capsys.readouterr()
    return " ".join(f"{read.out} {read.err}".split())


def test_without_everything_the_data_stay_and_it_is_said_that_they_cost_money(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = aws.buckets
    assert destroy(monkeypatch, "--yes") == 0
    said = words(capsys)
    assert aws.buckets == buckets
    assert aws.live == [f"{STACK}--prod"]
    assert "Deleted andamio-heart" in said
    assert "costs money" in said
    for kept in (*[name for name in buckets if "prod" not in name], *aws.tables, APP, GROUP):
        assert kept in said
    assert f"andamio destroy --aws --problem {HEART} --everything" in said


def test_everything_goes_and_the_neighbour_stays(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs.write(
        {"problem": "heart", "stage": "dev", "system": "heart", "emulator": False, "account": "123456789012",
         "region": REGION, "deployed_at": "2026-11-27"}
    )  # fmt: skip
    assert destroy(monkeypatch, "--everything", said="heart") == 0
    assert aws.own == []
    assert len(aws.buckets) == 1, "the stage prod keeps its bucket"
    assert (aws.tables, aws.groups, aws.apps.there) == ([], [], set())
    assert outputs.last_deployed() is None
    assert aws.synths == [], "a synth can refuse: where a region lacks the MLflow app, or a bundle does not build"
    said = words(capsys)
    assert "is deleted on" in said, "the key waits"
    assert "Nothing of heart is left in AWS account 123456789012, us-east-1" in said


@pytest.mark.parametrize("answer", [None, "heart--prod", "y"])
def test_any_other_answer_than_its_name_does_nothing(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | None
) -> None:
    buckets = aws.buckets
    assert destroy(monkeypatch, "--everything", said=answer) == 1
    assert aws.deletions == []
    assert aws.buckets == buckets
    said = words(capsys)
    assert "othing was changed" in said
    assert (f"Expected 'heart', got '{answer}'" if answer else "--yes") in said


def test_what_an_earlier_destroy_kept_is_found_after_its_stack_is_gone(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert destroy(monkeypatch, "--yes") == 0
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert len(aws.deletions) == 1, "there is no stack to destroy the second time"
    assert len(aws.buckets) == 1
    assert (aws.tables, aws.groups, aws.apps.there) == ([], [], set())
    assert destroy(monkeypatch, "--everything", "--yes") == 0, "once more, with nothing left"
    assert "Nothing of heart is left" in words(capsys)


def test_what_cannot_be_removed_is_listed_with_how_and_is_no_success(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(self: Account, bucket: str) -> None:
        raise CommandError(f"s3://{bucket}/raw/a.csv cannot be deleted: Access Denied")

    monkeypatch.setattr(Account, "empty", denied)
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "These resources may be left, and cost money" in said
    for bucket in aws.buckets:
        assert ("prod" in bucket) or f"aws s3api delete-bucket --bucket {bucket}" in said
    assert aws.tables == [], "one that cannot be removed keeps no other"


def test_a_key_that_does_not_wait_for_its_deletion_is_left_and_costs_money(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RetainedResources, "_key_state", lambda self, name: "there")
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    assert "aws kms schedule-key-deletion --key-id" in words(capsys)


def test_cdks_own_bucket_is_named_and_left_alone(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    staging = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "cdk-hnb659fds-assets"}}
    aws.deploy("CDKToolkit", {"Resources": {"StagingBucket": staging}})
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert "cdk-hnb659fds-assets holds the bundles of all CDK apps" in words(capsys)
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
    RetainedResources(account).remove(Resource(BUCKET, bucket))
    assert bucket not in aws.buckets
    RetainedResources(account).remove(Resource(BUCKET, bucket))  # gone, and that is no error


def test_a_refused_deletion_in_a_bucket_is_an_error(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(None, REGION)
    reply = {"Errors": [{"Key": "raw/a.csv", "Message": "Access Denied"}]}
    monkeypatch.setattr(account._s3._client, "delete_objects", lambda **asked: reply)
    with pytest.raises(CommandError, match=r"raw/a\.csv cannot be deleted: Access Denied"):
        account.empty(aws.buckets[0])


def test_a_deletion_date_is_said_as_a_day(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    retained = RetainedResources(Account(None, REGION))
    assert retained._key_state(key) == "there"
    day = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"].astimezone(UTC)
    assert isinstance(day, datetime)
    assert retained._key_state(key).startswith("is deleted on 20")


def test_data_stay_where_the_stack_cannot_be_deleted_and_its_events_say_why(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.undeletable = "Cannot delete entity, must detach all policies first."
    buckets = aws.buckets
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "Stack andamio-heart was not deleted, it is DELETE_FAILED" in said
    assert "ApiRole (AWS::IAM::Role) DELETE_FAILED: Cannot delete entity, must detach all policies first." in said
    assert "last week" not in said
    assert "No retained resource was removed" in said
    assert (aws.buckets, len(aws.tables), aws.apps.there) == (buckets, 1, {APP})
    storage = aws.client("s3")
    assert all(storage.list_object_versions(Bucket=bucket)["Versions"] for bucket in buckets)


def test_a_stack_that_may_not_be_deleted_is_said_and_nothing_is_removed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = aws.buckets

    def denied(self: Aws, stack: str) -> None:
        raise refused("DeleteStack", "ValidationError", "TerminationProtection is enabled")

    monkeypatch.setattr(Aws, "delete", denied)
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "Stack andamio-heart cannot be deleted" in said
    assert "TerminationProtection is enabled" in said
    assert aws.buckets == buckets


@pytest.mark.parametrize("before", ["CREATE_COMPLETE", "DELETE_FAILED"])
@pytest.mark.parametrize("end", ["DELETE_COMPLETE", ""])
def test_a_deletion_is_followed_to_its_end(aws: Aws, monkeypatch: pytest.MonkeyPatch, before: str, end: str) -> None:
    """First the status is still that of before, then the stack is on its way, then it is not there any more."""
    stacks = Stacks(Account(None, REGION))
    (stack,) = [replace(one, status=before) for one in stacks.list_all() if one.name == STACK]
    statuses = iter([before, "DELETE_IN_PROGRESS", end])
    monkeypatch.setattr(Stacks, "_status", lambda self, of: next(statuses))
    said: list[str] = []
    stacks.delete(stack, said.append)
    assert aws.deletions == [stack.id], "by its id: a new stack of that name is another one"
    assert len(said) == 2
    assert next(statuses, None) is None
