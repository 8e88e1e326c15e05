"""Codes of errors are stable, listed in one table, and documented."""

from __future__ import annotations

from http import HTTPStatus

from andamio.errors import PROBLEM_TYPES, URN
from lambdas.api.models.problem import STATUSES
from tests.support.api import Api
from tests.support.releases import ROOT

HEADER = "| Code | Status | Title | What to do |\n|---|---|---|---|\n"


def test_the_documented_table_is_the_one_in_the_code() -> None:
    rows = [f"| `{kind.code}` | {kind.status} | {kind.title} | {kind.advice} |\n" for kind in PROBLEM_TYPES.values()]
    table = HEADER + "".join(rows)
    assert table in (ROOT / "docs" / "errors.md").read_text(), f"docs/errors.md has another table than this:\n{table}"


def test_codes_are_those_that_clients_know() -> None:
    assert set(PROBLEM_TYPES) == {
        "malformed-body",
        "invalid-request",
        "invalid-record",
        "body-too-large",
        "reply-too-large",
        "unsupported-media-type",
        "no-explanations",
        "no-reference",
        "not-found",
        "method-not-allowed",
        "bad-event",
        "not-ready",
        "release",
        "settings",
        "internal",
        "no-key",
        "refused",
        "too-many-requests",
        "quota-spent",
        "timeout",
    }
    assert URN == "urn:andamio:problem:"


def test_every_status_that_the_document_explains_is_one_of_a_code() -> None:
    assert set(STATUSES) <= {kind.status for kind in PROBLEM_TYPES.values()}
    for kind in PROBLEM_TYPES.values():
        assert HTTPStatus(kind.status).is_client_error or HTTPStatus(kind.status).is_server_error


def test_a_problem_has_the_status_of_its_code() -> None:
    for answer in (Api().get("/ping"), Api().get("/nowhere"), Api().get("/batches/x"), Api().get("/ping", "DELETE")):
        assert answer.status == PROBLEM_TYPES[answer.json["type"].removeprefix(URN)].status
