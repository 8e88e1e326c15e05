"""A challenger answers its share, or none; whatever it does, no caller sees a fault of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio import names
from andamio.contract import Contract
from andamio.release.model import Model
from andamio.release.pointer import read_pointer
from lambdas.api.champion.challenger import Challenger
from rollout.promote import promote
from rollout.rollback import roll_back
from tests.support.api import Api, ToldClock
from tests.support.own_code import problem
from tests.support.releases import challenge, heart, linear_onnx, seal_release, serve
from tests.unit.api.conftest import LOAN, PATIENT, loans

Lines = Callable[[str], list[dict[str, Any]]]


def on_trial(api: Api, strategy: Any = "canary", share: float = 0.5, **model: Any) -> str:
    """Another model of the same contract on trial; returns its version."""
    version = seal_release(api.objects, heart(), linear_onnx(heart(), **({"favour": 1} | model)))
    challenge(api.objects, "heart", version, strategy, share)
    api.clock.move(61)
    return version


@pytest.fixture
def champion(api: Api) -> str:
    return str(api.get("/version").json["release"])


def versions(api: Api, ids: range) -> list[str]:
    records = [{"features": PATIENT, "id": f"visit-{one}"} for one in ids]
    return [one["model"]["version"] for one in api.post("/predict/batch", {"records": records}).json["predictions"]]


def test_a_canary_answers_its_share_and_the_same_id_always_meets_the_same_model(api: Api, champion: str) -> None:
    challenger = on_trial(api, share=0.1)
    met = versions(api, range(1000)) + versions(api, range(1000, 2000))
    answered = met.count(challenger)
    assert met.count(champion) == 2000 - answered
    four_sigmas = 4 * math.sqrt(2000 * 0.1 * 0.9)
    assert abs(answered - 200) < four_sigmas
    assert versions(api, range(1000)) == met[:1000]
    for one in (0, 1, met.index(challenger)):
        assert api.predict(PATIENT, id=f"visit-{one}").json["model"]["version"] == met[one]


def test_without_an_id_a_share_of_the_predictions_is_answered(api: Api, champion: str) -> None:
    challenger = on_trial(api, share=0.5)
    met = [one["model"]["version"] for _ in range(3) for one in _anonymous(api, 300)]
    assert abs(met.count(challenger) - 450) < 4 * math.sqrt(900 * 0.25)


def _anonymous(api: Api, count: int) -> list[dict[str, Any]]:
    answer = api.post("/predict/batch", {"records": [{"features": PATIENT}] * count})
    found: list[dict[str, Any]] = answer.json["predictions"]
    return found


@given(st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**63 - 1)), st.floats(0.01, 0.5))
def test_an_id_is_the_challengers_whatever_prediction_it_is(record: str | int, share: float) -> None:
    one = Challenger(None, "r-1", "canary", share)  # type: ignore[arg-type]
    assert len({one.answers(record, prediction) for prediction in ("a", "b", "c")}) == 1
    wider = Challenger(None, "r-1", "canary", 1.0)  # type: ignore[arg-type]
    assert wider.answers(record, "a")
    assert not Challenger(None, "r-1", "shadow", share).answers(record, "a")  # type: ignore[arg-type]


def test_ids_that_are_one_record_are_one(api: Api) -> None:
    one = Challenger(None, "r-1", "canary", 0.5)  # type: ignore[arg-type]
    assert all(one.answers(number, "a") == one.answers(str(number), "b") for number in range(200))


def test_another_trial_takes_other_ids() -> None:
    first, second = (Challenger(None, name, "canary", 0.5) for name in ("r-1", "r-2"))  # type: ignore[arg-type]
    assert 50 < sum(first.answers(one, "") != second.answers(one, "") for one in range(200)) < 150


def test_lines_say_which_variant_answered_and_without_a_trial_none(api: Api, champion: str, lines: Lines) -> None:
    api.predict(PATIENT)
    assert "variant" not in lines(names.EVENT_PREDICTION)[0]
    challenger = on_trial(api, share=0.5)
    versions(api, range(50))
    written = lines(names.EVENT_PREDICTION)
    assert {(line["variant"], line["model"]["version"]) for line in written} == {
        ("champion", champion),
        ("challenger", challenger),
    }
    rollout = read_pointer(api.objects, "heart")[0].rollout
    assert {line["rollout"] for line in written} == {rollout}
    assert {line["validated_by"] for line in written} == {champion}, "a refused record counts as the champion's too"
    assert all(line["model_ms"] > 0 for line in written)
    assert all(line["label"] == "1" for line in written if line["variant"] == "challenger")


def test_a_shadow_scores_every_record_and_answers_none(api: Api, champion: str, lines: Lines) -> None:
    challenger = on_trial(api, "shadow", favour=1)
    assert set(versions(api, range(20))) == {champion}
    predictions, pairs = lines(names.EVENT_PREDICTION), []
    assert len(predictions) == 20
    versions(api, range(20))
    pairs = lines(names.EVENT_SHADOW)
    assert len(pairs) == 20
    assert {(pair["variant"], pair["label"], pair["model"]["version"]) for pair in pairs} == {
        ("shadow", "1", challenger)
    }
    assert all(set(pair["champion"]) == {"label", "probabilities"} for pair in pairs)


@pytest.mark.parametrize("strategy", ["canary", "shadow"])
def test_a_challenger_without_an_answer_costs_no_caller_anything(
    api: Api, champion: str, lines: Lines, strategy: str
) -> None:
    challenger = on_trial(api, strategy, silent_above=70)
    old = PATIENT | {"age": 71}
    for one in range(20):
        answer = api.predict(old, id=one)
        assert (answer.status, answer.json["model"]["version"]) == (200, champion)
    faults = lines(names.EVENT_CHALLENGER_FAILED)
    assert len(faults) == 20 if strategy == "shadow" else 4 < len(faults) < 16
    assert {(one["code"], one["release"], one["variant"], one["records"]) for one in faults} == {
        ("no-answer", challenger, "challenger", 1)
    }


def test_an_error_of_any_type_stays_with_the_challenger(
    api: Api, champion: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_trial(api, share=0.5)
    api.get("/version")
    challenger = api.serving.challenger
    assert challenger is not None
    predict = Model.predict

    def breaks(self: Model, encoded: Any) -> Any:
        if self is challenger.model.model:
            raise MemoryError(f"while {PATIENT['age']} was read")
        return predict(self, encoded)

    monkeypatch.setattr(Model, "predict", breaks)
    assert set(versions(api, range(20))) == {champion}
    (fault,) = lines(names.EVENT_CHALLENGER_FAILED)
    assert (fault["code"], fault["error"]) == ("unexpected", "MemoryError")
    assert 4 < fault["records"] < 16


def test_a_challenger_that_cannot_be_loaded_is_none_and_is_tried_at_each_look(
    api: Api, champion: str, lines: Lines
) -> None:
    version = seal_release(api.objects, heart(), linear_onnx(heart(), broken=True))
    challenge(api.objects, "heart", version)
    for looks in (1, 2):
        api.clock.move(61)
        assert set(versions(api, range(20))) == {champion}
        assert api.get("/ping").json == {"status": "ok", "challenger": "failing"}
        faults = lines(names.EVENT_CHALLENGER_FAILED)
        assert [(one["code"], one["release"]) for one in faults] == [("not-loaded", version)], looks
    assert api.get("/version").json["challenger"]["loaded"] is False


def test_a_record_that_only_the_challengers_contract_refuses_is_answered_by_the_champion(
    api: Api, champion: str, lines: Lines
) -> None:
    toml = (heart().to_json()).decode().replace('"max":120.0', '"max":60.0')
    narrow = Contract.from_json(toml)
    assert narrow != heart()
    version = seal_release(api.objects, narrow, linear_onnx(narrow, favour=1))
    challenge(api.objects, "heart", version, share=0.5)
    api.clock.move(61)
    for one in range(20):
        assert api.predict(PATIENT | {"age": 61}, id=one).json["model"]["version"] == champion
    assert {one["code"] for one in lines(names.EVENT_CHALLENGER_FAILED)} == {"record-refused"}
    assert api.predict(PATIENT | {"age": 121}, id=1).status == 422


def test_what_is_valid_does_not_depend_on_who_answers(api: Api) -> None:
    on_trial(api, share=0.5)
    refused = {api.predict(PATIENT | {"age": 121}, id=one).text for one in range(20)}
    assert len(refused) == 1
    assert "age" in refused.pop()


def test_rows_of_csv_are_the_challengers_too(api: Api, champion: str) -> None:
    challenger = on_trial(api, share=0.5)
    csv = "\n".join([",".join(PATIENT), *[",".join(map(str, PATIENT.values()))] * 60])
    answer = api.post("/invocations", csv, "text/csv")
    labels = [one["label"] for one in answer.json["predictions"]]
    assert len(labels) == 60
    assert challenger
    assert 10 < labels.count("1") < 60


def test_an_explanation_is_of_the_model_that_answers_the_record(api: Api, champion: str) -> None:
    challenger = on_trial(api, share=0.5)
    for one in range(8):
        answered = api.predict(PATIENT, id=one).json["model"]
        assert api.post("/explain", {"features": PATIENT, "id": one}).json["model"] == answered
    assert api.post("/explain", {"features": PATIENT}).json["model"]["version"] == champion
    assert challenger != champion


def test_where_the_challenger_cannot_explain_the_champion_does(api: Api, champion: str, lines: Lines) -> None:
    on_trial(api, share=0.5, silent_above=70)
    for one in range(8):
        answer = api.post("/explain", {"features": PATIENT | {"age": 71}, "id": one})
        assert (answer.status, answer.json["model"]["version"]) == (200, champion)
    assert lines(names.EVENT_CHALLENGER_FAILED)


def test_version_and_ping_show_both(api: Api, champion: str) -> None:
    assert api.get("/ping").json == {"status": "ok", "challenger": None}
    assert api.get("/version").json["challenger"] is None
    challenger = on_trial(api, share=0.25)
    shown = api.get("/version").json
    assert (shown["release"], shown["challenger"]["release"]) == (champion, challenger)
    assert (shown["challenger"]["strategy"], shown["challenger"]["share"]) == ("canary", 0.25)
    assert api.get("/ping").json == {"status": "ok", "challenger": "ok"}


@pytest.mark.parametrize("end", ["promoted", "withdrawn"])
def test_the_end_of_a_trial_is_seen_at_the_next_look(api: Api, champion: str, end: str) -> None:
    challenger = on_trial(api, share=0.5)
    assert set(versions(api, range(20))) == {champion, challenger}
    now = ToldClock().now()
    if end == "promoted":
        promote(api.objects, "heart", challenger, now, by="ada", reason="")
    else:
        roll_back(api.objects, "heart", now, by="ada", reason="")
    api.clock.move(61)
    assert set(versions(api, range(20))) == {challenger if end == "promoted" else champion}
    assert api.get("/version").json["challenger"] is None


def test_a_trial_reads_nothing_in_a_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    on_trial(api, share=0.5)
    api.get("/version")

    def read(*_: object, **__: object) -> None:
        raise AssertionError("a request read something")

    monkeypatch.setattr(type(api.objects), "get", read)
    assert len(set(versions(api, range(50)))) == 2


def test_what_either_contract_hides_is_in_no_line(
    loans_api: Api, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    now = loans()
    shut = now.hiding(["score"])
    version = seal_release(loans_api.objects, shut, linear_onnx(shut, favour=1))
    challenge(loans_api.objects, "loans", version, share=0.5)
    loans_api.clock.move(61)
    for one in range(8):
        assert loans_api.predict(LOAN | {"name": "Ada"}, id=one).status == 200
    written = capsys.readouterr().out
    assert "1990-05-17" not in written
    assert '"score"' not in written


PLAIN = """
[problem]
name = "lets"
target = "dear"
labels = { "no" = "Cheap", "yes" = "Dear" }

[features.beds]
type = "integer"
min = 0
max = 20

[features.kind]
type = "category"
values = ["flat", "room"]
"""


def test_a_line_has_the_features_of_the_release_that_answered(lines: Lines) -> None:
    """Captures of a release are read by its contract, which knows features that `prepare` made for it alone."""
    contract, code = problem()
    plain = Contract.from_toml(PLAIN)
    api = Api(problem="lets")
    serve(api.objects, plain)
    vars(api.serving)["_code"] = lambda: code
    version = seal_release(api.objects, contract, linear_onnx(contract, favour=1))
    challenge(api.objects, "lets", version, share=0.5)
    for one in range(20):
        assert api.predict({"beds": 3, "kind": "flat"}, id=one).status == 200
    by_variant = {line["variant"]: line["features"] for line in lines(names.EVENT_PREDICTION)}
    assert by_variant["champion"] == {"beds": 3, "kind": "flat"}
    assert by_variant["challenger"] == {"beds": 3, "kind": "flat", "rate": None, "more": 4, "old": 0}
