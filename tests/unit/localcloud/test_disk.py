"""A disk that fills up, and state that is cut off: nothing that was acknowledged is lost, and nothing in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from andamio.errors import CommandError
from localstack import state
from localstack.disk import LEAST, Disk
from localstack.home import Home
from localstack.process import wait_until

from .conftest import CommandLine

TO_S3 = (b"authorization", b"AWS4-HMAC-SHA256 Credential=test/20261127/us-east-1/s3/aws4_request, SignedHeaders=host")
TO_STATES = (b"Authorization", b"AWS4-HMAC-SHA256 Credential=test/20261127/us-east-1/states/aws4_request, Signed=host")


@pytest.mark.parametrize(
    ("method", "headers", "refused"),
    [
        ("PUT", [TO_S3], True),
        ("POST", [TO_S3], True),
        ("GET", [TO_S3], False),
        ("DELETE", [TO_S3], False),
        ("POST", [TO_STATES, (b"X-Amz-Target", b"AWSStepFunctions.StartExecution")], True),
        ("POST", [TO_STATES, (b"x-amz-target", b"AWSStepFunctions.DescribeExecution")], False),
        ("POST", [(b"x-amz-target", b"DynamoDB_20120810.BatchWriteItem")], True),
        ("POST", [(b"x-amz-target", b"DynamoDB_20120810.GetItem")], False),
    ],
)
def test_what_brings_data_is_refused_before_the_disk_is_full(
    tmp_path: Path, method: str, headers: list[tuple[bytes, bytes]], refused: bool
) -> None:
    full, roomy = Disk(tmp_path / "not yet" / "state", 1 << 62), Disk(tmp_path, 1)
    assert bool(full.refuses(method, headers)) == refused
    assert not roomy.refuses(method, headers)
    roomy.unsaved["s3://lake/raw/a.csv"] = "No space left on device"
    assert ("s3://lake/raw/a.csv" in roomy.refuses(method, headers)) == refused


def test_a_disk_that_is_nearly_full_is_said_in_status_and_to_whoever_writes(
    new_cloud: Callable[[], CommandLine],
) -> None:
    cloud = new_cloud()
    cloud.up(**{LEAST: str(1 << 62)})
    assert "Make room" in cloud.ok("status")["trouble"][0]
    with pytest.raises(ClientError, match=r"InsufficientStorage.*takes no more data below"):
        cloud.client("s3").create_bucket(Bucket="lake")
    with pytest.raises(ClientError, match="takes no more data below"):
        cloud.client("stepfunctions").start_execution(stateMachineArn="arn:aws:states:us-east-1:000000000000:x:y")
    assert cloud.client("s3").list_buckets()["Buckets"] == [], "what reads goes on"


def test_a_write_that_could_not_be_saved_is_not_acknowledged(cloud: CommandLine) -> None:
    storage = cloud.client("s3")
    storage.create_bucket(Bucket="unsaved")
    storage.put_object(Bucket="unsaved", Key="first", Body=b"1")
    (folder,) = (file.parent for file in (cloud.home / "state" / "s3").rglob("first.meta.json"))
    (folder / "second.tmp").mkdir()  # where the emulator would write it first
    with pytest.raises(ClientError, match="could not save s3://unsaved/second"):
        storage.put_object(Bucket="unsaved", Key="second", Body=b"2")
    with pytest.raises(ClientError, match="takes no more data until it can"):
        storage.put_object(Bucket="unsaved", Key="third", Body=b"3")
    assert "s3://unsaved/second" in cloud.ok("status")["trouble"][0]
    (folder / "second.tmp").rmdir()
    assert wait_until(lambda: cloud.ok("status")["trouble"] == [], 15)
    assert (folder / "second").read_bytes() == b"2", "it is saved as soon as that goes"
    storage.put_object(Bucket="unsaved", Key="third", Body=b"3")


@pytest.mark.parametrize("name", ["cloudformation.json", "andamio-cloud.json", "s3/000000000000/lake/a.csv.meta.json"])
def test_state_that_is_cut_off_is_refused_with_its_file_and_the_cure(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    state.check(home)  # nothing there yet
    whole, damaged = home.state / "lambda.json", home.state / name
    for file in (whole, damaged):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"payload": {"a": 1}}))
    state.check(home)
    damaged.write_bytes(damaged.read_bytes()[:10])
    with pytest.raises(CommandError, match=r"PURGE=1") as raised:
        state.check(home)
    assert str(damaged) in str(raised.value)
    damaged.write_bytes(b"")
    with pytest.raises(CommandError, match="0 bytes"):
        state.check(home)


def test_up_says_so_and_changes_nothing(new_cloud: Callable[[], CommandLine]) -> None:
    cloud = new_cloud()
    damaged = cloud.home / "state" / "cloudformation.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"__ministack_format__": 2, "payl')
    done = cloud.run("up", "--emulator-port", "0", "--mlflow-port", "0")
    assert done.returncode == 1
    assert str(damaged) in done.stderr
    assert "Traceback" not in done.stderr
    assert damaged.read_text() == '{"__ministack_format__": 2, "payl'
