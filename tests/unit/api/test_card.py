"""GET /model/card: the sealed card, as a page or as Markdown, and nothing that a page could run."""

from __future__ import annotations

import pytest

from andamio.release.release import CARD, CARD_PAGE
from lambdas.api.requests.gateway import query_string
from tests.support.api import Answer, Api, event
from tests.support.releases import heart, promote, seal_release

PAGE = "<!doctype html>\n<p>“Herz”</p>"
MARKDOWN = "# Herz: “model card”\n"


@pytest.fixture
def carded() -> Api:
    """The heart problem with a champion that has a card."""
    api = Api()
    changed = {CARD: MARKDOWN.encode(), CARD_PAGE: PAGE.encode()}
    promote(api.objects, "heart", seal_release(api.objects, heart(), changed=changed))
    return api


def ask(api: Api, query: dict[str, str] | None = None, accept: str | None = None) -> Answer:
    sent = event("api-ping") | {
        "resource": "/{proxy+}",
        "path": "/model/card",
        "pathParameters": {"proxy": "model/card"},
    }
    headers = {name: value for name, value in (sent["headers"] or {}).items() if name.lower() != "accept"}
    sent |= {"headers": headers | ({"Accept": accept} if accept else {}), "multiValueHeaders": None}
    return api.send(sent | {"queryStringParameters": query, "multiValueQueryStringParameters": None})


def test_it_is_a_page_by_default(carded: Api) -> None:
    answer = ask(carded)
    assert (answer.status, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ({"format": "md"}, None, MARKDOWN),
        ({"format": "md"}, "text/html", MARKDOWN),
        ({"format": "html"}, "text/markdown", PAGE),
        (None, "text/markdown", MARKDOWN),
        (None, "text/html,application/xhtml+xml,*/*;q=0.8", PAGE),
        (None, "text/html;q=0.5, text/markdown", MARKDOWN),
        (None, "text/html, text/markdown;q=0.5", PAGE),
        (None, "text/markdown;q=0", PAGE),
        (None, "text/markdown;q=much", PAGE),
        (None, "application/json", PAGE),
        (None, "*/*", PAGE),
    ],
)
def test_the_query_says_the_format_else_the_header(
    carded: Api, query: dict[str, str] | None, accept: str | None, expected: str
) -> None:
    answer = ask(carded, query, accept)
    assert answer.text == expected
    assert answer.headers["content-type"].startswith("text/markdown" if expected == MARKDOWN else "text/html")


def test_the_page_may_run_nothing_and_call_nobody(carded: Api) -> None:
    policy = ask(carded).headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert ask(carded).headers["x-content-type-options"] == "nosniff"


def test_a_format_that_there_is_not_is_named(carded: Api) -> None:
    answer = ask(carded, {"format": "pdf<script>"})
    assert answer.status == 422
    assert answer.json["errors"] == [{"field": "format", "reason": "expected html or md"}]


def test_a_release_from_before_there_were_cards_has_none_and_says_so(api: Api) -> None:
    answer = ask(api)
    assert answer.status == 404
    assert answer.json["type"].endswith("not-found")
    assert "before there were model cards" in answer.json["detail"]
    assert api.get("/model").status == 200


def test_without_a_model_there_is_no_card() -> None:
    assert ask(Api()).status == 503


def test_a_card_that_was_changed_is_not_shown(carded: Api) -> None:
    (key,) = [item.key for item in carded.objects.list("releases/") if item.key.endswith(CARD_PAGE)]
    carded.objects.put(key, b"<p>It is perfect.</p>")
    answer = ask(carded)
    assert answer.status >= 500
    assert "perfect" not in answer.text


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, b""),
        ({"queryStringParameters": None, "multiValueQueryStringParameters": None}, b""),
        ({"queryStringParameters": {"format": "md"}}, b"format=md"),
        ({"multiValueQueryStringParameters": {"a": ["1", "ü&"], "b": ["\ud800"]}}, b"a=1&a=%C3%BC%26&b=%3F"),
        ({"queryStringParameters": {"a": "2"}, "multiValueQueryStringParameters": {"a": ["1", "2"]}}, b"a=1&a=2"),
    ],
)
def test_the_query_is_read_however_the_gateway_hands_it_over(parts: dict[str, object], expected: bytes) -> None:
    assert query_string(parts) == expected
