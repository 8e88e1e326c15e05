"""What a bucket promises, kept by S3 and by memory alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from andamio.adapters.memory import MemoryObjects
from andamio.adapters.s3 import S3Objects
from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.ports import Objects

BUCKET = "lake"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Objects]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield S3Objects(BUCKET)


@pytest.fixture(params=["memory", "s3"])
def objects(request: pytest.FixtureRequest) -> Objects:
    chosen: Objects = MemoryObjects(BUCKET) if request.param == "memory" else request.getfixturevalue("s3")
    return chosen


class TestABucket:
    """Runs against every adapter."""

    def test_what_was_put_is_read_back(self, objects: Objects) -> None:
        etag = objects.put("a/b", b"\x00one", content_type="text/plain")
        stored = objects.get("a/b")
        assert (stored.body, stored.etag) == (b"\x00one", etag)
        assert stored.version

    def test_every_write_is_a_version_that_stays(self, objects: Objects) -> None:
        versions = []
        for body in (b"1", b"2", b"1"):
            objects.put("key", body)
            versions.append(objects.get("key").version)
        assert len(set(versions)) == 3
        assert [objects.get("key", version=version).body for version in versions] == [b"1", b"2", b"1"]
        assert objects.get("key").body == b"1"

    def test_a_look_tells_what_reading_would(self, objects: Objects) -> None:
        objects.put("key", b"12345")
        info, stored = objects.head("key"), objects.get("key")
        assert (info.key, info.size, info.etag, info.version) == ("key", 5, stored.etag, stored.version)
        assert info.modified.tzinfo is not None

    def test_nothing_there_is_not_found(self, objects: Objects) -> None:
        objects.put("key", b"1")
        for missing in (lambda: objects.get("other"), lambda: objects.head("other")):
            with pytest.raises(ObjectNotFound, match="lake/other: there is no such object"):
                missing()

    def test_put_new_writes_once(self, objects: Objects) -> None:
        assert objects.put_new("key", b"first")
        assert not objects.put_new("key", b"second")
        assert objects.get("key").body == b"first"
        assert len(list(objects.list("key"))) == 1

    def test_if_match_writes_over_what_was_read_and_nothing_else(self, objects: Objects) -> None:
        first = objects.put("key", b"1")
        second = objects.put("key", b"2", if_match=first)
        assert second != first
        with pytest.raises(PreconditionFailed, match="lake/key: it changed since it was read"):
            objects.put("key", b"3", if_match=first)
        assert objects.get("key").body == b"2"

    def test_if_match_on_nothing_is_a_failed_precondition(self, objects: Objects) -> None:
        with pytest.raises(PreconditionFailed):
            objects.put("key", b"1", if_match='"0123456789abcdef0123456789abcdef"')
        with pytest.raises(ObjectNotFound):
            objects.head("key")

    def test_a_listing_shows_the_latest_of_each_key_in_order(self, objects: Objects) -> None:
        for key, body in (("raw/b", b"1"), ("raw/a", b"22"), ("raw/b", b"333"), ("rawer", b""), ("raw/c/d", b"4")):
            objects.put(key, body)
        shown = list(objects.list("raw/"))
        assert [(info.key, info.size) for info in shown] == [("raw/a", 2), ("raw/b", 3), ("raw/c/d", 1)]
        assert [objects.get(info.key, version=info.version).etag for info in shown] == [info.etag for info in shown]
        assert list(objects.list("none/")) == []


class TestS3:
    """What only S3 can do, or only S3 gets wrong."""

    def test_what_was_deleted_is_not_listed_and_not_found_but_its_versions_stay(self, s3: S3Objects) -> None:
        client = boto3.client("s3", region_name="us-east-1")
        for key in ("raw/a", "raw/b"):
            s3.put(key, b"1")
        version = s3.get("raw/a").version
        client.delete_object(Bucket=BUCKET, Key="raw/a")
        assert [info.key for info in s3.list("raw/")] == ["raw/b"]
        with pytest.raises(ObjectNotFound):
            s3.get("raw/a")
        assert s3.get("raw/a", version=version).body == b"1"
        assert s3.put_new("raw/a", b"2")  # the key is free again
        assert [info.key for info in s3.list("raw/")] == ["raw/a", "raw/b"]

    def test_a_listing_goes_on_over_pages(self, s3: S3Objects) -> None:
        client = boto3.client("s3", region_name="us-east-1")
        client.meta.events.register(
            "provide-client-params.s3.ListObjectVersions", lambda params, **_: params | {"MaxKeys": 2}
        )
        for number in range(7):
            s3.put(f"raw/{number}", b"")
        assert [info.key for info in S3Objects(BUCKET, client).list("raw/")] == [f"raw/{number}" for number in range(7)]

    def test_a_conflict_with_another_write_under_way_is_tried_again(self) -> None:
        client = Conflicting(2)
        assert S3Objects(BUCKET, client).put("key", b"1", if_match='"old"') == '"new"'
        assert client.asked == [{"IfMatch": '"old"'}] * 3
        assert S3Objects(BUCKET, Conflicting(2)).put_new("key", b"1")

    def test_a_conflict_without_end_is_an_error(self) -> None:
        client = Conflicting(99)
        with pytest.raises(ClientError, match="ConditionalRequestConflict"):
            S3Objects(BUCKET, client).put_new("key", b"1")
        assert len(client.asked) == 5

    def test_a_deleted_object_is_no_match(self) -> None:
        with pytest.raises(PreconditionFailed):
            S3Objects(BUCKET, Conflicting(1, "NoSuchKey")).put("key", b"1", if_match='"old"')

    def test_other_failures_stay_what_they_are(self) -> None:
        with pytest.raises(ClientError, match="AccessDenied"):
            S3Objects(BUCKET, Conflicting(1, "AccessDenied")).put("key", b"1")


class Conflicting:
    """A client whose first writes fail."""

    def __init__(self, failures: int, code: str = "ConditionalRequestConflict") -> None:
        self.failures, self.code = failures, code
        self.asked: list[dict[str, Any]] = []

    def put_object(self, **asked: Any) -> dict[str, str]:
        self.asked.append({name: value for name, value in asked.items() if name.startswith("If")})
        if len(self.asked) <= self.failures:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "PutObject")
        return {"ETag": '"new"'}
