"""Objects in an S3 bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from andamio.errors import ObjectNotFound, PreconditionFailed
from andamio.ports import ObjectInfo, StoredObject

_CONFLICT_TRIES = 5
_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})


class S3Objects:
    """`Objects` on a bucket; the client comes from the environment unless one is given."""

    def __init__(self, bucket: str, client: Any = None) -> None:
        # Imported here: a cold start pays for boto3 only when it first needs the bucket.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        self.bucket = bucket
        self._error = ClientError
        self._s3: Any = client or boto3.client(
            "s3", config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=3, read_timeout=30)
        )

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (the latest version unless told); raises `ObjectNotFound`."""
        asked = {"VersionId": version} if version else {}
        try:
            reply = self._s3.get_object(Bucket=self.bucket, Key=key, **asked)
        except self._error as error:
            raise self._translated(error, key) from error
        return StoredObject(reply["Body"].read(), reply["ETag"], reply.get("VersionId", ""))

    def head(self, key: str) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""
        try:
            reply = self._s3.head_object(Bucket=self.bucket, Key=key)
        except self._error as error:
            raise self._translated(error, key) from error
        return ObjectInfo(key, reply.get("VersionId", ""), reply["ETag"], reply["ContentLength"], reply["LastModified"])

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""
        return self._put(key, body, content_type, {"IfMatch": if_match} if if_match else {})

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object unless the key is taken; says whether it was written."""
        try:
            self._put(key, body, content_type, {"IfNoneMatch": "*"})
        except PreconditionFailed:
            return False
        return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key; deleted ones are left out."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Versions", []):
                if item["IsLatest"]:
                    yield ObjectInfo(
                        item["Key"], item.get("VersionId", ""), item["ETag"], item["Size"], item["LastModified"]
                    )

    def _put(self, key: str, body: bytes, content_type: str, condition: dict[str, str]) -> str:
        for left in reversed(range(_CONFLICT_TRIES)):
            try:
                reply = self._s3.put_object(
                    Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **condition
                )
            except self._error as error:
                # 409: another conditional write to the same key was under way. S3 asks to try again.
                if error.response["Error"]["Code"] == "ConditionalRequestConflict" and left:
                    continue
                raise self._translated(error, key, writing=True) from error
            return str(reply["ETag"])
        raise AssertionError("unreachable: the last try returns or raises")

    def _translated(self, error: Any, key: str, *, writing: bool = False) -> Exception:
        code = error.response["Error"]["Code"]
        # A write with If-Match finds nothing at all when the object was deleted since it was read.
        if code in ("PreconditionFailed", "412") or (writing and code == "NoSuchKey"):
            return PreconditionFailed(f"s3://{self.bucket}/{key}: it changed since it was read")
        if code in _GONE:
            return ObjectNotFound(f"s3://{self.bucket}/{key}: there is no such object")
        failure: Exception = error
        return failure
