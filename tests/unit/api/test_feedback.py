"""POST /feedback: true labels are kept as they come, all of a request or none, and nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from andamio import names
from andamio.contract import Contract
from andamio.feedback import Feedback, read
from andamio.storage import layout
from tests.support.api import Api
from tests.support.releases import serve
from tests.unit.api.conftest import LOANS, PATIENT
from tests.unit.api.test_openapi import validator

URN = "urn:andamio:problem:"
ID = "0123456789abcdef" * 2
BATCH_ID = "20261121T100000-0123456789ab-17"
MARK = "S3CRET"
CODED = LOANS.replace(
    'labels = { paid = "Paid back", late = "Paid late", lost = "Never paid" }',
    'labels = { paid = { text = "Paid back", values = ["0", "yes"] }, late = { text = "Paid late", values = ["1"] },'
    ' 1 = { text = "Never paid", values = ["2", "true"] } }',
)


def kept(api: Api) -> list[Feedback]:
    return [said for info in api.lake.list(layout.FEEDBACK) for said in read(info.key, api.lake.get(info.key).body)]


def send(api: Api, body: object) -> dict[str, Any]:
    answer = api.post("/feedback", body)
    assert answer.status == 202, answer.text
    assert answer.headers["cache-control"] == "no-store"
    validator(api.get("/openapi.json").json, "FeedbackReceipt").validate(answer.json)
    validator(api.get("/openapi.json").json, "FeedbackRequest").validate(body)
    said: dict[str, Any] = answer.json
    return said


# What is kept


def test_a_label_is_kept_with_its_time_and_the_version_that_serves(api: Api) -> None:
    prediction = api.predict(PATIENT).json["prediction_id"]
    said = send(api, {"prediction_id": prediction, "label": "1"})
    assert said["accepted"] == 1
    assert api.lake.writes == [f"feedback/dt=2026-11-21/hour=10/{said['feedback_id']}.jsonl"]
    version = api.serving.champion().version
    assert kept(api) == [Feedback(prediction, None, "1", api.clock.now(), version)]


def test_a_list_of_a_thousand_is_one_object(api: Api) -> None:
    body = [{"prediction_id": f"{number:032x}", "label": number % 2} for number in range(1000)]
    assert send(api, body)["accepted"] == 1000
    assert len(api.lake.writes) == 1
    assert [said.prediction_id for said in kept(api)] == [entry["prediction_id"] for entry in body]
    assert [said.label for said in kept(api)] == ["0", "1"] * 500


def test_an_unknown_prediction_is_kept(api: Api) -> None:
    send(api, [{"prediction_id": ID, "label": "0"}, {"prediction_id": BATCH_ID, "label": "1"}])
    assert [said.prediction_id for said in kept(api)] == [ID, BATCH_ID]


@pytest.mark.parametrize(("given", "text"), [("visit-17", "visit-17"), (18, "18"), (" 18 ", "18"), ("18.0", "18")])
def test_a_record_is_named_as_the_predictions_table_names_it(api: Api, given: object, text: str) -> None:
    send(api, {"record_id": given, "label": 1})
    (said,) = kept(api)
    assert (said.prediction_id, said.record_id) == (None, text)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("paid", "paid"), ("0", "paid"), (0, "paid"), ("yes", "paid"), ("late", "late"), (2, "1"), (True, "1")],
)
def test_a_label_is_a_class_or_a_value_that_means_it(given: object, meant: str) -> None:
    api = Api(problem="loans")
    serve(api.objects, Contract.from_toml(CODED).seal({"purpose": ["car"], "name": ["Ada"]}))
    send(api, {"prediction_id": ID, "label": given})
    assert kept(api)[0].label == meant


def test_a_text_that_is_the_key_of_one_class_and_a_value_of_another_is_refused() -> None:
    api = Api(problem="loans")
    serve(api.objects, Contract.from_toml(CODED).seal({"purpose": ["car"], "name": ["Ada"]}))
    answer = api.post("/feedback", {"prediction_id": ID, "label": "1"})
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "unknown-label")
    assert api.lake.writes == []


# What comes again


def test_a_request_that_is_sent_again_within_the_hour_is_one_object(api: Api) -> None:
    body = [{"prediction_id": ID, "label": "1"}, {"record_id": 7, "label": "0"}]
    first = send(api, body)
    api.clock.move(600)
    assert send(api, [{"prediction_id": ID, "label": 1}, {"record_id": "7.0", "label": 0.0}]) == first
    assert len(kept(api)) == 2
    assert {said.received for said in kept(api)} == {api.clock.now()}
    api.clock.move(3600)
    assert send(api, body) == first
    assert len(kept(api)) == 4


def test_a_label_that_is_taken_back_and_said_again_is_the_latest(api: Api) -> None:
    for label in ("1", "0", "1"):
        api.clock.move(60)
        send(api, {"prediction_id": ID, "label": label})
    latest = max(kept(api), key=lambda said: said.received)
    assert (latest.label, latest.received) == ("1", api.clock.now())
    assert {said.label for said in kept(api)} == {"0", "1"}


# What is refused

GOOD = {"prediction_id": ID, "label": "1"}
WRONG: dict[str, tuple[object, str, str]] = {
    "no label": ({"prediction_id": ID}, "label", "missing-label"),
    "null": ({"prediction_id": ID, "label": None}, "label", "missing-label"),
    "an unknown label": ({"prediction_id": ID, "label": MARK}, "label", "unknown-label"),
    "the text of a class": ({"prediction_id": ID, "label": "Healthy"}, "label", "unknown-label"),
    "another number": ({"prediction_id": ID, "label": 1.5}, "label", "unknown-label"),
    "an infinite number": (f'{{"prediction_id": "{ID}", "label": 1e999}}', "label", "unknown-label"),
    "a list of labels": ({"prediction_id": ID, "label": [MARK]}, "label", "unknown-label"),
    "no id": ({"label": "1"}, "prediction_id", "missing-value"),
    "both ids": ({"prediction_id": ID, "record_id": 7, "label": "1"}, "record_id", "invalid-value"),
    "no prediction's id": ({"prediction_id": MARK, "label": "1"}, "prediction_id", "invalid-value"),
    "an id in capitals": ({"prediction_id": ID.upper(), "label": "1"}, "prediction_id", "invalid-value"),
    "a number for an id": ({"prediction_id": 17, "label": "1"}, "prediction_id", "invalid-value"),
    "a blank record": ({"record_id": " ", "label": "1"}, "record_id", "invalid-value"),
    "no record": ({"record_id": None, "label": "1"}, "record_id", "invalid-value"),
    "a record that is a fraction": ({"record_id": 7.5, "label": "1"}, "record_id", "invalid-value"),
    "a record that is true": ({"record_id": True, "label": "1"}, "record_id", "invalid-value"),
    "a record beyond 64 bits": ({"record_id": 2**63, "label": "1"}, "record_id", "invalid-value"),
    "a record without end": ({"record_id": "x" * 2049, "label": "1"}, "record_id", "invalid-value"),
    "another key": (GOOD | {"observed": "2026-11-20"}, "observed", "unknown-field"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place_and_nothing_is_kept(api: Api, name: str) -> None:
    body, field, code = WRONG[name]
    alone = api.post("/feedback", body)
    assert (alone.status, alone.json["type"]) == (422, URN + "invalid-request")
    (error,) = alone.json["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert "index" not in error
    assert MARK not in alone.text
    text = body if isinstance(body, str) else json.dumps(body)
    among = api.post("/feedback", f"[{json.dumps(GOOD)}, {text}, {json.dumps(GOOD)}]")
    assert among.status == 422
    assert among.json["errors"] == [{"index": 1} | error]
    assert api.lake.writes == []


@pytest.mark.parametrize("body", ["[]", json.dumps([GOOD] * 1001), '"1"', "17", "null", "[[]]", "[null]"])
def test_a_body_of_another_shape_is_told_what_is_expected(api: Api, body: str) -> None:
    answer = api.post("/feedback", body)
    assert (answer.status, answer.json["type"]) == (422, URN + "invalid-request")
    assert "label" in answer.text
    assert api.lake.writes == []


@pytest.mark.parametrize(
    ("body", "status"), [("", 400), ("{", 400), ('{"label": NaN}', 400), ('{"label": 1, "label": 0}', 400)]
)
def test_a_body_that_is_no_strict_json_is_refused(api: Api, body: str, status: int) -> None:
    assert api.post("/feedback", body).status == status


def test_of_many_faults_a_hundred_are_listed(api: Api) -> None:
    answer = api.post("/feedback", [{"label": "1"}] * 500)
    assert len(answer.json["errors"]) == 100
    assert answer.json["detail"].startswith("500 things are wrong")
    assert "The first 100" in answer.json["detail"]


def test_without_a_model_there_is_nothing_to_compare_a_label_with() -> None:
    api = Api()
    assert api.post("/feedback", GOOD).status == 503
    assert api.lake.writes == []


# What it leaves alone


def test_feedback_touches_neither_raw_data_nor_data_versions(api: Api) -> None:
    for key in ("raw/heart.csv", "datasets/current.json", "datasets/split.json", "datasets/v1/holdout.npz"):
        api.lake.put(key, b"as it was")
    before = [(info.key, info.version) for info in api.lake.list("")]
    send(api, [{"prediction_id": f"{number:032x}", "label": number % 2} for number in range(50)])
    others = [(info.key, info.version) for info in api.lake.list("") if not info.key.startswith(layout.FEEDBACK)]
    assert sorted(others) == sorted(before)


def test_the_line_of_a_request_says_nothing_of_its_body(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    send(api, {"record_id": MARK, "label": "1"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line["event"] == names.EVENT_REQUEST and line["path"] == "/feedback"] == [
        {"event": names.EVENT_REQUEST, "method": "POST", "path": "/feedback", "status": 202, "problem": None}
    ]
    assert MARK not in json.dumps(lines)
