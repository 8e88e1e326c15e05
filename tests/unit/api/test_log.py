"""One JSON line per record, whatever the log level, without what is private."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from andamio import names
from tests.support.api import Api
from tests.unit.api.conftest import LOAN, PATIENT

Lines = Callable[[str], list[dict[str, Any]]]


def test_a_prediction_s_line_says_all_that_was_answered_and_asked(api: Api, lines: Lines) -> None:
    said = api.predict(PATIENT, id="visit-17").json
    (line,) = lines(names.EVENT_PREDICTION)
    assert {key: line[key] for key in said} == said
    assert line["features"] == PATIENT
    assert line["route"] == "predict"
    assert 0 < line["duration_ms"] < 60_000
    assert datetime.fromisoformat(line["time"]).tzinfo is not None


def test_private_features_are_never_logged(loans_api: Api, lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    loan = LOAN | {"name": "Grace Hopper", "born_on": "1906-12-09"}
    csv = ",".join(loan) + "\n" + ",".join(map(str, loan.values()))
    for answer in (
        loans_api.predict(loan),
        loans_api.post("/predict/batch", {"records": [{"features": loan}]}),
        loans_api.post("/invocations", {"instances": [loan]}),
        loans_api.post("/invocations", csv, "text/csv"),
    ):
        assert answer.status == 200
    assert loans_api.predict(loan | {"born_on": "1906-13-09"}).status == 422
    written = capsys.readouterr().out
    assert "Grace" not in written
    assert "1906" not in written
    logged = [json.loads(line) for line in written.splitlines()]
    predictions = [line for line in logged if line["event"] == names.EVENT_PREDICTION]
    assert len(predictions) == 4
    for line in predictions:
        assert "name" not in line["features"]
        assert "born_on" not in line["features"]
        assert line["features"]["amount"] == 1500.5


def test_a_batch_writes_a_line_for_each_record(api: Api, lines: Lines) -> None:
    records = [{"features": PATIENT | {"age": age}, "id": age} for age in range(40, 50)]
    said = api.post("/predict/batch", {"records": records}).json["predictions"]
    written = lines(names.EVENT_PREDICTION)
    assert [line["prediction_id"] for line in written] == [row["prediction_id"] for row in said]
    assert [line["features"]["age"] for line in written] == list(range(40, 50))
    assert {line["route"] for line in written} == {"predict/batch"}


def test_csv_is_logged_as_values_and_not_as_text(api: Api, lines: Lines) -> None:
    api.post("/invocations", "age,sex,cp,chol\n63,1,4,\n", "text/csv")
    (line,) = lines(names.EVENT_PREDICTION)
    features = line["features"]
    assert (features["age"], features["sex"], features["cp"], features["chol"]) == (63, "1", "4", None)


def test_the_lines_do_not_depend_on_a_log_level(api: Api, lines: Lines) -> None:
    logging.disable(logging.CRITICAL)
    try:
        api.predict(PATIENT)
    finally:
        logging.disable(logging.NOTSET)
    assert len(lines(names.EVENT_PREDICTION)) == 1


def test_nothing_is_logged_as_predicted_when_nothing_was(api: Api, lines: Lines) -> None:
    api.post("/predict/batch", {"records": [{"features": PATIENT}, {"features": {}}]})
    assert lines(names.EVENT_PREDICTION) == []


def test_a_request_without_a_prediction_leaves_a_line_without_its_body(api: Api, lines: Lines) -> None:
    api.predict(PATIENT | {"age": 999})
    (line,) = lines("andamio.request")
    assert line == {
        "event": "andamio.request",
        "method": "POST",
        "path": "/predict",
        "status": 422,
        "problem": "urn:andamio:problem:invalid-record",
    }


def test_every_line_is_one_line_of_json(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.predict(PATIENT, id="two\nlines\u2028and\u0085more")
    api.get("/ping")
    api.get("/no\nwhere")
    for line in capsys.readouterr().out.splitlines():
        assert "event" in json.loads(line)
