"""What the log keeps of predictions and of rejected records, and which predictions ask for their label."""

from __future__ import annotations

import json
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from andamio import names
from andamio.contract import Contract
from lambdas.api.predictions import predict as predicting
from lambdas.api.predictions.capture import Capture
from lambdas.api.predictions.rejection import MOST_VIOLATIONS
from tests.support.api import Answer, Api
from tests.support.releases import heart, serve
from tests.unit.api.conftest import LOAN, LOANS, PATIENT, loans

Lines = Callable[[str], list[dict[str, Any]]]
IDS = [secrets.token_hex(16) for _ in range(4000)]


def with_capture(share: float, audit_share: float = 0.0) -> Api:
    api = Api(capture=Capture(share, audit_share))
    serve(api.objects, heart())
    return api


def many(api: Api, count: int) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = api.post("/predict/batch", {"records": [{"features": PATIENT}] * count}).json[
        "predictions"
    ]
    return said


# Which predictions are kept, and which want a label


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_shares_are_kept_and_neither_choice_depends_on_the_other(share: float) -> None:
    capture = Capture(share, 0.5)
    wanted = [one for one in IDS if capture.wants_label(one)]
    assert len(wanted) == pytest.approx(0.5 * len(IDS), abs=5 * 32)
    others = [one for one in IDS if not capture.wants_label(one)]
    kept = sum(capture.keeps(one, wants_label=False) for one in others)
    assert kept == pytest.approx(share * len(others), abs=5 * 23)


def test_all_or_none_leaves_nothing_to_chance() -> None:
    assert all(Capture(1.0, 1.0).keeps(one, wants_label=False) and Capture(1.0, 1.0).wants_label(one) for one in IDS)
    assert not any(Capture(0.0, 0.0).keeps(one, wants_label=True) or Capture(0.0, 0.0).wants_label(one) for one in IDS)


def test_a_sample_logs_every_prediction_and_some_records(lines: Lines) -> None:
    said = many(with_capture(0.5), 200)
    written = lines(names.EVENT_PREDICTION)
    assert [line["prediction_id"] for line in written] == [row["prediction_id"] for row in said]
    kept = [line for line in written if "features" in line]
    assert 60 < len(kept) < 140
    assert all(line["features"] == PATIENT for line in kept)


def test_with_none_no_record_is_logged(lines: Lines) -> None:
    many(with_capture(0.0, audit_share=1.0), 20)
    written = lines(names.EVENT_PREDICTION)
    assert len(written) == 20
    assert not any("features" in line for line in written)
    assert all(line["probabilities"] for line in written)


def test_the_reply_and_the_line_say_whether_the_label_is_wanted(lines: Lines) -> None:
    said = many(with_capture(0.01, audit_share=0.5), 200)
    wanted = [row["prediction_id"] for row in said if row["audit"]]
    assert 60 < len(wanted) < 140
    written = lines(names.EVENT_PREDICTION)
    assert [line["prediction_id"] for line in written if line["audit"]] == wanted
    assert all("features" in line for line in written if line["audit"]), "a label needs its record"


def test_every_route_that_predicts_says_whether_the_label_is_wanted() -> None:
    for share in (0.0, 1.0):
        api = with_capture(1.0, audit_share=share)
        assert api.predict(PATIENT).json["audit"] is bool(share)
        (row,) = api.post("/invocations", {"instances": [PATIENT]}).json["predictions"]
        assert row["audit"] is bool(share)


# Rejected records


def test_a_rejected_record_leaves_its_fields_and_codes_and_no_value(api: Api, lines: Lines) -> None:
    api.request_id = "request-7"
    records = [{"features": PATIENT}, {"features": PATIENT | {"age": 999, "sex": "S3CRET", "S3CRET": 1}}]
    assert api.post("/predict/batch", {"records": records}).status == 422
    (line,) = lines(names.EVENT_REJECTION)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    loaded = api.serving.loaded
    assert loaded is not None
    assert sorted(line.pop("violations"), key=str) == [
        {"field": "", "code": "unknown-field"},
        {"field": "age", "code": "out-of-range"},
        {"field": "sex", "code": "unknown-category"},
    ]
    assert line == {
        "event": names.EVENT_REJECTION,
        "route": "predict/batch",
        "request_id": "request-7",
        "index": 1,
        "model_version": loaded.version,
    }


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/predict", {"features": {"age": 999}}, None),
        ("/predict/batch", {"records": [{"features": {"age": 999}}]}, None),
        ("/invocations", {"instances": [{"age": 999}]}, None),
        ("/invocations", "age\n999\n", "text/csv"),
    ],
)
def test_every_route_that_predicts_says_what_it_rejected(
    api: Api, lines: Lines, path: str, body: object, kind: str | None
) -> None:
    assert api.post(path, body, kind or "application/json").status == 422
    (line,) = lines(names.EVENT_REJECTION)
    assert line["route"] == path[1:]
    assert {"field": "age", "code": "out-of-range"} in line["violations"]


def test_what_is_no_prediction_rejects_no_record(api: Api, lines: Lines) -> None:
    assert api.post("/explain", {"features": {"age": 999}}).status == 422
    assert api.post("/predict", "{").status == 400
    assert api.post("/predict", "[]").status == 422
    assert lines(names.EVENT_REJECTION) == []


def test_the_lines_of_a_request_and_the_faults_of_a_record_have_a_limit(api: Api, lines: Lines) -> None:
    contract = "\n".join(
        ["[problem]", 'name = "wide"', 'target = "y"', 'labels = { a = "A", b = "B" }']
        + [f'[features.f{number}]\ntype = "number"\nmax = 1' for number in range(120)]
    )
    wide = Api(problem="wide")
    serve(wide.objects, Contract.from_toml(contract))
    record = {"features": {f"f{number}": 2 for number in range(120)}}
    assert wide.post("/predict/batch", {"records": [record] * 1000}).status == 422
    written = lines(names.EVENT_REJECTION)
    assert [line["index"] for line in written] == list(range(1000))
    assert {len(line["violations"]) for line in written} == {MOST_VIOLATIONS}


# Private features

CANARY = "Canarysdottir"
BORN = "1907-11-03"
PRIVATE = LOAN | {"name": CANARY, "born_on": BORN, "asked_at": "2026-01-01T00:00:00Z"}
TRACES = (CANARY.lower(), BORN, "1907", "3.11.")


def csv_of(record: dict[str, Any]) -> str:
    return ",".join(record) + "\n" + ",".join(map(str, record.values())) + "\n"


def sent_everywhere(api: Api, record: dict[str, Any]) -> list[Answer]:
    one = {"features": record, "id": 7}
    return [
        api.post("/predict", one),
        api.post("/predict/batch", {"records": [one, one]}),
        api.post("/invocations", {"instances": [record]}),
        api.post("/invocations", {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}}),
        api.post("/invocations", csv_of(record), "text/csv"),
        api.post("/explain", one),
    ]


FAULTS: dict[str, tuple[dict[str, Any], set[int]]] = {
    "none": ({}, {200}),
    "another feature is wrong": ({"amount": -1}, {422}),
    "it is wrong itself": ({"born_on": f"{BORN}T99", "name": CANARY + "\x00"}, {422}),
    "it is no single value": ({"name": [CANARY], "born_on": {"day": BORN}}, {422}),
    "it is too long": ({"name": CANARY * 100}, {422}),
    "it is a field's name": ({CANARY: 1, BORN: 2}, {422}),
    "a field is unknown": ({"surname": CANARY}, {422}),
    "fields are far too many": ({f"{CANARY}{number}": BORN for number in range(50)}, {422}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_private_value_leaves_no_trace_in_any_line(
    loans_api: Api, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    changes, expected = FAULTS[fault]
    answers = sent_everywhere(loans_api, PRIVATE | changes)
    assert {answer.status for answer in answers} <= expected, [answer.text for answer in answers]
    written = capsys.readouterr().out
    assert len(written.splitlines()) >= len(answers)
    assert not [trace for trace in TRACES if trace in written.lower()]


@pytest.mark.parametrize(
    "raised", [ValueError, RuntimeError, KeyError], ids=["a value", "what a library says", "a key"]
)
def test_an_unexpected_error_leaves_no_trace_of_a_private_value(
    loans_api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: type[Exception]
) -> None:
    def fails(*_: object) -> None:
        try:
            raise raised(f"could not convert {CANARY}, born on {BORN}")
        except Exception as error:
            raise RuntimeError(f"no number: {CANARY}") from error

    loaded = loans_api.serving.champion()
    monkeypatch.setattr(loaded.model, "predict", fails)
    answers = sent_everywhere(loans_api, PRIVATE)
    assert {answer.status for answer in answers} == {500}
    written = capsys.readouterr().out
    assert not [trace for trace in TRACES if trace in written.lower()]
    errors = [line for line in map(json.loads, written.splitlines()) if line["event"] == names.EVENT_ERROR]
    assert len(errors) >= 5
    for line in errors:
        assert "in fails" in line["traceback"], "where it happened is still told"
        assert line["message"].startswith("(withheld")


def test_the_message_of_an_error_of_ours_is_logged_with_its_causes_named(
    api: Api, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        try:
            raise KeyError("S3CRET")
        except KeyError as error:
            raise predicting.ReleaseError("the model has no output") from error

    monkeypatch.setattr(api.serving.champion().model, "predict", fails)
    api.predict(PATIENT)
    line = lines(names.EVENT_ERROR)[0]
    assert line["message"] == "the model has no output"
    assert "KeyError: (withheld" in line["traceback"]
    assert CANARY not in json.dumps(line)


def test_a_private_feature_under_its_other_spelling_is_private_too(lines: Lines) -> None:
    """A name that a client sends decomposed is taken for the contract's: the line must take it for that as well."""
    text = LOANS.replace("[features.name]", '[features."número"]')
    contract = Contract.from_toml(text).seal({"purpose": ["car"], "número": ["Ada"]})
    api = Api(problem="loans")
    serve(api.objects, contract)
    decomposed = unicodedata.normalize("NFD", "número")
    assert decomposed != "número"
    assert api.predict(LOAN | {decomposed: CANARY}).status == 200
    (line,) = lines(names.EVENT_PREDICTION)
    assert CANARY not in json.dumps(line)
    assert line["features"]["amount"] == LOAN["amount"]
    assert loans().features["name"].private
