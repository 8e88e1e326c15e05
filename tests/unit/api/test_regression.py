"""A problem of numbers is served as one of classes is: predicted, explained, looked up, labelled and described."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest

from andamio.captures.trials import read_line
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.errors import ReleaseError
from andamio.names import EVENT_EXPLANATION, EVENT_PREDICTION, EVENT_SHADOW
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.pointer import PointerEntry
from andamio.storage import layout
from lambdas.api import openapi
from lambdas.api.app import ROUTES
from lambdas.api.champion.champion import load
from tests.support.api import Api
from tests.support.releases import ROOT, SINCE, challenge, linear_onnx, promote, seal_release, serve

Lines = Callable[[str], list[dict[str, Any]]]
DIABETES = Contract.load(ROOT / "problems" / "diabetes")
TEXT = (ROOT / "problems" / "diabetes" / "problem.toml").read_text()
RATIOS = Contract.from_toml(TEXT.replace("target_min  = 0", 'target_min = 0.001\nscale = "log"'))
PATIENT = example_record(DIABETES)


@pytest.fixture(params=[DIABETES, RATIOS], ids=["linear", "log"])
def numbers(request: pytest.FixtureRequest) -> Api:
    """The diabetes problem with a champion."""
    api = Api(problem="diabetes")
    serve(api.objects, request.param)
    return api


def value_of(api: Api) -> float:
    champion = api.serving.champion()
    encoded = encode(champion.contract, parse_records(champion.contract, [PATIENT]))
    return float(champion.model.predict(encoded)[0, 0])


def test_a_prediction_is_the_model_s_own_number_with_its_interval_and_unit(numbers: Api) -> None:
    said = numbers.predict(PATIENT, id="mine").json
    assert list(said) == ["prediction_id", "record_id", "value", "interval", "unit", "model", "audit"]
    value = value_of(numbers)
    contract = numbers.serving.champion().contract
    factor = float(np.interp(value, [100, 200], [0.5, 1.5]))
    is_log = contract.problem.scale == "log"
    low, high = (value * 0.5**factor, value * 2**factor) if is_log else (value - 40 * factor, value + 60 * factor)
    assert said["value"] == value
    assert said["interval"] == {
        "low": pytest.approx(max(low, contract.problem.target_min), rel=1e-6),
        "high": pytest.approx(min(high, 500), rel=1e-6),
        "level": 0.9,
    }
    assert (said["unit"], said["record_id"]) == ("points", "mine")


def test_an_interval_never_leaves_the_range_of_the_target() -> None:
    api = Api(problem="diabetes")
    narrow = Contract.from_toml(
        TEXT.replace("target_min  = 0", "target_min = 90").replace("target_max  = 500", "target_max = 110")
    )
    serve(api.objects, narrow)
    said = api.predict(PATIENT).json
    assert (said["interval"]["low"], said["interval"]["high"]) == (90.0, 110.0)


def test_an_interval_never_leaves_a_range_whose_ends_float32_does_not_hold() -> None:
    low, high = 90.1, 110.3
    assert float(np.float32(low)) < low
    assert float(np.float32(high)) > high
    api = Api(problem="diabetes")
    ends = (("target_min  = 0", f"target_min = {low}"), ("target_max  = 500", f"target_max = {high}"))
    text = TEXT
    for old, new in ends:
        text = text.replace(old, new)
    serve(api.objects, Contract.from_toml(text))
    said = api.predict(PATIENT).json["interval"]
    assert low <= said["low"] < 90.2
    assert 110.2 < said["high"] <= high


def test_many_records_invocations_and_csv_say_what_one_record_says(numbers: Api) -> None:
    one = numbers.predict(PATIENT).json
    answer = {key: one[key] for key in ("value", "interval", "unit")}
    many = numbers.post("/predict/batch", {"records": [{"features": PATIENT}, {"features": PATIENT}]}).json
    asked = numbers.post("/invocations", {"dataframe_records": [PATIENT]}).json
    csv = ",".join(PATIENT) + "\n" + ",".join(map(str, PATIENT.values())) + "\n"
    read = numbers.post("/invocations", csv, "text/csv")
    for said in (*many["predictions"], *asked["predictions"], *read.json["predictions"]):
        assert {key: said[key] for key in answer} == answer
    assert list(asked["predictions"][0]) == ["value", "interval", "unit", "prediction_id", "audit"]


def test_the_line_of_a_prediction_has_number_and_interval(numbers: Api, lines: Lines) -> None:
    said = numbers.predict(PATIENT).json
    (line,) = lines(EVENT_PREDICTION)
    assert {key: line[key] for key in ("value", "interval", "unit")} == {
        key: said[key] for key in ("value", "interval", "unit")
    }
    assert "label" not in line


def test_contributions_are_in_the_target_s_unit_and_sum_to_value_minus_average(numbers: Api) -> None:
    said = numbers.post("/explain", {"features": PATIENT}).json
    assert list(said) == [
        "record_id", "value", "interval", "unit", "average", "contributions", "model", "method",
    ]  # fmt: skip
    assert said["value"] == numbers.predict(PATIENT).json["value"]
    total = sum(item["contribution"] for item in said["contributions"])
    assert total == pytest.approx(said["value"] - said["average"], abs=1e-6 * abs(said["value"]) + 1e-9)
    assert any(abs(item["contribution"]) > 0 for item in said["contributions"])


def test_the_line_of_an_explanation_keeps_contributions_of_any_size(lines: Lines) -> None:
    api = Api(problem="diabetes")
    serve(api.objects, DIABETES, linear_onnx(DIABETES, scale=1e-6))
    said = api.post("/explain", {"features": PATIENT}).json
    (line,) = lines(EVENT_EXPLANATION)
    assert line["contributions"] == pytest.approx(
        {item["feature"]: item["contribution"] for item in said["contributions"]}, rel=1e-5, abs=0
    )


def test_feedback_takes_a_number_and_keeps_it_as_one(numbers: Api) -> None:
    answer = numbers.post("/feedback", [{"record_id": "a", "label": 151}, {"record_id": "b", "label": 90.5}])
    assert answer.status == 202
    (info,) = numbers.lake.list(layout.FEEDBACK)
    kept = [json.loads(line) for line in numbers.lake.get(info.key).body.splitlines()]
    assert [line["label"] for line in kept] == [151.0, 90.5]


@pytest.mark.parametrize("given", ["151", True, -1, 500.5, None, [151], {}])
def test_what_is_no_number_of_the_target_is_told_with_its_place_and_its_cure(given: object) -> None:
    api = Api(problem="diabetes")
    serve(api.objects, DIABETES)
    answer = api.post("/feedback", [{"record_id": "a", "label": 1}, {"record_id": "b", "label": given}])
    assert answer.status == 422
    (error,) = answer.json["errors"]
    assert (error["index"], error["field"]) == (1, "label")
    assert "expected a number in points at least 0 and at most 500" in error["reason"]
    assert not [*api.lake.list(layout.FEEDBACK)]


def test_the_model_tells_unit_range_and_level(numbers: Api) -> None:
    said = numbers.get("/model").json
    assert (said["unit"], said["target_max"], said["interval"]) == ("points", 500, {"level": 0.9})
    assert not {"classes", "positive", "threshold"} & set(said)


def test_a_reply_is_never_longer_than_what_is_reckoned_with(numbers: Api) -> None:
    said = numbers.predict(PATIENT, id="\U0001f600" * 256)
    assert len(said.text.encode()) <= numbers.serving.champion().reply_bytes


def replies(api: Api) -> dict[str, Any]:
    return {
        "Prediction": api.predict(PATIENT).json,
        "Explanation": api.post("/explain", {"features": PATIENT}).json,
        "InvocationsReply": api.post("/invocations", {"instances": [PATIENT]}).json,
        "Model": api.get("/model").json,
    }


def test_the_document_describes_the_replies_and_names_no_class(numbers: Api) -> None:
    document = numbers.get("/openapi.json").json
    schemas = document["components"]["schemas"]
    for name, reply in replies(numbers).items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(reply)
        assert set(schemas[name]["properties"]) == set(reply), name
    assert not {"Label", "Probabilities"} & set(schemas)
    text = json.dumps(document)
    assert "#/components/schemas/Label" not in text
    assert "robabilit" not in text.replace("What the probabilities let expect before labels come", "")


def test_the_example_of_feedback_is_a_number_that_is_accepted(numbers: Api) -> None:
    content = numbers.get("/openapi.json").json["paths"]["/feedback"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert numbers.post("/feedback", example["value"]).status == 202


@pytest.mark.parametrize("contract", [DIABETES, RATIOS], ids=["linear", "log"])
def test_every_reference_of_the_document_leads_somewhere(contract: Contract) -> None:
    document = openapi.document(ROUTES, contract)
    named = set(document["components"]["schemas"])
    text = json.dumps(document)
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= named


def test_a_release_without_an_interval_is_refused() -> None:
    api = Api(problem="diabetes")
    version = seal_release(api.objects, DIABETES, info={"interval": None})
    promote(api.objects, "diabetes", version)
    with pytest.raises(ReleaseError, match="its interval must have level, low, high and scale"):
        load(api.objects, PointerEntry(version, SINCE, "run-1"))


def test_an_end_that_float32_does_not_hold_is_the_largest_that_it_does() -> None:
    open_ended = Contract.from_toml(TEXT.replace("target_min  = 0\n", "").replace("target_max  = 500\n", ""))
    api = Api(problem="diabetes")
    version = seal_release(
        api.objects, open_ended, info={"interval": {"level": 0.9, "low": -1e39, "high": 1e39, "scale": "linear"}}
    )
    promote(api.objects, "diabetes", version)
    said = api.predict(PATIENT).json["interval"]
    assert np.isfinite([said["low"], said["high"]]).all()


@pytest.mark.parametrize("strategy", ["shadow", "canary"])
def test_a_challenger_s_numbers_are_logged_so_that_its_trial_can_be_judged(
    numbers: Api, lines: Lines, strategy: Any
) -> None:
    contract = numbers.serving.champion().contract
    other = seal_release(numbers.objects, contract, linear_onnx(contract, scale=0.02))
    challenge(numbers.objects, "diabetes", other, strategy, 1.0)
    numbers.clock.move(61)
    said = numbers.predict(PATIENT).json
    assert (said["model"]["version"] == other) == (strategy == "canary")
    (line,) = lines(EVENT_SHADOW if strategy == "shadow" else EVENT_PREDICTION)
    assert read_line(line)
    assert line["value"] != line.get("champion", {}).get("value")
