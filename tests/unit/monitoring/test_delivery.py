"""What the API logged is kept once, by its own hour, with nothing private; a delivery that fails comes again."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.errors import DataError, TableBusy
from lambdas.capture import handler as capture
from monitoring.delivery import LARGEST_DELIVERY, read, store
from tests.support.capture import NOON, PATIENT, delivery, identity, minutes, packed, prediction, rejection

REPO = Path(__file__).resolve().parents[3]
HEART = Contract.load(REPO / "problems" / "heart")
Lines = list[dict[str, Any]]


def said(**monitor: Any) -> Contract:
    return HEART.model_copy(update={"monitor": HEART.monitor.model_copy(update=monitor)})


class Kept:
    """What capture writes to, and what is there."""

    def __init__(self, contract: Contract = HEART) -> None:
        self.contract, self.lake, self.table = contract, MemoryObjects("lake"), MemoryPredictionStore()

    def __call__(self, event: dict[str, Any]) -> int:
        return store(read(event, self.contract), self.contract, self.lake, self.table)

    def lines(self, hour: str = "") -> Lines:
        found = []
        for info in self.lake.list(f"captures/{hour}"):
            assert info.key.endswith(".jsonl.gz")
            found += [json.loads(line) for line in gzip.decompress(self.lake.get(info.key).body).splitlines()]
        return found


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_lines_are_kept_by_the_hour_of_their_own_time(kept: Kept) -> None:
    """A delivery may hold the end of one hour and the beginning of another, and come in a third."""
    before = prediction(1, at=NOON - minutes(0.1))
    kept(delivery([prediction(0), before, rejection(2)]))
    assert [line["prediction_id"] for line in kept.lines("dt=2026-03-01/hour=11/")] == [identity(1)]
    assert {line["event"] for line in kept.lines("dt=2026-03-01/hour=12/")} == {
        "andamio.prediction", "andamio.rejection"
    }  # fmt: skip


def test_the_same_delivery_twice_is_one_object_and_one_item_each(kept: Kept) -> None:
    lines = [prediction(number) for number in range(5)]
    assert kept(delivery(lines)) == 1
    assert kept(delivery(lines[::-1])) == 0
    assert len(kept.lines()) == len(kept.table.items) == 5


def test_a_prediction_is_found_by_its_id_and_by_the_callers_own(kept: Kept) -> None:
    kept(delivery([prediction(0, record_id=7), prediction(1, record_id=None)]))
    item = kept.table.items[identity(0)]
    assert item["record_id"] == "7", "the index holds texts"
    assert (item["label"], item["probabilities"]) == ("1", {"0": 0.25, "1": 0.75})
    assert item["created"] == "2026-03-01T12:00:00.000+00:00"
    assert item["expires_at"] == NOON.timestamp() + HEART.batch.keep_days * 86400
    assert "features" not in item
    assert "record_id" not in kept.table.items[identity(1)]


@pytest.mark.parametrize(("given", "found"), [("7.0", "7"), (" 7 ", "7"), ("007", "007"), (" ", None)])
def test_a_record_is_listed_under_the_text_that_clients_ask_by(kept: Kept, given: str, found: str | None) -> None:
    kept(delivery([prediction(0, record_id=given)]))
    assert kept.table.items[identity(0)].get("record_id") == found


def test_what_the_contract_marks_private_is_dropped_once_more() -> None:
    """The API logs no private field of its release's contract; the deployed one may have marked another since."""
    hidden = HEART.features["age"].model_copy(update={"private": True})
    kept = Kept(HEART.model_copy(update={"features": HEART.features | {"age": hidden}}))
    kept(delivery([prediction(0)]))
    (line,) = kept.lines()
    assert line["features"] == {name: value for name, value in PATIENT.items() if name != "age"}


def test_a_rejection_is_kept_as_field_and_reason_alone(kept: Kept) -> None:
    line = rejection(0, ("chol", "out-of-range"), value=999.25, body="999.25")
    line["violations"][0] |= {"value": 999.25, "reason": "got 999.25"}
    kept(delivery([line]))
    (found,) = kept.lines()
    assert "999.25" not in json.dumps(found)
    assert found["violations"] == [{"field": "chol", "code": "out-of-range"}]
    assert not kept.table.items


def test_failures_are_kept_beside_the_records_by_kind_and_without_what_was_asked(kept: Kept) -> None:
    failed = {"event": "andamio.request", "method": "POST", "path": "/secret", "status": 503}
    kept(
        delivery(
            [
                failed | {"problem": "urn:andamio:problem:no-model"},
                failed | {"status": 422, "problem": "urn:andamio:problem:invalid-record"},  # its records have lines
                {"event": "andamio.release.refused", "release": "0123456789abcdef", "reason": "changed"},
            ]
        )
    )
    (info,) = kept.lake.list("captures/")
    assert info.key.startswith("captures/dt=2026-03-01/hour=12/failed-")
    lines = kept.lines()
    assert sorted(line["kind"] for line in lines) == ["no-model", "release-refused"]
    assert all(line.keys() == {"event", "time", "id", "kind"} for line in lines)


def test_lines_of_others_and_broken_ones_are_counted_and_cost_nothing_else(kept: Kept) -> None:
    good = prediction(0)
    broken = [
        '{"event":"andamio.prediction"',
        prediction(1, prediction_id="../../etc"),
        prediction(2, time="yesterday"),
        prediction(3, probabilities={"0": float("nan"), "1": 0.5}),
        prediction(4, model="heart"),
        rejection(5, request_id=None),
        rejection(6) | {"violations": "all of them"},
    ]
    others = ["START RequestId: 1", {"event": "andamio.request", "status": 204}, {"event": "another"}]
    found = read(delivery([*broken, good, *others]), HEART)
    assert (found.predictions, found.rejections, found.broken, found.others) == (1, 0, len(broken), len(others))
    kept(delivery([*broken, good, *others]))
    assert [line["prediction_id"] for line in kept.lines()] == [identity(0)]


def test_a_line_with_something_before_it_is_read(kept: Kept) -> None:
    """A runtime may put its time and its request's id before what a function prints."""
    kept(delivery([f"2026-03-01T12:00:00Z 1-2-3 INFO {json.dumps(prediction(0))}"]))
    assert len(kept.lines()) == 1


def test_a_question_whether_the_function_is_there_is_no_delivery(kept: Kept) -> None:
    assert kept(delivery([prediction(0)], kind="CONTROL_MESSAGE")) == 0
    assert not kept.lines()


@pytest.mark.parametrize(
    "event",
    [{}, {"awslogs": None}, {"awslogs": {"data": "no base64"}}, {"awslogs": {"data": "aGVsbG8="}}, packed([1, 2])],
)
def test_what_is_no_delivery_is_said(event: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="delivery of CloudWatch Logs"):
        read(event, HEART)


def test_a_delivery_that_is_too_large_is_not_unpacked() -> None:
    with pytest.raises(DataError, match="more than"):
        read(packed("0" * (LARGEST_DELIVERY + 1)), HEART)


def test_none_keeps_nothing_and_a_sample_keeps_what_was_not_sampled_without_its_record() -> None:
    nothing, sample = Kept(said(capture="none")), Kept(said(capture="sample"))
    event = delivery([prediction(0), prediction(1, features=None)])
    nothing(event)
    sample(event)
    assert not nothing.lines()
    assert not nothing.table.items
    assert ["features" in line for line in sorted(sample.lines(), key=lambda line: line["record_id"])] == [True, False]
    assert len(sample.table.items) == 2


class Functions:
    """The handler on stores in memory."""

    def __init__(self) -> None:
        self.kept = Kept()

    def connect(self) -> tuple[Contract, MemoryObjects, MemoryPredictionStore]:
        return self.kept.contract, self.kept.lake, self.kept.table


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Functions:
    made = Functions()
    monkeypatch.setattr(capture, "connect", made.connect)
    return made


def test_the_function_says_what_it_kept(function: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    result = capture.handler(delivery([prediction(0), rejection(1), "other"]), None)
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "andamio.capture"
    for key, value in {"predictions": 1, "rejections": 1, "broken": 0, "others": 1, "objects": 1}.items():
        assert result[key] == line[key] == value
    assert result["lag_seconds"] > 0


def test_a_table_that_refuses_makes_the_delivery_come_again(
    function: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = delivery([prediction(number) for number in range(3)])

    def busy(items: Any) -> None:
        raise TableBusy("busy")

    with monkeypatch.context() as refusing:
        refusing.setattr(function.kept.table, "put_all", busy)
        with pytest.raises(TableBusy):
            capture.handler(event, None)
    capture.handler(event, None)
    assert len(function.kept.table.items) == len(function.kept.lines()) == 3


def test_the_function_starts_without_numpy() -> None:
    """It is called for every few lines of the API."""
    script = "import sys, lambdas.capture.handler; print([name for name in ('numpy', 'boto3') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
