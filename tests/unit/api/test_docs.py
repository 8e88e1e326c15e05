"""The page behind /docs works offline and under any prefix."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from lambdas.api.replies.docs import ASSETS
from tests.support.api import Api, event

PAGES = [
    "https://a1b2.execute-api.eu-west-1.amazonaws.com/v1/docs",
    "https://ml.example.org/docs",
    "http://127.0.0.1:4566/restapis/a1b2/v1/_user_request_/docs",
]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    for name in ASSETS:
        (tmp_path / name).write_text(f"/* {name} */")
    return Api(static=tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_everything_the_page_needs_is_served_beside_it(api: Api, page: str) -> None:
    html = api.get("/docs").text
    linked = [link for link in re.findall(r'(?:href|src)="([^"]+)"', html) if not link.startswith("data:")]
    assert len(linked) == 4
    root = page.removesuffix("docs")
    for link in linked:
        there = urljoin(page, link)
        assert there.startswith(root)
        assert api.get("/" + there.removeprefix(root)).status == 200


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    answer = api.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r'(?:href|src)="(?:https?:)?//', answer.text)
    assert "<script>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy


def test_the_start_script_finds_the_document_beside_the_page(api: Api) -> None:
    script = api.get("/docs/start.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert 'new URL("../openapi.json", document.currentScript.src)' in script.text


def test_a_slash_behind_the_page_leads_to_the_page(api: Api) -> None:
    answer = api.send(event("api-ping") | {"resource": "/docs", "path": "/docs/"})
    assert answer.status == 307
    for page in PAGES:
        assert urljoin(page + "/", answer.headers["location"]) == page


def test_a_part_of_the_page_is_kept_by_the_browser_and_typed(api: Api) -> None:
    answer = api.send(event("api-docs-asset"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"].startswith("public, max-age=")


@pytest.mark.parametrize("name", ["../handler.py", "LICENSE", "nothing.js", "%2e%2e", "docs.py"])
def test_nothing_but_the_page_s_parts_is_served(api: Api, name: str) -> None:
    assert api.get(f"/docs/{name}").status == 404


def test_without_its_assets_a_part_is_a_404_and_not_a_failure(tmp_path: Path) -> None:
    assert Api(static=tmp_path / "none").get("/docs/swagger-ui.css").status == 404


def test_the_page_needs_neither_model_nor_key(tmp_path: Path) -> None:
    assert Api(static=tmp_path).get("/docs").status == 200
