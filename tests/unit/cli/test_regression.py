"""The command line speaks of numbers in their unit: predictions, explanations, files, feedback and verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from andamio.cli.batches.arrow_rows import Kinds
from andamio.cli.models import api, feedback, show
from andamio.cli.models.terms import terms_of
from andamio.cli.verify import steps
from andamio.cli.verify.steps import Verification
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.errors import InputFileError, ServiceError
from andamio.feedback import read
from andamio.storage import layout
from tests.support.api import Api
from tests.support.releases import ROOT, serve
from tests.support.scoring import score_file

FOLDER = ROOT / "problems" / "diabetes"
DIABETES = Contract.load(FOLDER)
PATIENT = example_record(DIABETES)
ID = "0123456789abcdef" * 2


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Api:
    """An API in this process, which commands ask instead of a deployed one."""
    served = Api(problem="diabetes")
    serve(served.objects, DIABETES)

    def call(deployed: dict[str, Any], method: str, path: str, body: Any = None) -> Any:
        answer = served.get(path) if method == "GET" else served.post(path, body)
        assert answer.status < 300, answer.text
        return answer.json

    monkeypatch.setattr(api, "call", call)
    monkeypatch.setattr(feedback, "champion_contract", lambda deployed: DIABETES)
    return served


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(width=160, record=True, highlight=False)
    monkeypatch.setattr(show, "out", console)
    return console


def test_a_prediction_is_a_number_with_its_interval_and_unit(served: Api, printed: Console) -> None:
    reply = api.call({}, "POST", "/predict", {"features": PATIENT})
    show.prediction(reply, api.texts({}))
    text = printed.export_text()
    assert f"{reply['value']:.4g} points" in text
    assert f"{reply['interval']['high']:.4g} points  in 90% of cases" in text
    assert "%" not in text.replace("90%", "")


def test_an_explanation_is_in_the_target_s_unit(served: Api, printed: Console) -> None:
    reply = api.call({}, "POST", "/explain", {"features": PATIENT})
    show.explanation(reply)
    text = printed.export_text()
    assert "points, on average" in text
    assert "points, for this record" in text
    assert "%" not in text


@pytest.mark.parametrize(("change", "said"), [(0.0, "+0"), (-12.5, "-12.5"), (1234.5, "+1,234"), (1e-9, "+1e-09")])
def test_a_contribution_has_the_digits_of_its_size(change: float, said: str) -> None:
    assert terms_of({"value": 1.0, "unit": ""}).change(change).strip() == said


def test_a_scored_file_has_numbers_where_it_is_read_on(served: Api) -> None:
    header, first, *_ = (FOLDER / "diabetes.csv").read_text().splitlines()
    kinds = Kinds.of(score_file(DIABETES, f"{header}\n{first}\n".encode()).plan, DIABETES)
    found = {name: kinds.kind(name) for name in ("value", "interval_low", "interval_high", "prediction_id")}
    assert found == {"value": "number", "interval_low": "number", "interval_high": "number", "prediction_id": "text"}


def kept(served: Api) -> list[object]:
    return [
        one.label
        for info in served.lake.list(layout.FEEDBACK)
        for one in read(info.key, served.lake.get(info.key).body)
    ]


def test_a_label_on_the_command_line_is_sent_as_a_number(served: Api) -> None:
    feedback.send_one({}, ID, None, "151.5")
    assert kept(served) == [151.5]


def test_a_file_of_labels_is_sent_as_numbers_and_what_cannot_be_is_told_by_line(served: Api, tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(f"prediction_id,progression\n{ID},151\n{ID},501\n{ID},many\n{ID},\n")
    with pytest.raises(InputFileError) as error:
        feedback.send_file({}, file)
    assert kept(served) == [151.0]
    for line in (3, 4):
        assert f"line {line}: progression cannot be: expected a number in points at least 0 and at most 500" in str(
            error.value
        )


def test_verification_holds_a_number_to_its_interval(
    served: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    it = Verification(FOLDER, DIABETES, {}, [], {"system": "diabetes--verify"})  # type: ignore[arg-type]
    monkeypatch.setattr(Verification, "record", lambda self: PATIENT)
    assert (steps.predict(it), steps.explain(it)) == ("", "")
    wrong = {"value": 5.0, "interval": {"low": 6.0, "high": 7.0}}
    monkeypatch.setattr(api, "call", lambda *asked: wrong)
    with pytest.raises(ServiceError, match=r"in its interval, 6\.0 to 7\.0\. Got 5\.0"):
        steps.predict(it)
