"""What is S3's own: pages, versions that are deletions, connections that break, conflicts of writes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from andamio.adapters.s3 import PART, S3Objects
from andamio.errors import ObjectNotFound, PreconditionFailed

BUCKET = "lake"


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
