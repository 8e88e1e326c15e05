"""What a bucket promises, kept by S3 and by memory alike."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from moto import mock_aws

from andamio.adapters.memory import MemoryObjects
from andamio.adapters.s3 import PART, S3Objects
from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.storage.ports import Objects

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

    def test_a_listing_can_begin_after_a_key(self, objects: Objects) -> None:
        for key in ("raw/a", "raw/b", "raw/b", "raw/c", "raw/d", "scored/x"):
            objects.put(key, b"1")
        assert [info.key for info in objects.list("raw/", after="raw/b")] == ["raw/c", "raw/d"]
        assert list(objects.list("raw/", after="raw/d")) == []
        if isinstance(objects, MemoryObjects):  # moto passes over one version too many where the marker is no key
            assert [info.key for info in objects.list("raw/", after="raw/bb")] == ["raw/c", "raw/d"]
            assert [info.key for info in objects.list("raw/", after="raw/")] == ["raw/a", "raw/b", "raw/c", "raw/d"]

    def test_a_look_at_an_older_version(self, objects: Objects) -> None:
        objects.put("key", b"1")
        first = objects.head("key")
        objects.put("key", b"22")
        assert objects.head("key", version=first.version) == first
        assert objects.head("key").size == 2

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, 3, b"012"),
            (7, 3, b"789"),
            (8, 99, b"89"),
            (10, 1, b""),
            (99, 5, b""),
            (3, 0, b""),
            (0, 10, b"0123456789"),
        ],
    )
    def test_a_range_ends_where_the_object_does(
        self, objects: Objects, start: int, length: int, expected: bytes
    ) -> None:
        objects.put("key", b"0123456789")
        assert objects.get_range("key", start, length) == expected
        with objects.stream("key", start=start, length=length) as source:
            assert source.read(2) + source.read() == expected

    def test_a_range_of_an_empty_object_is_empty(self, objects: Objects) -> None:
        objects.put("key", b"")
        assert objects.get_range("key", 0, 5) == b""
        with objects.stream("key") as source:
            assert (source.read(5), source.read()) == (b"", b"")

    def test_an_object_is_read_as_it_comes(self, objects: Objects) -> None:
        objects.put("key", b"0123456789")
        with objects.stream("key") as source:
            pieces = []
            while piece := source.read(4):
                pieces.append(piece)
        assert b"".join(pieces) == b"0123456789"
        assert max(map(len, pieces)) <= 4
        with objects.stream("key", start=4) as source:
            assert source.read() == b"456789"

    def test_an_older_version_is_read_in_ranges_too(self, objects: Objects) -> None:
        objects.put("key", b"old one")
        version = objects.head("key").version
        objects.put("key", b"new one")
        assert objects.get_range("key", 0, 3, version=version) == b"old"
        with objects.stream("key", version=version) as source:
            assert source.read() == b"old one"

    def test_what_is_not_there_is_not_found_however_it_is_read(self, objects: Objects) -> None:
        objects.put("key", b"1")
        for key, version in (("other", None), ("key", "nosuchversion")):
            for read in (
                lambda key=key, version=version: objects.get(key, version=version),
                lambda key=key, version=version: objects.head(key, version=version),
                lambda key=key, version=version: objects.get_range(key, 0, 1, version=version),
                lambda key=key, version=version: objects.get_range(key, 0, 0, version=version),
                lambda key=key, version=version: objects.stream(key, version=version).__enter__(),
            ):
                with pytest.raises(ObjectNotFound):
                    read()

    def test_a_file_is_written_once(self, objects: Objects, tmp_path: Path) -> None:
        file = tmp_path / "part"
        file.write_bytes(b"x" * 100_000)
        assert objects.put_new_file("key", file)
        file.write_bytes(b"another")
        assert not objects.put_new_file("key", file)
        assert objects.get("key").body == b"x" * 100_000

    @pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 5])
    def test_a_stream_of_any_size_becomes_one_object(self, objects: Objects, size: int) -> None:
        body = bytes(range(256)) * (size // 256) + bytes(size % 256)
        chunks = (body[start : start + 5_000_000] for start in range(0, size, 5_000_000))
        info = objects.put_stream("key", chunks, content_type="text/csv")
        assert (info.key, info.size) == ("key", size)
        assert info == objects.head("key")
        assert objects.get("key", version=info.version).body == body

    @pytest.mark.parametrize("before", [10, 2 * PART])
    def test_a_stream_that_breaks_off_leaves_nothing(self, objects: Objects, before: int) -> None:
        def chunks() -> Iterator[bytes]:
            yield bytes(before)
            raise RuntimeError("the source broke")

        with pytest.raises(RuntimeError, match="the source broke"):
            objects.put_stream("key", chunks())
        with pytest.raises(ObjectNotFound):
            objects.head("key")


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

    def test_parts_of_a_stream_that_broke_off_are_not_kept(self, s3: S3Objects) -> None:
        def chunks() -> Iterator[bytes]:
            yield bytes(2 * PART)
            raise RuntimeError("the source broke")

        with pytest.raises(RuntimeError):
            s3.put_stream("key", chunks())
        client = boto3.client("s3", region_name="us-east-1")
        assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET)

    def test_a_version_that_is_a_deletion_is_not_found(self, s3: S3Objects) -> None:
        client = boto3.client("s3", region_name="us-east-1")
        s3.put("key", b"1")
        deletion = client.delete_object(Bucket=BUCKET, Key="key")["VersionId"]
        for read in (s3.get, s3.head):
            with pytest.raises(ObjectNotFound):
                read("key", version=deletion)

    def test_a_connection_that_breaks_is_opened_where_it_broke(self) -> None:
        client = Breaking(b"0123456789", after=3)
        with S3Objects(BUCKET, client).stream("key", start=1, length=8) as source:
            assert source.read() == b"12345678"
        assert client.ranges == ["bytes=1-8", "bytes=4-8", "bytes=7-8"]
        assert client.conditions == [None, '"one"', '"one"']

    def test_a_connection_that_only_breaks_is_an_error(self) -> None:
        broken = S3Objects(BUCKET, Breaking(b"0123456789", after=0)).stream("key")
        with broken as source, pytest.raises(ResponseStreamingError):
            source.read(5)

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_a_server_that_sends_a_version_whole_is_read_alike(self, version: str) -> None:
        client = Forgetful()
        objects = S3Objects(BUCKET, client)
        digits = client.versions[version] or b""
        assert objects.get_range("key", 3, 4, version=version) == digits[3:7]
        assert objects.get_range("key", 8, 9, version=version) == digits[8:]
        with objects.stream("key", version=version, start=2) as source:
            assert (source.read(3), source.read()) == (digits[2:5], digits[5:])
        if version == "v2":
            assert client.whole == 1, "once it is known, the latest version's range is asked for without its name"

    @pytest.mark.parametrize("latest", [b"abc", None])
    def test_also_where_the_latest_object_is_shorter_or_gone(self, latest: bytes | None) -> None:
        client = Forgetful(latest)
        objects = S3Objects(BUCKET, client)
        assert objects.get_range("key", 8, 9, version="v1") == b"89"
        assert objects.get_range("key", 8, 9, version="v1") == b"89"
        assert objects.get_range("key", 10, 9, version="v1") == b""

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
        with pytest.raises(ClientError, match="SlowDown"):
            S3Objects(BUCKET, Conflicting(1, "SlowDown")).put("key", b"1")


class TestLinks:
    """A person without AWS keys may do one thing, for a quarter of an hour."""

    def test_an_upload_is_of_one_key_and_of_limited_size(self, s3: S3Objects) -> None:
        said = s3.presigned_post("incoming/ID/a.csv", 900, 5 * 2**30)
        assert said["fields"]["key"] == "incoming/ID/a.csv"
        assert said["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
        policy = json.loads(base64.b64decode(said["fields"]["policy"]))
        assert ["content-length-range", 1, 5 * 2**30] in policy["conditions"]
        assert {"key": "incoming/ID/a.csv"} in policy["conditions"]
        assert not any(
            condition[0] == "starts-with" for condition in policy["conditions"] if isinstance(condition, list)
        )

    def test_no_link_is_good_for_longer_than_a_quarter_of_an_hour(self, s3: S3Objects) -> None:
        policy = json.loads(base64.b64decode(s3.presigned_post("a", 86_400, 10)["fields"]["policy"]))
        after = datetime.now(UTC)
        assert datetime.fromisoformat(policy["expiration"]) <= after + timedelta(minutes=15)
        assert "X-Amz-Expires=900" in s3.presigned_get("a", 86_400, "a.csv")
        assert "X-Amz-Expires=60" in s3.presigned_get("a", 60, "a.csv")

    def test_a_download_is_signed_anew_and_has_a_name(self, s3: S3Objects) -> None:
        link = s3.presigned_get("scored/a", 60, "patients.scored.csv")
        asked = parse_qs(urlsplit(link).query)
        assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert asked["response-content-disposition"] == ['attachment; filename="patients.scored.csv"']

    def test_links_name_the_bucket_in_the_path_of_an_emulator_and_in_the_host_of_a_region(
        self, s3: S3Objects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        assert S3Objects(BUCKET).presigned_get("a", 60, "a").startswith("https://lake.s3.eu-west-1.amazonaws.com/a?")
        assert S3Objects(BUCKET).presigned_post("a", 60, 1)["url"] == "https://lake.s3.eu-west-1.amazonaws.com/"
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
        assert S3Objects(BUCKET).presigned_get("a", 60, "a").startswith("http://127.0.0.1:4566/lake/a?")
        assert S3Objects(BUCKET).presigned_post("a", 60, 1)["url"] == "http://127.0.0.1:4566/lake"


class Breaking:
    """A client whose connections break after some bytes."""

    def __init__(self, body: bytes, after: int) -> None:
        self.body, self.after = body, after
        self.ranges: list[str | None] = []
        self.conditions: list[str | None] = []

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self.ranges.append(asked.get("Range"))
        self.conditions.append(asked.get("IfMatch"))
        start, end = 0, len(self.body)
        if asked.get("Range"):
            first, last = asked["Range"].removeprefix("bytes=").split("-")
            start, end = int(first), int(last) + 1
        return {"Body": _Broken(self.body[start:end], self.after), "ETag": '"one"', "ContentRange": asked.get("Range")}


class Forgetful:
    """A client of the local cloud: a version comes whole, whatever its range; "v2" is the latest."""

    def __init__(self, latest: bytes | None = b"abcdefghij") -> None:
        self.versions = {"v1": b"0123456789", "v2": latest}
        self.whole = 0

    def get_object(self, **asked: Any) -> dict[str, Any]:
        version = asked.get("VersionId")
        body = self.versions[version or "v2"]
        if version is not None:
            self.whole += 1
            return {"Body": io.BytesIO(body), "ETag": '"one"', "VersionId": version}
        first, _, last = asked["Range"].removeprefix("bytes=").partition("-")
        if body is None or int(first) >= len(body):
            raise ClientError(
                {"Error": {"Code": "InvalidRange" if body else "NoSuchKey", "Message": "no"}}, "GetObject"
            )
        part = body[int(first) : int(last) + 1 if last else None]
        return {"Body": io.BytesIO(part), "ETag": '"one"', "VersionId": "v2", "ContentRange": "bytes"}


class _Broken(io.BytesIO):
    def __init__(self, body: bytes, after: int) -> None:
        super().__init__(body)
        self.after = after

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= self.after and self.tell() < len(self.getvalue()):
            raise ResponseStreamingError(error="broken")
        return super().read(min(size or -1, self.after - self.tell()))


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
