"""Generated requests through the local cloud's gateway: each answer is what the OpenAPI document says."""

from __future__ import annotations

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
        assert (reply.status_code, reply.content) == (200, b""), path


def test_the_document_s_server_is_the_address_of_the_api(heart: Deployed) -> None:
    (server,) = heart.request("GET", "/openapi.json").json()["servers"]
    assert server["url"] == heart.outputs["api_url"].rstrip("/")
