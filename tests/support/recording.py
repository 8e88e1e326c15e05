"""Every AWS call that a function makes in a test, and what IAM asks for it.

    with calling("train", "decide"):
        client.list_object_versions(Bucket="andamio-heart-models")
    recorded()   {Call("train", "decide", "s3:ListObjectVersions", "s3:ListBucketVersions", "Models")}

Buckets and tables are named by their place in the template, and what differs from run to run in a key (digests, times,
numbers) is left out, so that a recording can be compared with another one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import astuple, dataclass
from typing import Any

import boto3
import botocore.handlers
import pytest

from andamio.adapters.s3 import S3Objects


@dataclass(frozen=True, order=True)
class Call:
    """A call by a step of a function, and one of the permissions that IAM asks for it.

    call       what is called, as the API names it: s3:ListObjectVersions
    action     what IAM asks for: s3:ListBucketVersions
    resource   on what: Models, Models/runs/*/plan.json, Predictions/index/by_record; * is what differs from run to run
    """

    function: str
    step: str
    call: str
    action: str
    resource: str


_READS = frozenset({"GetObject", "HeadObject"})
_WRITES = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"})
_LISTS = {"ListObjectVersions": "ListBucketVersions", "ListObjectsV2": "ListBucket", "ListObjects": "ListBucket"}
_CHANGING = re.compile(
    r"(?<=/decisions/)[a-z_]+-[\w-]+|\d{8}T\d{6}-[\w-]+|(?:\w+-)?[0-9a-f]{8,}|\b\d+\b|(?<=/incoming/).*|(?<=/raw/).*|(?<=/trials/)\w+"
    r"|(?<=/lost/)\w+|(?<=/artifacts/code/).*"
)
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})

_caller: ContextVar[tuple[str, str] | None] = ContextVar("caller", default=None)
_POINTER, _PROVED = re.compile(r"serving/[^/]+\.json$"), "serving/heart.json"
"""The stack that is proved is heart's, whichever problem a test is of."""
_seen: set[Call] = set()
_lock = threading.Lock()


@contextmanager
def calling(function: str, step: str) -> Iterator[None]:
    """Calls made in here, also by threads that are started in here, are the function's."""
    token = _caller.set((function, step))
    try:
        yield
    finally:
        _caller.reset(token)


def caller() -> tuple[str, str] | None:
    """Function and step that make calls in this thread now; None where the test itself does."""
    return _caller.get()


def recorded() -> frozenset[Call]:
    """Every call that was seen in this process."""
    with _lock:
        return frozenset(_seen)


def as_rows(calls: frozenset[Call]) -> list[list[str]]:
    """Calls as they are written down: sorted, a list each."""
    return [list(astuple(call)) for call in sorted(calls)]


def watch(monkeypatch: pytest.MonkeyPatch, places: Mapping[str, str]) -> None:
    """See the calls of every client that is made from now on, MLflow's included; earlier clients are a test's own.

    `places` is bucket or table -> its name in the template.
    """

    def add(call: str, action: str, resource: str) -> None:
        caller = _caller.get()
        if caller is not None:
            with _lock:
                _seen.add(Call(*caller, call, action, _POINTER.sub(_PROVED, _CHANGING.sub("*", resource))))

    def asked(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        service = model.service_model.service_name
        if _caller.get() is None or model.name == "CreateBucket":  # of which botocore makes a form's address
            return
        if service not in ("s3", "dynamodb", "logs", "events", "cloudwatch"):
            raise NotImplementedError(f"Say in {__name__} what {service}:{model.name} asks of IAM.")
        context["andamio"] = params
        for action, resource in _needs(service, model.name, params, places):
            add(f"{service}:{model.name}", action, resource)

    def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        params = context.get("andamio")
        if params and model.name in _READS and str(parsed.get("Error", {}).get("Code")) in _ABSENT:
            # Who may not list a bucket is told 403 of what is not there.
            add(f"s3:{model.name}", "s3:ListBucket", places[params["Bucket"]])

    def signs(bucket: S3Objects, key: str, *args: Any) -> Any:
        add("s3:PostObject", "s3:PutObject", f"{places[bucket.bucket]}/{key}")
        return presigned_post(bucket, key, *args)

    presigned_post = S3Objects.presigned_post
    monkeypatch.setattr(S3Objects, "presigned_post", signs)
    handlers = [("before-parameter-build", asked), ("after-call", answered)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, *handlers])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", _with_caller(ThreadPoolExecutor.submit))


def _needs(
    service: str, operation: str, params: dict[str, Any], places: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What IAM asks for a call: action and resource."""
    if service == "dynamodb":
        tables = [params["TableName"]] if "TableName" in params else list(params["RequestItems"])
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        for table in tables:
            yield f"dynamodb:{operation}", places[table] + index
        return
    if service == "cloudwatch":
        yield f"cloudwatch:{operation}", "*"
        return
    if service == "events":
        for entry in params["Entries"]:
            bus = entry.get("EventBusName", "default")
            yield f"events:{operation}", f"arn:<Partition>:events:<Region>:<AccountId>:event-bus/{bus}"
        return
    if service == "logs":
        yield f"logs:{operation}", places[params["logGroupName"]]
        return
    bucket, key = places[params["Bucket"]], params.get("Key", "")
    if operation in _LISTS:
        yield f"s3:{_LISTS[operation]}", bucket
    elif operation in _READS:
        yield "s3:GetObjectVersion" if "VersionId" in params else "s3:GetObject", f"{bucket}/{key}"
    elif operation in _WRITES:
        yield "s3:PutObject", f"{bucket}/{key}"
        if "IfMatch" in params:
            yield "s3:GetObject", f"{bucket}/{key}"  # who compares must be allowed to read
        for parameter, action in (("Tagging", "s3:PutObjectTagging"), ("ACL", "s3:PutObjectAcl")):
            if parameter in params:
                yield action, f"{bucket}/{key}"
    else:
        yield f"s3:{operation}", f"{bucket}/{key}" if key else bucket


def _with_caller(submit: Callable[..., Any]) -> Callable[..., Any]:
    def submitted(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(pool, copy_context().run, work, *args, **kwargs)

    return submitted
