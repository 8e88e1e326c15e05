"""API Gateway's events: stages, custom domains, base64, browsers of other origins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdas.api.requests.gateway import route_path
from tests.support.api import Api, event
from tests.unit.api.conftest import PATIENT


@pytest.mark.parametrize(
    "name",
    [
        "api-predict",
        "api-predict-base64",
        "api-predict-custom-domain",
        "api-predict-proxy",
        "api-predict-ministack",
    ],
)
def test_a_prediction_is_the_same_however_it_comes(api: Api, name: str) -> None:
    answer = api.send(event(name))
    assert answer.status == 200
    assert answer.json["probabilities"] == api.predict(PATIENT).json["probabilities"]


ROUTES = [
    ("/predict", "/predict", None, "/predict"),
    ("/predict/", "/predict", None, "/predict"),
    ("/heart/predict", "/predict", None, "/predict"),
    ("/a/b/predict/batch", "/{proxy+}", {"proxy": "predict/batch"}, "/predict/batch"),
    ("/predict/batch", "/predict/{what}", {"what": "batch"}, "/predict/batch"),
    ("/docs/swagger-ui.css", "/docs/{asset}", {"asset": "swagger-ui.css"}, "/docs/swagger-ui.css"),
    ("/docs", "/docs", None, "/docs"),
    ("/docs/", "/docs", None, "/docs/"),
    ("/heart/docs/", "/{proxy+}", {"proxy": "docs"}, "/docs/"),
    ("/ping", "", None, "/ping"),
    ("/", "/", None, "/"),
    ("/heart", "/", None, "/heart"),
    ("/no%20where", "/{proxy+}", {"proxy": "no where"}, "/no where"),
    ("", "", None, "/"),
]


@pytest.mark.parametrize(("path", "resource", "parameters", "expected"), ROUTES)
def test_the_route_is_found_whatever_stands_before_it(
    path: str, resource: str, parameters: dict[str, str] | None, expected: str
) -> None:
    assert route_path({"path": path, "resource": resource, "pathParameters": parameters}) == expected


def test_a_browser_of_another_origin_may_send_key_and_json(api: Api) -> None:
    answer = api.send(event("api-preflight"))
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "x-api-key, content-type"


@pytest.mark.parametrize("path", ["/predict", "/ping", "/nowhere"])
def test_a_browser_of_another_origin_may_read_every_answer(api: Api, path: str) -> None:
    assert api.get(path).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/ping", "/version", "/model", "/schema", "/openapi.json", "/docs", "/nowhere"])
def test_no_answer_may_be_sniffed_framed_or_run(api: Api, path: str) -> None:
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


ODD: list[dict[str, Any]] = [
    {"headers": None, "multiValueHeaders": None},
    {"headers": {"Host": "[::1]:4566", "X-Forwarded-Port": "a lot"}, "multiValueHeaders": None},
    {"headers": {"host": "a:b:c"}, "multiValueHeaders": {"x-odd": ["ñ", "\ud800"]}},
    {"headers": {"content-length": "9" * 30}},
    {"headers": {"content-length": "-1"}},
    {"requestContext": {}},
    {"queryStringParameters": {"a": "b"}, "multiValueQueryStringParameters": {"a": ["b"]}},
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_headers_do_not_matter(api: Api, odd: dict[str, Any]) -> None:
    assert api.send(event("api-ping") | odd).status == 200
    assert api.send(event("api-predict") | odd).status == 200


@pytest.mark.parametrize("changed", [{"body": None}, {"body": "\ud800"}, {"body": "%%%", "isBase64Encoded": True}])
def test_a_body_that_is_none_is_a_400(api: Api, changed: dict[str, Any]) -> None:
    assert api.send(event("api-predict") | changed).status == 400


@pytest.mark.parametrize("path", ["/ping", "/batches", "/docs"])
def test_head_is_answered_like_get_and_logged_as_head(
    api: Api, path: str, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    head = api.get(path, "HEAD")
    (line,) = lines("andamio.request")
    assert line["method"] == "HEAD"
    assert (head.status, head.headers) == (200, api.get(path).headers)
