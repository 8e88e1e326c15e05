"""What a destroy finds beyond the stack that is there: of deleted stacks, by tags; and what it cannot look at."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from andamio.adapters.aws import Account
from andamio.adapters.inventory import _resource
from andamio.adapters.retained import BUCKET, KEY, LOGS, MLFLOW, TABLE, Resource
from tests.support.account import APP, BUCKETS, KEPT, REGION, STACK, TABLE_KEYS, Aws, refused, tags
from tests.unit.cli.test_destroying import destroy, words

pytestmark = pytest.mark.slow

NEW_APP = APP.replace("app-1", "app-2")


@pytest.fixture
def again(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The system was destroyed with its data kept, and is deployed again, for an experiment."""
    assert destroy(monkeypatch, "--yes") == 0
    aws.key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    aws.app = NEW_APP
    aws.apps.there.add(NEW_APP)
    table = {"Type": "AWS::DynamoDB::Table", "Properties": TABLE_KEYS | tags("dev"), **KEPT}
    aws.deploy(STACK, {"Resources": {**BUCKETS, "Predictions": table}})
    aws.fill()
    return aws


def old_and_new(aws: Aws) -> tuple[list[str], list[str]]:
    """The buckets of deleted stacks, and those of the one that is there."""
    old = [each["PhysicalResourceId"] for items in aws.deleted.values() for each in items]
    return [name for name in aws.own if name in old], [name for name in aws.own if name not in old]


def test_what_an_earlier_stack_kept_stays_unless_it_is_asked_for(
    again: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = old_and_new(again)
    assert (len(old), len(new)) == (3, 3)
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert sorted(again.own) == sorted(old), "today's experiment takes nothing else with it"
    assert (len(again.tables), again.apps.there) == (1, {APP})
    said = words(capsys)
    assert f"bucket {old[0]}, kept since 2026-11-03, from an earlier stack" in said
    assert "--everything --earlier" in said
    assert (
        "Nothing of heart is left in AWS account 123456789012, us-east-1 except resources retained by earlier stacks"
        in said
    )


def test_with_earlier_all_of_it_goes(again: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert destroy(monkeypatch, "--everything", "--earlier", "--yes") == 0
    assert (again.own, again.tables, again.apps.there) == ([], [], set())


@pytest.mark.parametrize(("said", "left"), [("heart\nheart", 0), ("heart\n", 3), ("heart\ny", 3)])
def test_what_earlier_stacks_kept_is_a_question_of_its_own(
    again: Aws, monkeypatch: pytest.MonkeyPatch, said: str, left: int
) -> None:
    assert destroy(monkeypatch, "--everything", said=said) == 0
    assert len(again.own) == left


def test_earlier_without_everything_is_refused(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert destroy(monkeypatch, "--earlier", "--yes") == 1
    assert "error code: usage" in words(capsys)
    assert aws.deletions == []


def test_a_plain_destroy_says_of_which_stack_each_thing_is(
    again: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = old_and_new(again)
    capsys.readouterr()
    assert destroy(monkeypatch, "--yes") == 0
    said = words(capsys)
    assert f"bucket {old[0]}, kept since 2026-11-03, from an earlier stack" in said
    assert f"bucket {new[0]}," not in said
    assert f"bucket {new[0]}" in said


def test_after_ninety_days_it_is_found_by_its_tags(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert destroy(monkeypatch, "--yes") == 0
    aws.forgetful = True
    kept = aws.own
    assert destroy(monkeypatch, "--everything", "--yes") == 0
    assert aws.own == kept
    said = words(capsys)
    assert f"bucket {kept[0]}, found by its tags, in no stack that is there" in said
    assert (
        "Nothing of heart is left in AWS account 123456789012, us-east-1 except resources retained by earlier stacks"
        in said
    )
    assert destroy(monkeypatch, "--everything", "--earlier", "--yes") == 0
    assert (aws.own, aws.tables, aws.apps.there) == ([], [], set())
    assert len(aws.buckets) == 1, "the stage prod keeps its bucket: it has another tag"


def test_where_tags_cannot_be_asked_for_nothing_is_claimed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Account.client

    def client(account: Account, service: str) -> Any:
        found = real(account, service)
        if service == "resourcegroupstaggingapi":
            monkeypatch.setattr(found, "get_paginator", Refusing)
        return found

    class Refusing:
        def __init__(self, operation: str) -> None:
            self.operation = operation

        def paginate(self, **asked: Any) -> Any:
            raise refused(self.operation, "AccessDeniedException")

    monkeypatch.setattr(Account, "client", client)
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "Allow tag:GetResources, or look for andamio:problem = heart, andamio:stage = dev in the Tag Editor" in said
    assert "Nothing of heart is left" not in said
    assert aws.own == [], "what is known of has gone nevertheless"


@pytest.mark.parametrize(("code", "exit_code"), [("AccessDeniedException", 1), ("UnknownOperationException", 0)])
def test_where_mlflow_apps_cannot_be_listed_that_is_said_unless_the_region_has_none(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, exit_code: int
) -> None:
    aws.apps.refuses = refused("ListMlflowApps", code)
    assert destroy(monkeypatch, "--everything", "--yes") == exit_code
    said = words(capsys)
    assert ("Allow sagemaker:ListMlflowApps, or look for andamio-heart-mlflow in SageMaker" in said) == bool(exit_code)
    assert ("Nothing of heart is left" in said) != bool(exit_code)


def test_what_another_stack_has_taken_over_is_not_touched(again: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that was kept may have been imported into a stack of another problem."""
    old, _ = old_and_new(again)
    taken, real = old[0], boto3.client("cloudformation", region_name=REGION)
    again.deploy("andamio-pears", {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    pears = real.describe_stacks(StackName="andamio-pears")["Stacks"][0]["StackId"]
    again.deleted[pears] = [
        {"ResourceType": BUCKET, "PhysicalResourceId": taken, "ResourceStatus": "IMPORT_COMPLETE"},
    ]
    assert destroy(monkeypatch, "--everything", "--earlier", "--yes") == 0
    assert again.own == [taken]


@pytest.mark.parametrize(
    ("code", "cure"), [("Throttling", "wait a minute"), ("AccessDenied", "credentials that allow cloudformation:ListS")]
)
@pytest.mark.parametrize("operation", ["list_stacks", "list_stack_resources"])
def test_stacks_that_cannot_be_listed_are_no_sign_that_there_is_nothing(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], operation: str, code: str, cure: str
) -> None:
    aws.refuses[operation] = refused(operation, code)
    buckets = aws.buckets
    assert destroy(monkeypatch, "--everything", "--yes") == 1
    said = words(capsys)
    assert "cannot be listed" in said
    assert code in said
    assert cure in said
    assert "Nothing of heart is left" not in said
    assert (aws.buckets, aws.deletions) == (buckets, [])


def test_a_stack_that_is_forgotten_has_no_resources(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert destroy(monkeypatch, "--yes") == 0
    aws.refuses["list_stack_resources"] = refused("ListStackResources", "ValidationError", "Stack does not exist")
    assert destroy(monkeypatch, "--everything", "--earlier", "--yes") == 0
    assert aws.own == [], "it is found by its tags"


@pytest.mark.parametrize("code", ["403", "301"])
@pytest.mark.parametrize("everything", [True, False])
def test_a_bucket_that_cannot_be_looked_at_ends_nothing_else(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, everything: bool
) -> None:
    strange, *others = aws.own
    real = Account.client

    def client(account: Account, service: str) -> Any:
        found = real(account, service)
        if service == "s3":
            head = found.head_bucket

            def looked(*, Bucket: str) -> Any:  # noqa: N803
                if Bucket == strange:
                    raise refused("HeadBucket", code)
                return head(Bucket=Bucket)

            monkeypatch.setattr(found, "head_bucket", looked)
        return found

    monkeypatch.setattr(Account, "client", client)
    assert destroy(monkeypatch, "--yes", *(["--everything"] if everything else [])) == int(everything)
    said = words(capsys)
    assert f"The state of bucket {strange} cannot be read: An error occurred ({code})" in said
    assert aws.live == [f"{STACK}--prod"]
    if everything:
        assert aws.own == [strange], "one whose state cannot be read keeps no other"
        assert f"aws s3api delete-bucket --bucket {strange}" in said
    else:
        for bucket in others:
            assert f"bucket {bucket}" in said


@pytest.mark.parametrize(
    ("arn", "resource"),
    [
        ("arn:aws:s3:::lake", Resource(BUCKET, "lake")),
        ("arn:aws-cn:dynamodb:cn-north-1:1:table/predictions", Resource(TABLE, "predictions")),
        ("arn:aws:dynamodb:us-east-1:1:table/predictions/stream/2026", None),
        (APP, Resource(MLFLOW, APP)),
        ("arn:aws:sagemaker:us-east-1:1:model/m", None),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/a:*", Resource(LOGS, "/aws/lambda/a")),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/a", Resource(LOGS, "/aws/lambda/a")),
        ("arn:aws:kms:us-east-1:1:key/abc", Resource(KEY, "abc")),
        ("arn:aws:kms:us-east-1:1:alias/abc", None),
        ("arn:aws:lambda:us-east-1:1:function:andamio-heart-api", None),
    ],
)
def test_an_arn_is_a_resource_that_may_be_kept_or_none(arn: str, resource: Resource | None) -> None:
    assert _resource(arn) == resource
