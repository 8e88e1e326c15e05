"""What is wrong with a request is said as problem details: which field, why, and nothing of the input."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.errors import AccessRefused
from lambdas.api.requests.body import LIMIT
from tests.support.api import Api, SigningObjects, event
from tests.support.releases import heart, linear_onnx, serve
from tests.unit.api.conftest import LOAN, PATIENT, loans

URN = "urn:andamio:problem:"
OTHERS = ",".join(f'"{name}":{json.dumps(value)}' for name, value in PATIENT.items() if name != "age")


def with_age(text: str) -> str:
    """A request with this JSON text as the age."""
    return '{"features":{"age":' + text + "," + OTHERS + "}}"


MALFORMED = {
    "empty": "",
    "blank": "  ",
    "not JSON": "age=63",
    "cut off": '{"features": {"age": 63',
    "more than one value": "{} {}",
    "single quotes": "{'features': {}}",
    "NaN": with_age("NaN"),
    "Infinity": with_age("-Infinity"),
    "an integer of 5,000 digits": with_age("9" * 5000),
    "a key twice": with_age('63,"age":64'),
    "an envelope's key twice": '{"features":{},"features":{}}',
    "half of a surrogate pair": with_age(r'"\ud800"'),
    "a control character": with_age('"\x01"'),
    "100,000 lists in lists": with_age("[" * 100_000 + "]" * 100_000),
    "bytes that are not UTF-8": b'{"features": {"age": "\xff"}}',
    "UTF-16": json.dumps({"features": PATIENT}).encode("utf-16"),
}


NAN_IS_NULL = ("/invocations", "NaN")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (path, name)
        for path in ("/predict", "/predict/batch", "/invocations")
        for name in MALFORMED
        if (path, name) != NAN_IS_NULL
    ],
)
def test_a_body_that_is_not_strict_json_is_a_400(api: Api, path: str, name: str) -> None:
    body = MALFORMED[name]
    answer = api.post(path, body)
    assert answer.status == 400
    assert answer.json["type"] == URN + "malformed-body"


WRONG: dict[str, tuple[object, str]] = {
    "a text where a number is due": ("sixty", "not-a-number"),
    "a number as text": ("63", "not-a-number"),
    "a boolean": (True, "not-a-number"),
    "a list": ([63] * 10_000, "not-a-number"),
    "an object": ({"value": 63}, "not-a-number"),
    "lists in lists": ([[[[[[63]]]]]], "not-a-number"),
    "below the range": (-1, "out-of-range"),
    "above the range": (121, "out-of-range"),
    "a fraction where an integer is due": (63.5, "not-whole"),
    "a huge integer": (10**300, "too-large"),
    "an integer beyond float": (10**400, "not-finite"),
    "null where a value is due": (None, "missing-value"),
}


@pytest.mark.parametrize(("value", "code"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_a_422_that_names_field_and_code(api: Api, value: object, code: str) -> None:
    answer = api.predict(PATIENT | {"age": value})
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json
    assert (said["type"], said["title"], said["status"]) == (
        URN + "invalid-record",
        "A record breaks the contract",
        422,
    )
    assert {error["field"] for error in said["errors"]} == {"age"}
    assert code in {error["code"] for error in said["errors"]}
    assert "index" not in said["errors"][0]


def test_a_float_beyond_all_floats_is_a_422(api: Api) -> None:
    answer = api.post("/predict", with_age("1e999"))
    assert answer.status == 422
    assert answer.json["errors"][0]["code"] == "not-finite"


def test_a_value_is_never_repeated(api: Api) -> None:
    secret = "S3CRET-9000"
    for body in (
        {"features": PATIENT | {"age": secret, "cp": secret, "chol": [secret]}},
        {"features": PATIENT | {f"{secret} <script>": 1}},
        {"features": PATIENT, "id": [secret]},
        {"features": secret},
        secret,
    ):
        answer = api.post("/predict", json.dumps(body))
        assert answer.status == 422
        assert secret not in answer.text


def test_an_unknown_field_is_named_and_the_nearest_known_one_suggested(api: Api) -> None:
    answer = api.predict(PATIENT | {"cholesterol_": 200, "thalac": 100})
    reasons = {error["field"]: error["reason"] for error in answer.json["errors"]}
    assert reasons["thalac"] == "unknown field; did you mean 'thalach'?"
    assert reasons["cholesterol_"].startswith("unknown field")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 65, "a\nb", "", "ключ", "{}"])
def test_only_a_plain_name_of_an_unknown_field_is_repeated(api: Api, name: str) -> None:
    answer = api.predict(PATIENT | {name: 1})
    assert answer.status == 422
    (error,) = answer.json["errors"]
    assert name == "" or (name not in error["field"] and name not in answer.text)


def test_names_that_are_not_repeated_are_told_apart(api: Api) -> None:
    errors = api.predict(PATIENT | {"é": 1, "<b>": 2, "{}": 3}).json["errors"]
    assert [error["field"] for error in errors] == [
        "(not a plain name)", "(not a plain name, 2)", "(not a plain name, 3)",
    ]  # fmt: skip


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/invocations", "/explain", "/batches"])
def test_a_compressed_body_is_a_415_that_names_the_header(api: Api, path: str, coding: str) -> None:
    sent = event("api-predict") | {"resource": path, "path": path, "multiValueHeaders": None}
    sent["headers"] |= {"Content-Encoding": coding}
    answer = api.send(sent | {"body": base64.b64encode(gzip.compress(b"{}")).decode(), "isBase64Encoded": True})
    assert answer.status == 415
    assert "content-encoding" in answer.json["detail"]


def test_every_missing_field_is_named_at_once(api: Api) -> None:
    answer = api.predict({})
    assert [error["field"] for error in answer.json["errors"]] == ["age", "sex", "cp"]
    assert {error["reason"] for error in answer.json["errors"]} == {"is required and has no value"}


def test_a_field_that_is_known_only_afterwards_is_no_part_of_a_request(loans_api: Api) -> None:
    (error,) = loans_api.predict(LOAN | {"collected": 3}).json["errors"]
    assert error["field"] == "collected"
    assert "only known after the event" in error["reason"]


SHAPES: dict[str, tuple[str, object, int]] = {
    "predict: a list": ("/predict", [], 422),
    "predict: null": ("/predict", None, 422),
    "predict: no features": ("/predict", {}, 422),
    "predict: features in a list": ("/predict", {"features": [PATIENT]}, 422),
    "predict: bare features": ("/predict", PATIENT, 422),
    "predict: another key": ("/predict", {"features": PATIENT, "ids": 1}, 422),
    "batch: a list": ("/predict/batch", [], 422),
    "batch: records not in a list": ("/predict/batch", {"records": {}}, 422),
    "batch: records that are none": ("/predict/batch", {"records": [1, None, "a", []]}, 422),
    "batch: another key": ("/predict/batch", {"records": [{"features": PATIENT}], "record": 1}, 422),
}


@pytest.mark.parametrize(("path", "body", "status"), SHAPES.values(), ids=SHAPES.keys())
def test_a_body_of_another_shape_is_a_422_that_shows_the_right_one(
    api: Api, path: str, body: object, status: int
) -> None:
    answer = api.post(path, body)
    assert answer.status == status
    assert "expected" in answer.text.lower() or "unknown key" in answer.text


def test_a_misspelt_key_is_told_the_right_one(api: Api) -> None:
    answer = api.post("/predict", {"feature": PATIENT})
    assert "did you mean 'features'?" in answer.text


def test_many_errors_are_counted_and_the_first_hundred_listed(api: Api) -> None:
    answer = api.post("/predict/batch", {"records": [{"features": {}}] * 200})
    assert len(answer.json["errors"]) == 100
    assert answer.json["detail"].startswith("600 things are wrong in 200 records")


def test_a_record_with_far_too_many_fields_is_not_read_field_by_field(api: Api) -> None:
    answer = api.predict({f"field{i}": 1 for i in range(100_000)})
    (error,) = answer.json["errors"]
    assert (error["field"], error["code"]) == ("features", "too-many-fields")
    assert "100000" in error["reason"]


def test_a_text_too_long_for_a_log_line_is_refused(loans_api: Api) -> None:
    assert loans_api.predict(LOAN | {"purpose": "x" * 1000}).status == 200
    answer = loans_api.predict(LOAN | {"purpose": "x" * 1001})
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [("purpose", "too-long")]


def padded(size: int) -> str:
    body = json.dumps({"features": PATIENT})
    return body[:-1] + " " * (size - len(body)) + "}"


def test_four_megabytes_pass_and_a_byte_more_is_a_413(api: Api) -> None:
    assert api.post("/predict", padded(LIMIT)).status == 200
    answer = api.post("/predict", padded(LIMIT + 1))
    assert answer.status == 413
    assert answer.json["type"] == URN + "body-too-large"


def test_a_body_that_is_too_large_is_not_even_parsed(api: Api) -> None:
    assert api.post("/predict", "{" * (LIMIT + 1)).status == 413


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json", None, ""],
)
def test_json_may_be_called_by_all_its_names_or_by_none(api: Api, content_type: str | None) -> None:
    assert api.post("/predict", {"features": PATIENT}, content_type).status == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "text/csv", "image/png", "application/json; charset=latin-1"],
)
def test_another_content_type_is_a_415_that_says_which_is_expected(api: Api, content_type: str) -> None:
    answer = api.post("/predict", {"features": PATIENT}, content_type)
    assert answer.status == 415
    assert answer.json["detail"].startswith("Expected")


def test_a_wrong_method_is_a_405_that_says_which_is_right(api: Api) -> None:
    answer = api.get("/predict")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")
    assert answer.json["type"] == URN + "method-not-allowed"
    assert api.get("/ping", "DELETE").status == 405
    assert api.get("/batches", "DELETE").headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert api.get("/batches", "OPTIONS").headers["access-control-allow-methods"] == "POST, GET, OPTIONS"


@pytest.mark.parametrize("path", ["/", "/prediction", "/predict/batch/1", "/docs/../handler.py", "/docs/handler.py"])
def test_an_unknown_path_is_a_404(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status == 404
    assert answer.json["type"] == URN + "not-found"


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/invocations"])
def test_without_a_model_a_prediction_is_a_503_that_says_what_to_do(path: str) -> None:
    answer = Api().post(path, {"features": PATIENT})
    assert answer.status == 503
    assert answer.json["type"] == URN + "not-ready"
    assert "raw/" in answer.json["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_record_that_overflows_in_the_model_is_a_422_by_index(lines: Callable[[str], list[dict[str, Any]]]) -> None:
    api = Api(problem="loans")
    serve(api.objects, loans(), linear_onnx(loans(), scale=1000.0))
    records = [{"features": LOAN}, {"features": LOAN | {"amount": 3e38, "weight": -3e38}}]
    answer = api.post("/predict/batch", {"records": records})
    assert answer.status == 422
    (error,) = answer.json["errors"]
    assert error["index"] == 1
    assert "too large" in error["reason"]
    assert len(lines("andamio.error")) == 1


def test_an_unexpected_failure_is_a_500_without_internals_and_a_traceback_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("the inner secret")

    monkeypatch.setattr("lambdas.api.routes.predictions.predict", fail)
    answer = api.predict(PATIENT)
    assert answer.status == 500
    assert answer.json["type"] == URN + "internal"
    assert "secret" not in answer.text
    assert "Zero" not in answer.text
    (line,) = lines("andamio.error")
    assert "the inner secret" in line["traceback"]


def test_a_model_that_answers_nan_is_not_served() -> None:
    api = Api()
    serve(api.objects, heart(), linear_onnx(heart(), broken=True))
    answer = api.predict(PATIENT)
    assert answer.status == 503
    assert api.get("/version").json["last_refusal"]["reason"] == "the model answered with a number that is not finite"


def test_storage_that_fails_is_a_503_and_tried_again() -> None:
    class Failing(MemoryObjects):
        def get(self, key: str, *, version: str | None = None) -> Any:
            raise ConnectionError("no route to the bucket")

    api = Api(objects=Failing())
    answer = api.predict(PATIENT)
    assert answer.status == 503
    assert "no route" not in answer.text
    assert "retry-after" in answer.headers


REFUSED = "Role heart-api-role may not s3:GetObject on arn:aws:s3:::secret-bucket/a: no policy allows it."


def test_a_call_that_iam_refuses_is_a_500_with_the_id_under_which_the_log_names_the_permission(
    lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    class Refusing(SigningObjects):
        def get(self, key: str, *, version: str | None = None) -> Any:
            raise AccessRefused(REFUSED)

    api = Api(batch=Refusing(), request_id="5f0c")
    answer = api.get("/batches/20261121T100000-0123456789ab")
    assert (answer.status, answer.json["type"]) == (500, URN + "internal")
    assert answer.json["instance"] == "urn:andamio:request:5f0c"
    assert "secret-bucket" not in answer.text
    (line,) = lines("andamio.error")
    assert line["request_id"] == "5f0c"
    assert REFUSED in line["traceback"]


def test_a_release_that_iam_does_not_let_us_read_is_told_to_the_log_alone(
    lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    class Refusing(MemoryObjects):
        def get(self, key: str, *, version: str | None = None) -> Any:
            raise AccessRefused(REFUSED)

    api = Api(objects=Refusing(), request_id="5f0c")
    for _ in range(2):
        answer = api.predict(PATIENT)
        assert (answer.status, answer.json["instance"]) == (500, "urn:andamio:request:5f0c"), "not: no model yet"
    told = api.get("/version").json["last_refusal"]
    assert told["code"] == "access-refused"
    assert "secret-bucket" not in json.dumps(told)
    assert lines("andamio.release.refused")[-1]["reason"] == REFUSED
