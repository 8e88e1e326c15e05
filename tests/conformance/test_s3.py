"""Objects: conditional writes, versions, ranges, listings, and requests that are signed for others."""

from __future__ import annotations

import datetime
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.conformance.verdicts import came, refusal

AT_ONCE = 8
ODD = "incoming/pacientes año + 100%25 (1).csv"


def all_at_once(call) -> Counter[str]:
    """How a call of one number is answered to as many callers at the same time."""
    gate = threading.Barrier(AT_ONCE)

    def go(number: int) -> str:
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(go, range(AT_ONCE)))


def test_put_new_twice(account):
    """A write with If-None-Match: * to a key that has an object is refused with 412.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    came(refusal(s3.put_object, **where, Body=b"1", IfNoneMatch="*"), "accepted")
    came(refusal(s3.put_object, **where, Body=b"2", IfNoneMatch="*"), "412 PreconditionFailed")


def test_put_new_after_a_deletion(account):
    """A write with If-None-Match: * succeeds where the latest version is a delete marker.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    s3.put_object(**where, Body=b"1")
    s3.delete_object(**where)
    came(refusal(s3.put_object, **where, Body=b"2", IfNoneMatch="*"), "accepted")


@pytest.mark.needs("races")
def test_put_new_at_once(account):
    """Of several writes with If-None-Match: * at the same time one succeeds, and the others get 412 or 409.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    said = all_at_once(lambda n: refusal(s3.put_object, **where, Body=b"%d" % n, IfNoneMatch="*"))
    came(said["accepted"], 1)
    came(set(said) - {"accepted", "412 PreconditionFailed", "409 ConditionalRequestConflict"}, set())


def test_put_if_match(account):
    """A write with the ETag of the object succeeds; with another one it is refused with 412.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    old = s3.put_object(**where, Body=b"1")["ETag"]
    came(refusal(s3.put_object, **where, Body=b"2", IfMatch=old), "accepted")
    came(refusal(s3.put_object, **where, Body=b"3", IfMatch=old), "412 PreconditionFailed")


def test_put_if_match_without_an_object(account):
    """A write with If-Match to a key that has no object is refused with 404 NoSuchKey.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    etag = s3.put_object(Bucket=where["Bucket"], Key="b", Body=b"1")["ETag"]
    came(refusal(s3.put_object, **where, Body=b"2", IfMatch=etag), "404 NoSuchKey")


def test_put_if_match_after_a_deletion(account):
    """A write with If-Match where the latest version is a delete marker is refused with 404 NoSuchKey.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    etag = s3.put_object(**where, Body=b"1")["ETag"]
    s3.delete_object(**where)
    came(refusal(s3.put_object, **where, Body=b"2", IfMatch=etag), "404 NoSuchKey")


@pytest.mark.needs("races")
def test_put_if_match_at_once(account):
    """Of several writes with the same ETag at the same time one succeeds, and the others get 412 or 409.

    Source: S3 User Guide, Conditional writes.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    etag = s3.put_object(**where, Body=b"start")["ETag"]
    said = all_at_once(lambda n: refusal(s3.put_object, **where, Body=b"%d" % n, IfMatch=etag))
    came(said["accepted"], 1)
    came(set(said) - {"accepted", "412 PreconditionFailed", "409 ConditionalRequestConflict"}, set())


def test_an_etag_is_of_the_content(account):
    """The ETag is the same when an object has its old content again, so that If-Match does not see A, B, A.

    Source: S3 API Reference, Object.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    first, other, again = (s3.put_object(**where, Body=body) for body in (b"A", b"B", b"A"))
    came(first["ETag"] == again["ETag"] != other["ETag"], True)
    came(len({first["VersionId"], other["VersionId"], again["VersionId"]}), 3)
    came(refusal(s3.put_object, **where, Body=b"C", IfMatch=first["ETag"]), "accepted")


def test_get_if_none_match(account):
    """A read with If-None-Match and the ETag of the object is answered with 304 and no body.

    Source: S3 API Reference, GetObject.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    etag = s3.put_object(**where, Body=b"1")["ETag"]
    came(refusal(s3.get_object, **where, IfNoneMatch=etag), "304")
    came(refusal(s3.get_object, **where, IfNoneMatch='"another"'), "accepted")


def test_get_if_match(account):
    """A read with If-Match and another ETag is refused with 412.

    Source: S3 API Reference, GetObject.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    s3.put_object(**where, Body=b"1")
    came(refusal(s3.get_object, **where, IfMatch='"another"'), "412 PreconditionFailed")


def test_an_old_version(account):
    """A version can be read by its id after it was replaced, and after the object was deleted.

    Source: S3 User Guide, Retrieving object versions.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    version = s3.put_object(**where, Body=b"old")["VersionId"]
    s3.put_object(**where, Body=b"new")
    s3.delete_object(**where)
    came(s3.get_object(**where, VersionId=version)["Body"].read(), b"old")
    came(refusal(s3.get_object, **where), "404 NoSuchKey")
    came(refusal(s3.head_object, **where), "404")


def test_a_version_that_cannot_be(account):
    """A version id that is none is refused with 400, and that of a delete marker with 405.

    Source: S3 API Reference, GetObject; S3 User Guide, Working with delete markers.

    Here: the S3 adapter takes any of these codes for an object that is not there.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    s3.put_object(**where, Body=b"1")
    marker = s3.delete_object(**where)["VersionId"]
    came(refusal(s3.get_object, **where, VersionId="none"), "400 InvalidArgument")
    came(refusal(s3.get_object, **where, VersionId=marker), "405 MethodNotAllowed")


def test_a_range(account):
    """A range of the latest version is answered with its bytes; one behind the end is refused with 416.

    Source: S3 API Reference, GetObject.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    s3.put_object(**where, Body=b"0123456789")
    reply = s3.get_object(**where, Range="bytes=2-4")
    came((reply["Body"].read(), reply.get("ContentRange")), (b"234", "bytes 2-4/10"))
    came(refusal(s3.get_object, **where, Range="bytes=10-12"), "416 InvalidRange")


def test_a_range_of_an_old_version(account):
    """A range of a version that was replaced is answered with bytes of that version.

    Source: S3 API Reference, GetObject.

    Here: the S3 adapter notices a reply without Content-Range, and asks for the latest version or reads over the rest.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    version = s3.put_object(**where, Body=b"0123456789")["VersionId"]
    s3.put_object(**where, Body=b"new")
    came(s3.get_object(**where, VersionId=version, Range="bytes=2-4")["Body"].read(), b"234")


def test_names_of_objects(account):
    """A key with spaces, accents, a plus and a percent sign is read and listed as it was written.

    Source: S3 User Guide, Naming Amazon S3 objects.
    """
    s3, bucket = account.client("s3"), account.bucket()
    s3.put_object(Bucket=bucket, Key=ODD, Body=b"1")
    came(s3.get_object(Bucket=bucket, Key=ODD)["Body"].read(), b"1")
    came([it["Key"] for it in s3.list_object_versions(Bucket=bucket, Prefix="incoming/")["Versions"]], [ODD])


def test_a_listing_begins_after_its_marker(account):
    """A listing of versions begins with the first key after KeyMarker, which need not be a key that exists.

    Source: S3 API Reference, ListObjectVersions.

    Here: `tests/flows` lists without a marker where it runs on moto.
    """
    s3, bucket = account.client("s3"), account.bucket()
    for key in "abcd":
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    for marker in ("a", "a0"):
        reply = s3.list_object_versions(Bucket=bucket, KeyMarker=marker)
        came([it["Key"] for it in reply.get("Versions", [])], ["b", "c", "d"])


def test_pages_of_a_listing(account):
    """A listing of versions that is longer than MaxKeys goes on by its markers, and misses nothing.

    Source: S3 API Reference, ListObjectVersions.
    """
    s3, bucket = account.client("s3"), account.bucket()
    for key in ("a", "a", "a", "b", "c", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    came([it["Key"] for page in pages for it in page.get("Versions", [])], ["a", "a", "a", "b", "c", "c"])


def test_the_latest_of_a_listing(account):
    """A listing of versions says which version is the latest, and of a deleted object none is: its marker is.

    Source: S3 API Reference, ListObjectVersions.
    """
    s3, bucket = account.client("s3"), account.bucket()
    versions = [s3.put_object(Bucket=bucket, Key=key, Body=b"1")["VersionId"] for key in ("a", "a", "b")]
    s3.delete_object(Bucket=bucket, Key="b")
    reply = s3.list_object_versions(Bucket=bucket)
    came([it["VersionId"] for it in reply["Versions"] if it["IsLatest"]], [versions[1]])
    came([it["Key"] for it in reply.get("DeleteMarkers", []) if it["IsLatest"]], ["b"])


def test_times_are_whole_seconds(account):
    """LastModified counts in whole seconds: two writes within one cannot be told apart by it.

    Source: S3 API Reference, ListObjectVersions.

    Here: ETL waits at least two seconds before it looks.
    """
    s3, bucket = account.client("s3"), account.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    found = s3.list_object_versions(Bucket=bucket)["Versions"][0]["LastModified"]
    came("fractions of a second" if found.microsecond else "whole seconds", "whole seconds")
    came(abs(datetime.datetime.now(datetime.UTC) - found) < datetime.timedelta(minutes=5), True)


def test_parts(account):
    """An object of parts is there when it is completed and not before, and its ETag ends with the number of parts.

    Source: S3 User Guide, Uploading and copying objects using multipart upload.
    """
    s3, where = account.client("s3"), {"Bucket": account.bucket(), "Key": "a"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    bodies = [b"x" * (5 << 20), b"y"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, start=1)
    ]
    came(refusal(s3.head_object, **where), "404")
    etag = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    came(etag.strip('"').endswith("-2"), True)
    came(s3.head_object(**where)["ContentLength"], (5 << 20) + 1)


def test_a_link(account):
    """A presigned address downloads the object, under the name of a file that it says.

    Source: S3 User Guide, Sharing objects with presigned URLs.
    """
    s3, where = account.client("s3", signature_version="s3v4"), {"Bucket": account.bucket(), "Key": ODD}
    s3.put_object(**where, Body=b"1")
    named = {"ResponseContentDisposition": 'attachment; filename="a.csv"'}
    reply = requests.get(s3.generate_presigned_url("get_object", Params={**where, **named}, ExpiresIn=60), timeout=30)
    came((reply.status_code, reply.content), (200, b"1"))
    came(reply.headers.get("content-disposition"), 'attachment; filename="a.csv"')


def test_a_link_that_has_expired(account):
    """A presigned address is refused with 403 after its time.

    Source: S3 User Guide, Sharing objects with presigned URLs.

    Here: nothing relies on it; links are good for 15 minutes at most.
    """
    s3, where = account.client("s3", signature_version="s3v4"), {"Bucket": account.bucket(), "Key": "a"}
    s3.put_object(**where, Body=b"1")
    url = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=1)
    time.sleep(2.1)  # the expiry itself is what is waited for
    came(requests.get(url, timeout=30).status_code, 403)


def test_a_link_that_was_changed(account):
    """A presigned address of one object, changed to another, is refused with 403.

    Source: S3 User Guide, Sharing objects with presigned URLs.

    Here: nothing relies on it.
    """
    s3, bucket = account.client("s3", signature_version="s3v4"), account.bucket()
    for key in ("first", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "first"}, ExpiresIn=60)
    came(requests.get(url.replace("/first?", "/other?"), timeout=30).status_code, 403)


def post(account, key: str, body: bytes, *, most: int = 100, sent_key: str | None = None) -> int:
    """The status of a form that was made for one key."""
    s3, bucket = account.client("s3", signature_version="s3v4"), account.bucket()
    form = s3.generate_presigned_post(bucket, key, Conditions=[["content-length-range", 1, most]], ExpiresIn=60)
    fields = {**form["fields"], **({"key": sent_key} if sent_key else {})}
    return requests.post(form["url"], data=fields, files={"file": body}, timeout=30).status_code


def test_a_form(account):
    """A presigned form uploads one object and is answered with 204.

    Source: S3 User Guide, Browser-Based Uploads Using POST.
    """
    came(post(account, ODD, b"1"), 204)


def test_a_form_with_too_many_bytes(account):
    """A form whose file is longer than content-length-range allows is refused with 400.

    Source: S3 User Guide, POST Policy.
    """
    came(post(account, "a", b"x" * 101), 400)


def test_a_form_for_another_key(account):
    """A form that is sent with another key than it was made for is refused with 403.

    Source: S3 User Guide, POST Policy.
    """
    came(post(account, "a", b"1", sent_key="b"), 403)


def test_a_page_of_another_origin(account):
    """A preflight of an origin in the bucket's CORS rules is answered with that origin, and one of another with 403.

    Source: S3 User Guide, Using cross-origin resource sharing.

    Here: `tests/infra/test_switches.py` holds the rules in the template.
    """
    s3, bucket = account.client("s3", signature_version="s3v4"), account.bucket()
    rule = {"AllowedOrigins": ["https://example.org"], "AllowedMethods": ["GET", "POST"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    statuses = []
    for origin in ("https://example.org", "https://example.com"):
        asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        reply = requests.options(url, headers=asks, timeout=30)
        statuses.append((reply.status_code, reply.headers.get("access-control-allow-origin")))
    came(statuses, [(200, "https://example.org"), (403, None)])
