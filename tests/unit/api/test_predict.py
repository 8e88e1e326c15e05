from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from andamio.contract import Contract
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from tests.support.api import Answer, Api, event
from tests.support.releases import heart, linear_onnx, serve
from tests.unit.api.conftest import LOAN, PATIENT


def test_the_request_of_the_course_works_as_it_is(api: Api) -> None:
    version = serve(api.objects, heart(), linear_onnx(heart(), favour=1))
    answer = api.send(event("api-predict"))
    assert answer.status == 200
    said = answer.json
    assert list(said) == ["prediction_id", "record_id", "label", "label_text", "probabilities", "model", "audit"]
    assert said["record_id"] is None
    assert (said["label"], said["label_text"]) == ("1", "Heart disease detected")
    assert list(said["probabilities"]) == ["0", "1"]
    assert sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert said["model"] == {"name": "heart", "version": version}


def test_the_answer_is_the_release_s_own(api: Api) -> None:
    contract = heart()
    model = api.serving.champion().model
    expected = model.predict(encode(contract, parse_records(contract, [PATIENT])))[0].tolist()
    assert list(api.predict(PATIENT).json["probabilities"].values()) == expected


def test_a_prediction_id_is_new_each_time_and_never_the_caller_s(api: Api) -> None:
    answers = [api.predict(PATIENT, id="mine").json for _ in range(20)]
    assert len({said["prediction_id"] for said in answers}) == 20
    assert {said["record_id"] for said in answers} == {"mine"}


@pytest.mark.parametrize("given", ["visit-17", "x" * 256, "ñ", 0, -5, 2**63 - 1, None])
def test_the_caller_s_id_comes_back_as_it_is(api: Api, given: str | int | None) -> None:
    said = api.predict(PATIENT, id=given).json
    assert said["record_id"] == given
    assert type(said["record_id"]) is type(given)


@pytest.mark.parametrize("given", ["", "x" * 257, 2**63, -(2**63) - 1, 1.5, True, ["a"], {"a": 1}])
def test_an_id_that_could_not_be_kept_is_refused(api: Api, given: object) -> None:
    answer = api.predict(PATIENT, id=given)
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["id"]


def test_fields_that_may_be_missing_may_be_left_out_or_null(api: Api) -> None:
    short = {name: PATIENT[name] for name in ("age", "sex", "cp")}
    left_out, null = api.predict(short), api.predict(short | {"chol": None, "thal": None})
    assert left_out.status == null.status == 200
    assert left_out.json["probabilities"] == null.json["probabilities"]


@pytest.mark.parametrize("spelled", [4, 4.0, "4", " 4 "])
def test_a_category_is_one_value_however_it_is_written(api: Api, spelled: object) -> None:
    assert api.predict(PATIENT | {"cp": spelled}).json["probabilities"] == api.predict(PATIENT).json["probabilities"]


@pytest.mark.parametrize(("threshold", "label"), [(0.5, "0"), (0.1, "1")])
def test_the_label_follows_the_release_s_threshold_and_not_the_largest_probability(
    threshold: float, label: str
) -> None:
    api = Api()
    serve(api.objects, heart(), threshold=threshold)
    said = api.predict(PATIENT).json
    assert 0.1 < said["probabilities"]["1"] < 0.5
    assert said["label"] == label
    assert said["label_text"] == heart().texts[label]


def test_every_type_of_feature_and_more_than_two_classes_are_served(loans_api: Api) -> None:
    said = loans_api.predict(LOAN).json
    assert set(said["probabilities"]) == {"paid", "late", "lost"}
    assert said["label"] == max(said["probabilities"], key=said["probabilities"].__getitem__)


def test_a_batch_answers_record_by_record_in_order(api: Api) -> None:
    ages = list(range(30, 60))
    records = [{"features": PATIENT | {"age": age}, "id": age} for age in ages]
    said = api.post("/predict/batch", {"records": records}).json["predictions"]
    assert [row["record_id"] for row in said] == ages
    for age, row in zip(ages, said, strict=True):
        alone = api.predict(PATIENT | {"age": age}).json
        assert row["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)
        assert set(row) == set(alone)


def test_a_batch_takes_a_thousand_records_and_no_more(api: Api) -> None:
    record = {"features": PATIENT}
    assert len(api.post("/predict/batch", {"records": [record] * 1000}).json["predictions"]) == 1000
    for count in (0, 1001):
        answer = api.post("/predict/batch", {"records": [record] * count})
        assert answer.status == 422
        assert f"got {count}" in answer.json["detail"]


MANY_CLASSES = """
[problem]
name = "many"
target = "species"
labels = {labels}

[features.size]
type = "number"
"""


def many_classes(count: int) -> Contract:
    labels = ", ".join(f'"{number} {"name of a species " * 4}" = "Species \\"{number}\\""' for number in range(count))
    return Contract.from_toml(MANY_CLASSES.replace("{labels}", f"{{ {labels} }}"))


@pytest.mark.parametrize("form", ["/predict/batch", "/invocations"])
def test_an_answer_that_lambda_would_not_carry_is_a_413_that_says_how_many_records_fit(
    form: str, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    api = Api(problem="many")
    serve(api.objects, many_classes(100))

    def ask(count: int) -> Answer:
        one = {"size": 1.5}
        body = {"records": [{"features": one}] * count} if form == "/predict/batch" else {"instances": [one] * count}
        return api.post(form, body)

    answer = ask(1000)
    assert answer.status == 413
    assert answer.json["type"].endswith("reply-too-large")
    assert lines("andamio.prediction") == []
    (fits,) = map(int, re.findall(r"at most ([0-9]+) records at a time", answer.json["detail"]))
    assert 100 < fits < 1000
    fitting = ask(fits)
    assert fitting.status == 200
    assert len(json.dumps(fitting.text)) < 6 * 2**20


def test_no_prediction_is_longer_than_what_is_reckoned_with(api: Api) -> None:
    champion = api.serving.champion()
    answer = api.predict(PATIENT, id="\U0001f600" * 256)
    assert len(json.dumps(answer.text)) - 2 <= champion.reply_bytes


def test_one_wrong_record_and_nothing_of_the_batch_is_predicted(api: Api) -> None:
    wrong = {"features": PATIENT | {"age": -1}}
    records = [{"features": PATIENT}, wrong, {"features": PATIENT}, {"features": {}}]
    answer = api.post("/predict/batch", {"records": records})
    assert answer.status == 422
    assert "predictions" not in answer.json
    found = {(error["index"], error["field"]) for error in answer.json["errors"]}
    assert found == {(1, "age"), (3, "age"), (3, "sex"), (3, "cp")}


MANY_DIGITS = Contract.from_toml("""
[problem]
name = "parts"
target = "grade"
labels = { a = "A", b = "B" }
[features.kind]
type = "category"
values = ["12345678901234567890", "100000000000000000000000"]
[features.size]
type = "number"
required = false
""")


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("12345678901234567890.0", 200),
        ("1234567890123456789e1", 200),
        ("1e23", 200),
        ("12345678901234567891.0", 422),  # the same float
        ("1.00000000000000000000001e23", 422),
        ("1e999", 422),
    ],
)
def test_a_category_of_many_digits_is_not_its_neighbour(written: str, status: int, lines: Any) -> None:
    api = Api(problem="parts")
    serve(api.objects, MANY_DIGITS)
    assert api.post("/predict", f'{{"features": {{"kind": {written}, "size": {written[:3]}}}}}').status == status
    body = f'{{"dataframe_records": [{{"kind": {written}, "size": 0.12345678901234567890}}]}}'
    assert api.post("/invocations", body).status == status
    assert [line["features"]["kind"] for line in lines("andamio.prediction")] == (
        [10**23] * 2 if written == "1e23" else [12345678901234567890] * 2 if status == 200 else []
    )


def test_an_id_beyond_what_a_float_holds_comes_back_as_it_was_sent(api: Api) -> None:
    features = json.dumps(PATIENT)
    for written, expected in (("9007199254740993.0", 9007199254740993), ("1e18", 10**18), ("7.0", 7)):
        answer = api.post("/predict", f'{{"features": {features}, "id": {written}}}')
        assert (answer.status, answer.json["record_id"]) == (200, expected)
    for written in ("1e20", "9007199254740993.5", "5.00000000000000000001", "5.5"):
        assert api.post("/predict", f'{{"features": {features}, "id": {written}}}').status == 422
