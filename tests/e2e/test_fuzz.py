"""Generated requests through the local cloud's gateway: each answer is what the OpenAPI document says."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.support.fuzz import fuzz

from .conftest import Deployed

pytestmark = pytest.mark.e2e

EXAMPLES = 2
"""Of one operation in one phase: several hundred requests in all."""


def test_every_answer_through_the_gateway_is_what_the_document_says(heart: Deployed) -> None:
    fuzz(heart.outputs["api_url"], heart.outputs["api_key"], examples=EXAMPLES)


def test_the_open_pages_answer_head_without_a_key(heart: Deployed) -> None:
    for path in ("/ping", "/docs", "/openapi.json"):
        reply = heart.request("HEAD", path, key=False)
        assert reply.status_code == 200, path


def test_the_answer_to_head_carries_no_body(heart: Deployed) -> None:
    url = urlsplit(heart.outputs["api_url"])
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        # Clients read no body after HEAD: what is left on the connection would be taken for the next answer.
        connection.request(method, f"{url.path}/docs")
        reply = connection.getresponse()
        assert (reply.status, bool(reply.read())) == (200, method == "GET")
        assert connection.sock is not None
    connection.close()


def test_the_document_s_server_is_the_address_of_the_api(heart: Deployed) -> None:
    (server,) = heart.request("GET", "/openapi.json").json()["servers"]
    assert server["url"] == heart.outputs["api_url"].rstrip("/")
