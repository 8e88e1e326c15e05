"""Events of new objects, which start machines; and schedules."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest
import requests

from tests.conformance.account import Account, Queue, allow, eventually
from tests.conformance.test_s3 import ODD
from tests.conformance.verdicts import Missing, came

SCHEDULE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Announcing:
    """A bucket whose events come out of a queue."""

    bucket: str
    queue: Queue


def announcing(account: Account) -> Announcing:
    """A bucket with events, made once: on AWS it takes minutes until the first of them comes."""
    return account.once("announcing", _announcing)


def _announcing(account: Account) -> Announcing:
    s3, events = account.client("s3"), account.client("events")
    bucket, queue, name = account.bucket(), account.queue(), account.name()
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])

    def probed() -> bool:
        s3.put_object(Bucket=bucket, Key="probe", Body=b"1")
        try:
            return bool(account.message(queue, seconds=10))
        except Missing:
            return False

    if account.target.is_aws:
        eventually(probed, 900, pause=5)
    return Announcing(bucket, queue)


def event_of(account: Account, key: str) -> dict:
    """The event of a new object of this name."""
    announced = announcing(account)
    account.client("s3").put_object(Bucket=announced.bucket, Key=key, Body=b"12345")
    return account.message(announced.queue, lambda it: it["detail"]["object"]["key"].startswith(key.split("/")[0]))


def test_a_new_object(account):
    """A new object is an event of EventBridge, with its bucket, key, size and ETag.

    Source: S3 User Guide, EventBridge event message structure.
    """
    detail = event_of(account, "new/a.csv")["detail"]
    etag = account.client("s3").head_object(Bucket=announcing(account).bucket, Key="new/a.csv")["ETag"].strip('"')
    it = detail["object"]
    came((detail["bucket"]["name"], it["key"]), (announcing(account).bucket, "new/a.csv"))
    came((it.get("size"), it.get("etag", "").strip('"')), (5, etag))
    came(detail.get("reason"), "PutObject")


def test_the_version_of_a_new_object(account):
    """The event of a new object names its version.

    Source: S3 User Guide, EventBridge event message structure.

    Here: the version comes from the event if it is there, else from HeadObject.
    """
    detail = event_of(account, "version/a.csv")["detail"]
    version = account.client("s3").head_object(Bucket=announcing(account).bucket, Key="version/a.csv")["VersionId"]
    came("its version" if detail["object"].get("version-id") == version else "no version", "its version")


def test_the_name_of_a_new_object(account):
    """The event of a new object names its key as it is, and not quoted as in an address.

    Source: S3 User Guide, EventBridge event message structure.

    Here: `launch_opencore.py` gives LocalStack's events the name.
    """
    came(event_of(account, ODD)["detail"]["object"]["key"], ODD)


def test_a_new_object_of_parts(account):
    """An object of parts is one event, of CompleteMultipartUpload, when it is completed.

    Source: S3 User Guide, EventBridge event message structure.

    Here: no rule asks for the reason.
    """
    announced, s3 = announcing(account), account.client("s3")
    where = {"Bucket": announced.bucket, "Key": "parts/a.csv"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"12345")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    detail = account.message(announced.queue, lambda it: it["detail"]["object"]["key"] == "parts/a.csv")["detail"]
    came((detail.get("reason"), detail["object"].get("size")), ("CompleteMultipartUpload", 5))


def test_a_new_object_by_a_form(account):
    """An object that a presigned form uploads is an event like any other, of PostObject.

    Source: S3 User Guide, EventBridge event message structure.

    Here: no rule asks for the reason.
    """
    bucket, queue = announcing(account).bucket, announcing(account).queue
    form = account.client("s3", signature_version="s3v4").generate_presigned_post(bucket, "form/a.csv", ExpiresIn=60)
    requests.post(form["url"], data=form["fields"], files={"file": b"12345"}, timeout=30)
    detail = account.message(queue, lambda it: it["detail"]["object"]["key"] == "form/a.csv")["detail"]
    came(detail.get("reason"), "PostObject")


def test_each_new_object_at_least_once(account):
    """Of many objects written at once each is delivered, some perhaps more than once.

    Source: EventBridge User Guide, Event retry policy; S3 User Guide, Using EventBridge.
    """
    announced, s3, sqs = announcing(account), account.client("s3"), account.client("sqs")
    keys = {f"many/{number}" for number in range(20)}
    for key in keys:
        s3.put_object(Bucket=announced.bucket, Key=key, Body=b"1")
    found: set[str] = set()

    def all_of_them() -> bool:
        reply = sqs.receive_message(QueueUrl=announced.queue.url, MaxNumberOfMessages=10, VisibilityTimeout=5)
        for message in reply.get("Messages", []):
            found.add(json.loads(message["Body"])["detail"]["object"]["key"])
            sqs.delete_message(QueueUrl=announced.queue.url, ReceiptHandle=message["ReceiptHandle"])
        return keys <= found

    eventually(all_of_them, max(account.target.patience, 20))
    came(sorted(keys - found), [])


@pytest.mark.needs("events")
def test_a_new_object_under_a_prefix_starts_a_machine(account):
    """A rule with a prefix starts a machine with the event as its input, for objects under it and for no others.

    Source: EventBridge User Guide, Comparison operators; Amazon EventBridge targets.
    """
    announced, s3 = announcing(account), account.client("s3")
    events, client, name = account.client("events"), account.client("stepfunctions"), account.name()
    machine = account.machine({"Pass": {"Type": "Pass", "End": True}})
    detail = {"bucket": {"name": [announced.bucket]}, "object": {"key": [{"prefix": "raw/"}]}}
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"], "detail": detail}))
    account.later(events.delete_rule, Name=name)
    role = account.role("events", allow("states:StartExecution", machine))
    events.put_targets(Rule=name, Targets=[{"Id": "m", "Arn": machine, "RoleArn": role}])
    account.later(events.remove_targets, Rule=name, Ids=["m"])
    if account.target.is_aws:
        time.sleep(60)  # a new rule and a new role are not known everywhere at once
    for key in ("other/a", "raw/a"):
        s3.put_object(Bucket=announced.bucket, Key=key, Body=b"1")
    runs = eventually(lambda: client.list_executions(stateMachineArn=machine)["executions"], account.target.patience)
    if not runs:
        raise Missing("nothing came")
    given = [json.loads(account.ended(it["executionArn"])["input"])["detail"]["object"]["key"] for it in runs]
    came(given, ["raw/a"])


@pytest.mark.needs("events")
def test_an_event_of_a_program(account):
    """PutEvents on the default bus: a rule takes the entries of its source, detail-type and detail, and no others.

    Source: Amazon EventBridge User Guide, Creating Amazon EventBridge event patterns.

    Here: promotions, rejections and drift are told this way.
    """
    events, queue, name = account.client("events"), account.queue(), account.name()
    pattern = {"source": [f"andamio.{name}"], "detail-type": ["Model promoted"], "detail": {"system": ["heart"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])
    told = [
        ("other", "Model promoted", {"system": "heart", "number": 1}),
        (name, "Model rejected", {"system": "heart", "number": 2}),
        (name, "Model promoted", {"system": "fruit", "number": 3}),
        (name, "Model promoted", {"system": "heart", "number": 4}),
    ]
    entries = [
        {"Source": f"andamio.{source}", "DetailType": kind, "Detail": json.dumps(detail)}
        for source, kind, detail in told
    ]

    def arrives() -> dict | None:
        # A rule takes a while on AWS until it takes events.
        came(events.put_events(Entries=entries)["FailedEntryCount"], 0)
        try:
            return account.message(queue, seconds=10)
        except Missing:
            return None

    message = eventually(arrives, 120 if account.target.is_aws else 1)
    if message is None:
        raise Missing("nothing came")
    came(
        (message["source"], message["detail-type"], message["detail"]["number"]),
        (f"andamio.{name}", "Model promoted", 4),
    )


@pytest.mark.needs("clock")
@pytest.mark.slow
def test_a_rule_with_a_rate(account):
    """A rule with rate(1 minute) sends an event each minute.

    Source: EventBridge User Guide, Creating a rule that runs on a schedule.
    """
    events, queue, name = account.client("events"), account.queue(), account.name()
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])
    came(account.message(queue, seconds=max(account.target.patience, SCHEDULE_SECONDS))["source"], "aws.events")


@pytest.mark.needs("clock")
@pytest.mark.slow
def test_a_schedule(account):
    """A schedule of EventBridge Scheduler with rate(1 minute) calls its target each minute.

    Source: EventBridge Scheduler User Guide, Schedule types.

    Here: rules have a rate.
    """
    scheduler, queue, name = account.client("scheduler"), account.queue(), account.name()
    role = account.role("scheduler", allow("sqs:SendMessage", queue.arn))
    account.accepted(
        scheduler.create_schedule,
        Name=name,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue.arn, "RoleArn": role, "Input": '{"tick": 1}'},
    )
    account.later(scheduler.delete_schedule, Name=name)
    came(account.message(queue, seconds=max(account.target.patience, SCHEDULE_SECONDS)), {"tick": 1})
