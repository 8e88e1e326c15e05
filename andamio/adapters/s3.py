"""Objects in an S3 bucket."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from andamio.adapters.refusals import refusal
from andamio.adapters.s3_reading import ResumingReader
from andamio.adapters.sdk import check_sdk
from andamio.errors import AccessRefused, AndamioError, ObjectNotFound, PreconditionFailed
from andamio.storage.ports import ObjectInfo, Readable, StoredObject

PART = 16 * 2**20
"""Bytes of a part of a large upload: 10,000 of them, which is S3's limit, are 156 GiB."""
LONGEST_LINK_SECONDS = 15 * 60
"""How long a presigned request is good for, at most."""

_READS = frozenset({"get_object", "head_object"})
_CONFLICT_TRIES = 5
_NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_NO_VERSION_CODES = frozenset({"InvalidArgument", "400", "MethodNotAllowed", "405"})
"""What S3 answers to a version id that cannot be one, or that is a deletion."""


class S3Objects:
    """`Objects` on a bucket; the client comes from the environment unless one is given.

    Raises `SettingsError` where the botocore that is there knows no conditional writes.
    """

    def __init__(self, bucket: str, client: Any = None) -> None:
        # Imported here: a cold start pays for boto3 only when it first needs the bucket.
        import boto3
        import botocore
        from botocore.config import Config
        from botocore.exceptions import ClientError

        check_sdk(botocore.__version__)
        # Emulators know buckets by path; on AWS, links must name the bucket's region, which "virtual" does.
        emulated = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self.bucket = bucket
        self._error = ClientError
        self._forgets_ranges = False
        self._s3: Any = client or boto3.client(
            "s3",
            config=Config(
                retries={"mode": "standard", "max_attempts": 5},
                connect_timeout=3,
                read_timeout=30,
                max_pool_connections=20,
                signature_version="s3v4",
                s3={"addressing_style": "path" if emulated else "virtual"},
            ),
        )

    # Reading

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object (default: the latest version); raises `ObjectNotFound`."""
        reply = self._read(key, version)
        return StoredObject(reply["Body"].read(), reply["ETag"], reply.get("VersionId", ""))

    def get_range(self, key: str, start: int, length: int, *, version: str | None = None) -> bytes:
        """Bytes `start` to `start + length` of one object, fewer where it ends before; raises `ObjectNotFound`."""
        with self.stream(key, version=version, start=start, length=length) as source:
            return source.read()

    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Readable]:
        """The bytes of one object, or of a range of it, as they come; raises `ObjectNotFound`.

        A connection that breaks on the way is opened again where it broke.
        """
        return closing(ResumingReader(lambda **arguments: self._read(key, version, **arguments), start, length))

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Look at one object without reading it; raises `ObjectNotFound`."""
        reply = self._call("head_object", key, **_of(version))
        return ObjectInfo(key, reply.get("VersionId", ""), reply["ETag"], reply["ContentLength"], reply["LastModified"])

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The latest version of every object under a prefix, by key, those after `after`; deleted ones are left out."""
        arguments = {"KeyMarker": after} if after else {}
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix, **arguments)
        with self._errors():
            for page in pages:
                for item in page.get("Versions", []):
                    if item["IsLatest"] and item["Key"] > after:
                        yield ObjectInfo(
                            item["Key"], item.get("VersionId", ""), item["ETag"], item["Size"], item["LastModified"]
                        )

    def _read(self, key: str, version: str | None, **arguments: Any) -> Any:
        if version is None or "Range" not in arguments:
            return self._call("get_object", key, **_of(version), **arguments)
        if self._forgets_ranges:
            # Where the latest object is another one, it may be too short for the range, or gone.
            with suppress(self._error, ObjectNotFound, PreconditionFailed, AccessRefused):
                reply = self._call("get_object", key, **arguments)
                if reply.get("VersionId") == version:
                    return reply
                reply["Body"].close()
        reply = self._call("get_object", key, **_of(version), **arguments)
        if "ContentRange" not in reply and not self._forgets_ranges:
            # The local cloud sends a version whole, whatever range is asked for, and the latest version's
            # range where no version is named. AWS never comes here.
            reply["Body"].close()
            self._forgets_ranges = True
            return self._read(key, version, **arguments)
        return reply

    # Writing

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object and return its ETag; with `if_match`, raises `PreconditionFailed` when it changed."""
        return str(self._put(key, body, content_type, {"IfMatch": if_match} if if_match else {})["ETag"])

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object if the key is free; returns whether it was written."""
        return self._put_new(key, body, content_type)

    def put_new_file(self, key: str, file: Path, *, content_type: str = "application/octet-stream") -> bool:
        """Write a file as one object if the key is free; returns whether it was written."""
        with file.open("rb") as body:
            return self._put_new(key, body, content_type)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, content_type: str = "application/octet-stream"
    ) -> ObjectInfo:
        """Write one object of any size, a chunk after another; it is there when all of them are, or not at all."""
        parts = _parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            reply = self._put(key, first, content_type, {})
        else:
            reply = self._put_parts(key, _chain(first, second, parts), content_type)
        return self.head(key, version=reply.get("VersionId") or None)

    def _put_new(self, key: str, body: bytes | BinaryIO, content_type: str) -> bool:
        try:
            self._put(key, body, content_type, {"IfNoneMatch": "*"})
        except PreconditionFailed:
            return False
        return True

    def _put(self, key: str, body: bytes | BinaryIO, content_type: str, condition: dict[str, str]) -> Any:
        for tries_left in reversed(range(_CONFLICT_TRIES)):
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                return self._call("put_object", key, Body=body, ContentType=content_type, **condition)
            except self._error as error:
                # 409: another conditional write to the same key was under way. S3 asks to try again.
                if error.response["Error"]["Code"] != "ConditionalRequestConflict" or not tries_left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _put_parts(self, key: str, parts: Iterable[bytes], content_type: str) -> Any:
        upload = {"UploadId": self._call("create_multipart_upload", key, ContentType=content_type)["UploadId"]}
        try:
            completed_parts = [
                {
                    "PartNumber": number,
                    "ETag": self._call("upload_part", key, **upload, PartNumber=number, Body=part)["ETag"],
                }
                for number, part in enumerate(parts, start=1)
            ]
            return self._call("complete_multipart_upload", key, **upload, MultipartUpload={"Parts": completed_parts})
        except BaseException:
            # Parts that nobody completes are kept, and paid for, without being seen.
            with suppress(self._error, AndamioError):
                self._call("abort_multipart_upload", key, **upload)
            raise

    # Links

    def presigned_post(self, key: str, seconds: int, max_bytes: int) -> dict[str, Any]:
        """What a form needs to upload one object of 1 to `max_bytes` under this very key: {"url", "fields"}."""
        form: dict[str, Any] = self._s3.generate_presigned_post(
            self.bucket,
            key,
            Conditions=[["content-length-range", 1, max_bytes]],
            ExpiresIn=min(seconds, LONGEST_LINK_SECONDS),
        )
        return form

    def presigned_get(self, key: str, seconds: int, name: str) -> str:
        """A link that downloads one object as a file of this name."""
        arguments = {"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": f'attachment; filename="{name}"'}
        seconds = min(seconds, LONGEST_LINK_SECONDS)
        return str(self._s3.generate_presigned_url("get_object", Params=arguments, ExpiresIn=seconds))

    # Errors

    def _call(self, operation: str, key: str, **arguments: Any) -> Any:
        """One call about one object; raises as `_errors` says."""
        with self._errors(key, writing=operation not in _READS, version="VersionId" in arguments):
            return getattr(self._s3, operation)(Bucket=self.bucket, Key=key, **arguments)

    @contextmanager
    def _errors(self, key: str = "", *, writing: bool = False, version: bool = False) -> Iterator[None]:
        """Turn what S3 answers into `PreconditionFailed`, `ObjectNotFound` or `AccessRefused`, or leave it as it is."""
        try:
            yield
        except self._error as error:
            code = error.response["Error"]["Code"]
            # A write with If-Match finds nothing at all when the object was deleted since it was read.
            if code in ("PreconditionFailed", "412") or (writing and code == "NoSuchKey"):
                raise PreconditionFailed(f"s3://{self.bucket}/{key}: it changed since it was read") from error
            if code in _NOT_FOUND_CODES or (version and code in _NO_VERSION_CODES):
                raise ObjectNotFound(f"s3://{self.bucket}/{key}: there is no such object") from error
            refusal_error = refusal(
                error, "s3", f"arn:aws:s3:::{self.bucket}" + (f"/{key}" if key else ""), version=version
            )
            if refusal_error is None:
                raise
            raise refusal_error from error


def _of(version: str | None) -> dict[str, str]:
    return {"VersionId": version} if version else {}


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in parts of `PART` bytes; the last one may be shorter."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= PART:
            yield bytes(buffer[:PART])
            del buffer[:PART]
    if buffer:
        yield bytes(buffer)


def _chain(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest
