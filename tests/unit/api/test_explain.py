"""POST /explain: why this prediction, in numbers that add up, and nothing that is private."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from andamio import names
from andamio.contract import Contract
from andamio.release.samples import ReferenceRows
from andamio.storage import layout
from tests.support.api import Api
from tests.support.releases import heart, linear_onnx, promote, reference_document, seal_release, serve
from tests.unit.api.conftest import LOAN, PATIENT, loans

Lines = Callable[[str], list[dict[str, Any]]]


def explain(api: Api, features: object, **more: object) -> Any:
    answer = api.post("/explain", {"features": features, **more})
    assert answer.status == 200, answer.text
    return answer.json


def silent() -> Contract:
    """Heart's contract, with explanations turned off."""
    said = heart().model_dump(mode="json", exclude_none=True)
    said["release"]["explanations"] = False
    return Contract.from_json(json.dumps(said))


def test_contributions_sum_to_probability_minus_average(api: Api, loans_api: Api) -> None:
    for said in (explain(api, PATIENT), explain(loans_api, LOAN)):
        total = sum(item["contribution"] for item in said["contributions"])
        assert total == pytest.approx(said["probability"] - said["average"], abs=1e-3)
        sizes = [abs(item["contribution"]) for item in said["contributions"]]
        assert sizes == sorted(sizes, reverse=True)


def test_it_explains_the_very_prediction_that_predict_makes(api: Api, loans_api: Api) -> None:
    for served, record in ((api, PATIENT), (loans_api, LOAN)):
        said, predicted = explain(served, record, id="visit-17"), served.predict(record).json
        assert said["probability"] == predicted["probabilities"][said["class"]]
        for key in ("label", "label_text", "model"):
            assert said[key] == predicted[key]
        assert said["record_id"] == "visit-17"


def test_a_feature_that_the_model_ignores_contributes_nothing_and_is_named() -> None:
    api = Api()
    promote(api.objects, "heart", seal_release(api.objects, heart(), ignored=["chol", "fbs"]))
    said = explain(api, {**PATIENT, "chol": 700, "fbs": 1})
    contributions = {item["feature"]: item["contribution"] for item in said["contributions"]}
    assert (contributions["chol"], contributions["fbs"]) == (0, 0)
    assert set(contributions) == set(heart().inputs)
    assert said["method"]["held"] == []
    assert api.get("/model").json["ignored"] == ["chol", "fbs"]


def test_of_two_classes_the_positive_one_is_explained_of_more_the_predicted_one(api: Api, loans_api: Api) -> None:
    said = explain(api, PATIENT)
    assert (said["label"], said["class"], said["class_text"]) == ("0", "1", "Heart disease detected")
    said = explain(loans_api, LOAN)
    assert said["class"] == said["label"]


def test_every_feature_of_heart_has_its_share_with_the_value_that_was_read(api: Api) -> None:
    said = explain(api, {name: PATIENT[name] for name in ("age", "sex", "cp", "oldpeak")})
    values = {item["feature"]: item["value"] for item in said["contributions"]}
    assert set(values) == set(heart().inputs)
    assert (values["age"], values["cp"], values["oldpeak"], values["chol"]) == (67, "4", 1.5, None)
    assert said["method"]["held"] == []
    assert said["method"]["reference_rows"] == 40


def test_the_same_request_has_the_same_answer_from_any_instance(api: Api) -> None:
    first = explain(api, PATIENT)
    assert explain(api, PATIENT) == first
    again = Api(objects=api.objects)
    assert explain(again, PATIENT | {"cp": " 4 ", "age": 67.0}) == first
    assert explain(api, PATIENT | {"age": 40})["contributions"] != first["contributions"]


def test_private_features_are_neither_answered_nor_logged(loans_api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    loan = LOAN | {"name": "Grace Hopper", "born_on": "1906-12-09"}
    answer = loans_api.post("/explain", {"features": loan})
    assert answer.status == 200
    written = capsys.readouterr().out
    for said in (answer.text, written):
        assert "Grace" not in said
        assert "1906" not in said
    assert answer.json["method"]["held"] == ["name", "born_on"]
    assert {"name", "born_on"}.isdisjoint(item["feature"] for item in answer.json["contributions"])


def test_one_line_is_logged_and_it_is_no_prediction(api: Api, lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    said = explain(api, PATIENT, id=5)
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "release.loaded" not in text]
    assert line["event"] == names.EVENT_EXPLANATION
    assert (line["record_id"], line["label"], line["average"]) == (5, said["label"], said["average"])
    assert set(line["contributions"]) == set(heart().inputs)
    assert line["duration_ms"] > 0


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"features": PATIENT | {"age": -1}}, 422, "age"),
        ({"features": {}}, 422, "age"),
        ({"features": PATIENT, "class": "1"}, 422, "class"),
        ([PATIENT], 422, None),
        ("{", 400, None),
    ],
)
def test_what_is_wrong_is_said_as_predict_says_it(api: Api, body: object, status: int, field: str | None) -> None:
    answer, predicted = api.post("/explain", body), api.post("/predict", body)
    assert answer.status == status
    assert answer.json == predicted.json
    if field:
        assert answer.json["errors"][0]["field"] == field
        assert "index" not in answer.json["errors"][0]


def test_turned_off_in_the_contract_it_is_a_404_that_says_how_to_turn_it_on() -> None:
    api = Api()
    serve(api.objects, silent())
    answer = api.post("/explain", {"features": PATIENT})
    assert answer.status == 404
    assert answer.json["type"].endswith("no-explanations")
    assert "[release] explanations" in answer.json["detail"]
    assert api.predict(PATIENT).status == 200


def test_a_client_can_tell_so_turning_it_off_is_another_model_to_serve() -> None:
    assert silent().served_digest != heart().served_digest


def test_a_release_without_reference_rows_says_so_and_goes_on_predicting() -> None:
    api = Api()
    version = seal_release(api.objects, heart(), changed={"reference.json": ReferenceRows(0, {}).to_json()})
    promote(api.objects, "heart", version)
    answer = api.post("/explain", {"features": PATIENT})
    assert answer.status == 503
    assert answer.json["type"].endswith("no-reference")
    assert version in answer.json["detail"]
    assert api.predict(PATIENT).status == 200


def test_reference_rows_that_are_none_are_refused() -> None:
    api = Api()
    promote(api.objects, "heart", seal_release(api.objects, heart(), changed={"reference.json": b"{}"}))
    answer = api.post("/explain", {"features": PATIENT})
    assert answer.status == 503
    assert answer.json["type"].endswith("release")
    assert api.predict(PATIENT).status == 200


def test_reference_rows_that_were_changed_after_sealing_are_refused(api: Api) -> None:
    version = api.predict(PATIENT).json["model"]["version"]
    other = reference_document(heart(), rows=41).to_json()
    api.objects.put(layout.release(version, "reference.json"), other)
    answer = api.post("/explain", {"features": PATIENT})
    assert answer.status == 503
    assert answer.json["type"].endswith("release")
    assert api.predict(PATIENT).status == 200


def test_reference_rows_are_read_by_the_first_explanation_and_by_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = api.objects.get

    def watched(key: str, *, version: str | None = None) -> Any:
        read.append(key)
        return plain(key, version=version)

    monkeypatch.setattr(api.objects, "get", watched)
    api.predict(PATIENT)
    assert not [key for key in read if "reference" in key]
    for _ in range(3):
        explain(api, PATIENT)
    assert len([key for key in read if "reference" in key]) == 1


def test_a_new_champion_brings_its_own_reference(api: Api) -> None:
    first = explain(api, PATIENT)
    changed = {"reference.json": reference_document(heart(), rows=60).to_json()}
    version = seal_release(api.objects, heart(), linear_onnx(heart(), scale=0.02), changed=changed)
    promote(api.objects, "heart", version)
    api.clock.move(60)
    second = explain(api, PATIENT)
    assert second["model"]["version"] == version
    assert (first["method"]["reference_rows"], second["method"]["reference_rows"]) == (40, 60)


def test_of_many_reference_rows_a_part_is_taken_and_one_average_holds_for_the_release(api: Api) -> None:
    changed = {"reference.json": reference_document(heart(), rows=1000).to_json()}
    promote(api.objects, "heart", seal_release(api.objects, heart(), changed=changed))
    old, young = explain(api, PATIENT), explain(api, PATIENT | {"age": 30})
    assert old["average"] == pytest.approx(young["average"], abs=1e-6)
    assert 100 < old["method"]["reference_rows"] < 1000
    assert old["method"]["evaluations"] <= 12_000


def test_without_a_model_it_says_what_to_do() -> None:
    assert Api().post("/explain", {"features": PATIENT}).status == 503


def test_ages_of_reference_rows_are_their_own() -> None:
    said = loans().model_dump(mode="json", exclude_none=True)
    said["features"]["born_on"]["private"] = False
    open_ = Contract.from_json(json.dumps(said))
    api = Api(problem="loans")
    serve(api.objects, open_)
    shown = explain(api, LOAN | {"asked_at": "2026-05-17"})
    assert shown["method"]["held"] == ["name"]
    assert next(item["value"] for item in shown["contributions"] if item["feature"] == "born_on") == "1990-05-17"
