"""Which records a training has: labels that came, beside the rows of the current data version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.contract.tables import Monitor
from andamio.feedback import Statement
from andamio.feedback import keep as say
from andamio.storage import layout
from monitoring.captures import compact_window
from monitoring.report import Model, Persistence, Report
from monitoring.window import Window, iso
from rollout.retraining.compare import Compared
from rollout.retraining.gather import gather
from rollout.retraining.records import keep
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.capture import identity
from tests.support.etl import Lake
from tests.support.releases import HEART_FOLDER, heart
from tests.support.watched import capture, hospital, watched_release

END = datetime(2026, 11, 27, 18, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(END - DAY, END)


class World:
    """A lake with a served release, which was asked about the records of a hospital in `WINDOW`."""

    def __init__(self, name: str = "heart-hungary", **more: Any) -> None:
        self.lake = Lake(heart())
        self.models = MemoryObjects("models")
        self.release = watched_release(self.models)
        self.hospital = hospital(name)
        self.predict(WINDOW, **more)
        self.truth = [heart().classes[index] for index in self.hospital.labels]

    def predict(self, window: Window, **more: Any) -> None:
        """The release is asked about all records of the hospital in a window."""
        capture(self.lake, MemoryPredictionStore(), window, self.hospital, self.release, **more)
        compact_window(self.lake, lambda _: heart(), window.start, window.end, 1.0)

    def label(
        self, labels: list[str], *, at: datetime = END - timedelta(minutes=1), record: bool = False, first: int = 0
    ) -> None:
        """Labels of the predictions from the first on, by their ids or by those of their records."""
        said = [
            Statement(None, f"patient-{row}", label) if record else Statement(identity(row), None, label)
            for row, label in enumerate(labels, first)
        ]
        say(self.lake, said, at, self.release)

    def ingest(self, name: str) -> None:
        """A raw file of the problem's folder becomes the current data version."""
        self.lake.drop_bytes(f"{name}.csv", (HEART_FOLDER / f"{name}.csv").read_bytes())
        assert self.lake.run()["status"] == "published"

    def gather(self, contract: Contract | None = None, window: Window = WINDOW) -> Compared:
        return gather(self.lake, self.models, contract or heart(), window, self.release)


def test_without_labels_there_is_nothing() -> None:
    found = World().gather()
    assert (found.counted.records, found.counted.new, found.counted.left_out) == (0, 0, {})
    assert found.counted.classes == {"0": 0, "1": 0}


def test_labels_of_another_hospital_are_new_and_none_of_the_first() -> None:
    world = World()
    world.ingest("heart")
    world.label(world.truth)
    counted = world.gather().counted
    assert counted.records == counted.new == len(world.truth)
    assert counted.classes == {"0": world.truth.count("0"), "1": world.truth.count("1")}
    assert (counted.equal, counted.contradicting, dict(counted.left_out)) == (0, 0, {})


def test_what_a_data_version_has_is_not_new_again_whether_captured_or_ingested() -> None:
    world = World()
    world.ingest("heart")
    world.label(world.truth[:100])
    keep(world.lake, heart(), world.gather().records)
    assert world.lake.run()["status"] == "published"
    assert world.gather().counted.new == 0
    world.label(world.truth)
    assert world.gather().counted.new == len(world.truth) - 100
    world.ingest("heart-hungary")
    counted = world.gather().counted
    assert (counted.new, counted.contradicting) == (0, 0)
    assert counted.equal == len(world.truth)


def test_labels_that_contradict_raw_rows_are_counted() -> None:
    world = World("heart")
    world.ingest("heart")
    world.label(["01"[label == "0"] for label in world.truth[:40]])
    counted = world.gather().counted
    assert (counted.equal, counted.contradicting, counted.new) == (40, 40, 0)


@pytest.mark.parametrize(("contradicts", "contradicting"), [(False, 0), (True, 60)])
@pytest.mark.parametrize("days", [0, 3], ids=["the old ones still in the window", "the old ones before it"])
def test_a_record_that_is_predicted_and_labelled_again_under_another_id_is_not_new(
    days: int, contradicts: bool, contradicting: int
) -> None:
    """Without ids of records a second prediction is a record of its own, and its row is there already."""
    world = World(record_id=None)
    world.ingest("heart")
    world.label(world.truth[:60])
    keep(world.lake, heart(), world.gather().records)
    assert world.lake.run()["status"] == "published"
    before = world.gather().counted
    assert (before.new, before.contradicting) == (0, 0)
    later = Window(WINDOW.start + days * DAY, WINDOW.end + days * DAY)
    world.predict(later, first=1000, record_id=None)
    said = ["01"[label == "0"] if contradicts else label for label in world.truth[:60]]
    world.label(said, first=1000, at=later.end - timedelta(seconds=30))
    contract = heart().model_copy(update={"monitor": Monitor(windows=3)})
    counted = world.gather(contract, later).counted
    assert (counted.records, counted.new) == (60 if days else 120, 0)
    assert counted.contradicting == contradicting


def test_the_newest_label_counts_and_a_record_counts_once() -> None:
    world = World()
    world.label(["0"] * 10)
    world.label(["1"] * 10, at=END - timedelta(seconds=30), record=True)
    records = world.gather().records
    assert sorted(records.names) == sorted(f"record patient-{row}" for row in range(10))
    assert records.labels == [heart().problem.labels["1"].values[0]] * 10


def test_labels_of_records_that_were_not_kept_are_counted() -> None:
    world = World()
    said = [Statement("f" * 32, None, "1"), Statement(None, "nobody", "0")]
    say(world.lake, said, END - timedelta(minutes=1), world.release)
    world.label(["1"])
    counted = world.gather().counted
    assert (counted.records, dict(counted.left_out)) == (1, {"not kept": 2})


def test_a_data_version_that_cannot_be_read_costs_the_answer_and_not_the_report() -> None:
    world = World()
    world.label(world.truth)
    world.lake.put(layout.CURRENT_DATASET, b"not a document")
    persistent = Persistence(windows=1, needed=1, looked_at=[], with_drift=[iso(END)], persistent=True)
    model = Model(release=world.release, since=iso(END), run="run")
    report = Report.model_construct(alarms=["drift"], persistence=persistent, data=None, performance=None, model=model)
    found = ContractRetrainer(world.lake, world.models, heart()).consider(report, WINDOW, END)
    assert found.status == "missing"
    assert layout.CURRENT_DATASET in found.message


def test_private_features_keep_all_records_out() -> None:
    world = World()
    world.label(world.truth[:60])
    counted = world.gather(heart().hiding(["age"])).counted
    assert (counted.records, dict(counted.left_out)) == (0, {"private": 60})


def test_what_another_prepare_made_is_no_record_of_this_one() -> None:
    world = World()
    world.label(world.truth[:60])
    counted = world.gather(heart().model_copy(update={"prepare": "b" * 64})).counted
    assert (counted.records, dict(counted.left_out)) == (0, {"contract": 60})


def test_a_release_that_is_gone_costs_its_records() -> None:
    world = World()
    world.label(world.truth[:60])
    world.models = MemoryObjects("models")
    counted = world.gather().counted
    assert counted.records == 0
    assert counted.left_out["not kept"] == 60


@pytest.mark.parametrize(("days", "found"), [(2, 60), (3, 0)])
def test_the_windows_that_persistence_looks_at_are_read(days: int, found: int) -> None:
    world = World()
    world.label(world.truth[:60])
    later = Window(WINDOW.start + days * DAY, WINDOW.end + days * DAY)
    contract = heart().model_copy(update={"monitor": Monitor(windows=3)})
    assert world.gather(contract, later).counted.records == found
