"""A call that IAM refuses ends in an error that says who may not do what, on what, and where to allow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.refusals import quoted_refusal
from andamio.adapters.s3 import S3Objects
from andamio.errors import AccessRefused, ObjectNotFound

ROLE = "arn:aws:sts::123456789012:assumed-role/andamio-heart-TrainFunctionRole-1X/andamio-heart-train"


def refused(operation: str, action: str = "", *, code: str = "AccessDenied", more: str = "") -> ClientError:
    because = f"because no identity-based policy allows the {action} action"
    message = f"User: {ROLE} is not authorized to perform: {action}{more} {because}" if action else "Forbidden"
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Refusing:
    """A client each of whose calls is refused."""

    def __init__(self, error: ClientError) -> None:
        self._error = error

    def get_paginator(self, operation: str) -> Any:
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        yield {}
        raise self._error

    def __getattr__(self, operation: str) -> Any:
        def call(**asked: Any) -> Any:
            raise self._error

        return call


@pytest.fixture(autouse=True)
def in_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "andamio-heart-train")


def lake(error: ClientError) -> S3Objects:
    return S3Objects("lake", Refusing(error))


@pytest.mark.parametrize(
    ("call", "operation", "action", "resource"),
    [
        (lambda lake: lake.get("raw/a"), "GetObject", "s3:GetObject", "arn:aws:s3:::lake/raw/a"),
        (lambda lake: lake.head("raw/a"), "HeadObject", "", "arn:aws:s3:::lake/raw/a"),
        (lambda lake: lake.put("raw/a", b""), "PutObject", "s3:PutObject", "arn:aws:s3:::lake/raw/a"),
        (lambda lake: lake.put_new("raw/a", b""), "PutObject", "s3:PutObject", "arn:aws:s3:::lake/raw/a"),
        (
            lambda lake: list(lake.list("raw/")),
            "ListObjectVersions",
            "s3:ListBucketVersions",
            "arn:aws:s3:::lake: no policy",
        ),
        (
            lambda lake: lake.put_stream("raw/a", [b"x" * 2**24, b"y"]),
            "CreateMultipartUpload",
            "s3:PutObject",
            "arn:aws:s3:::lake/raw/a",
        ),
    ],
)
def test_the_bucket_says_which_role_may_not_do_what_on_what(call, operation, action, resource) -> None:
    error = refused(operation, action, code="AccessDenied" if action else "403")
    with pytest.raises(AccessRefused) as caught:
        call(lake(error))
    said = str(caught.value)
    assert (action or "s3:GetObject") in said
    assert resource in said
    assert "infra/permissions.py" in said
    assert "andamio-heart-train" in said


def test_the_role_is_named_where_aws_names_it() -> None:
    with pytest.raises(AccessRefused, match=r"^Role andamio-heart-TrainFunctionRole-1X may not s3:GetObject on"):
        lake(refused("GetObject", "s3:GetObject")).get("a")


def test_the_resource_that_aws_names_is_the_one_that_is_said() -> None:
    error = refused("GetObject", "s3:GetObject", more=' on resource: "arn:aws:s3:::lake/other"')
    with pytest.raises(AccessRefused, match="on arn:aws:s3:::lake/other: no policy allows it"):
        lake(error).get("a")


def test_a_refusal_by_a_policy_that_denies_is_told_from_a_permission_that_is_missing() -> None:
    error = refused("GetObject", "s3:GetObject", more=" with an explicit deny in a resource-based policy")
    with pytest.raises(AccessRefused, match="a policy denies it"):
        lake(error).get("a")


def test_the_table_says_so_too() -> None:
    table = DynamoPredictionStore(
        "predictions", Refusing(refused("Query", "dynamodb:Query", code="AccessDeniedException"))
    )
    with pytest.raises(AccessRefused, match="dynamodb:Query on table/predictions/index/by_record"):
        table.of_record("patient", limit=1)


def test_a_version_of_an_object_has_a_permission_of_its_own() -> None:
    with pytest.raises(AccessRefused, match="s3:GetObjectVersion on arn:aws:s3:::lake/a: AWS gives no reason"):
        lake(refused("HeadObject", code="403")).head("a", version="v1")


@pytest.mark.parametrize(
    "text",
    [
        'API request failed with error code 403 != 200. Response body: \'{"Message":"User: %s is not authorized to '
        'perform: sagemaker-mlflow:LogBatch on resource: \\"arn:aws:sagemaker:eu-west-1:1:mlflow-app/a\\" because"}\'',
        "Failed to upload a to b: An error occurred (AccessDenied) when calling the PutObject operation: "
        "User: %s is not authorized to perform: sagemaker-mlflow:LogBatch "
        "on resource: arn:aws:sagemaker:eu-west-1:1:mlflow-app/a because",
    ],
)
def test_a_refusal_that_another_library_quotes_is_told_in_the_same_words(text) -> None:
    told = quoted_refusal(RuntimeError(text % ROLE))
    assert str(told).startswith(
        "Role andamio-heart-TrainFunctionRole-1X may not sagemaker-mlflow:LogBatch on "
        "arn:aws:sagemaker:eu-west-1:1:mlflow-app/a: no policy allows it."
    )
    assert quoted_refusal(RuntimeError("the server is busy")) is None


def test_a_person_is_not_told_to_change_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    with pytest.raises(AccessRefused) as caught:
        lake(refused("HeadObject", code="403")).head("a")
    assert "infra" not in str(caught.value)


def test_what_is_not_there_is_no_refusal() -> None:
    with pytest.raises(ObjectNotFound):
        lake(ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")).head("a")
