"""Which label counts for which prediction, and which labels have none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.columns import CapturedRows
from andamio.contract.task import Classification
from andamio.errors import DocumentError
from andamio.feedback import Feedback, Statement, keep
from andamio.storage import layout
from monitoring import feedback as joining
from monitoring.feedback import Joined, Lookup, StoredPredictions, join, read_feedback

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLASSES = ("healthy", "ill")
TASK = Classification(CLASSES, 1)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def rows(*predictions: tuple[str, str | None, float], truth: Sequence[int] = ()) -> CapturedRows:
    """Captured rows: id, record id, minutes after noon."""
    count = len(predictions)
    return CapturedRows(
        ids=[one for one, _, _ in predictions],
        record_ids=[record for _, record, _ in predictions],
        times=np.array([at(when).replace(tzinfo=None) for _, _, when in predictions], dtype="datetime64[ms]"),
        sources=["predict"] * count,
        model_versions=["v1"] * count,
        labels=np.zeros(count, dtype=np.int64),
        probabilities=np.full((count, 2), 0.5, dtype=np.float32),
        audit=np.zeros(count, dtype=np.bool_),
        truth=np.array(truth or [-1] * count, dtype=np.int64),
        columns={},
    )


def of_prediction(prediction: str, label: str, minutes: float) -> Feedback:
    return Feedback(prediction, None, label, at(minutes), "v1")


def of_record(record: str, label: str, minutes: float) -> Feedback:
    return Feedback(None, record, label, at(minutes), "v1")


def joined(captured: CapturedRows, *said: Feedback) -> Joined:
    return join(captured, said, TASK)


def labels(found: Joined) -> dict[int, str]:
    return {int(row): CLASSES[label] for row, label in zip(found.rows, found.labels, strict=True)}


# Which label counts


def test_a_label_is_of_the_prediction_that_it_names() -> None:
    found = joined(rows(("a", None, 0), ("b", None, 1), ("c", None, 2)), of_prediction("b", "ill", 60))
    assert labels(found) == {1: "ill"}
    assert found.received.tolist() == [at(60).replace(tzinfo=None)]
    assert (found.elsewhere, found.unknown) == (0, 0)


def test_of_two_labels_of_a_prediction_the_later_one_counts() -> None:
    captured = rows(("a", "r", 0))
    assert labels(joined(captured, of_prediction("a", "ill", 1), of_prediction("a", "healthy", 2))) == {0: "healthy"}
    assert labels(joined(captured, of_prediction("a", "ill", 1), of_record("r", "healthy", 2))) == {0: "healthy"}
    assert labels(joined(captured, of_record("r", "healthy", 1), of_prediction("a", "ill", 2))) == {0: "ill"}
    assert labels(joined(captured, of_prediction("a", "ill", 1), of_prediction("a", "healthy", 1))) == {0: "healthy"}


def test_a_record_s_label_is_of_its_newest_prediction_before_the_label() -> None:
    captured = rows(("late", "r", 30), ("early", "r", 10), ("other", "s", 20))
    assert labels(joined(captured, of_record("r", "ill", 20))) == {1: "ill"}
    assert labels(joined(captured, of_record("r", "ill", 20), of_record("r", "healthy", 40))) == {
        1: "ill",
        0: "healthy",
    }
    before = joined(captured, of_record("r", "ill", 5))
    assert (labels(before), before.elsewhere) == ({}, 1)


def test_a_record_is_the_same_however_its_id_was_written() -> None:
    assert labels(joined(rows(("a", "7.0", 0)), of_record("7", "ill", 1))) == {0: "ill"}


def test_the_labels_of_a_batch_s_file_join_and_a_later_statement_wins() -> None:
    captured = rows(("b-2", None, 0), ("b-3", None, 0), ("b-4", None, 0), truth=[1, 0, -1])
    found = joined(captured, of_prediction("b-2", "healthy", 10), of_prediction("b-3", "ill", -10))
    assert labels(found) == {0: "healthy", 1: "healthy"}
    assert found.received.tolist() == [at(10).replace(tzinfo=None), at(0).replace(tzinfo=None)]


def test_a_label_of_no_class_of_this_release_is_counted_and_hides_the_one_before() -> None:
    found = joined(rows(("a", None, 0)), of_prediction("a", "ill", 1), of_prediction("a", "unsure", 2))
    assert (labels(found), found.unknown) == ({}, 1)


def test_it_is_what_looking_at_every_pair_gives() -> None:
    """The rule, spelled out one label after another, on small worlds in which everything collides."""
    draw = random.Random(0)
    for _ in range(300):
        captured = rows(
            *[(f"p{n}", draw.choice([None, "r", "s"]), draw.randrange(6)) for n in range(draw.randrange(1, 6))],
        )
        captured.truth = np.array([draw.choice([-1, -1, 0, 1]) for _ in captured.ids])
        said = sorted(
            (
                of_prediction(f"p{draw.randrange(7)}", draw.choice(CLASSES), draw.randrange(8))
                if draw.random() < 0.5
                else of_record(draw.choice("rst"), draw.choice(CLASSES), draw.randrange(8))
                for _ in range(draw.randrange(6))
            ),
            key=lambda one: one.received,
        )
        truth = captured.truth.tolist()
        expected = {row: (made, truth[row]) for row, made in enumerate(times(captured)) if truth[row] >= 0}
        taken: dict[int, set[int]] = {}
        for one in said:
            row = subject(captured, one)
            if row is not None and (row not in expected or one.received >= expected[row][0]):
                if row in expected and one.received == expected[row][0] and row in taken:
                    taken[row].add(CLASSES.index(one.label))
                else:
                    taken[row] = {CLASSES.index(one.label)}
                expected[row] = (one.received, CLASSES.index(one.label))
        found = joined(captured, *said)
        assert {int(row) for row in found.rows} == set(expected)
        for row, label in zip(found.rows.tolist(), found.labels.tolist(), strict=True):
            assert label in taken.get(row, {expected[row][1]}), "of labels of one moment any may count"


def times(captured: CapturedRows) -> list[datetime]:
    return [moment.replace(tzinfo=UTC) for moment in captured.times.tolist()]


def subject(captured: CapturedRows, one: Feedback) -> int | None:
    if one.prediction_id is not None:
        return captured.ids.index(one.prediction_id) if one.prediction_id in captured.ids else None
    made = [
        (when, row)
        for row, (record, when) in enumerate(zip(captured.record_ids, times(captured), strict=True))
        if record == one.record_id and when <= one.received
    ]
    newest = max((when for when, _ in made), default=None)
    return max((row for when, row in made if when == newest), default=None)


# Labels without a prediction


def stored() -> StoredPredictions:
    table, batches = MemoryPredictionStore(), MemoryObjects()
    item = {"prediction_id": "in-table", "record_id": "r", "created": at(0).isoformat()}
    table.put_all([item])
    batches.put(layout.batch("20261121T100000-0123456789ab", "plan.json"), b"{}")
    return StoredPredictions(table, batches)


def lookup(store: StoredPredictions, **more: Any) -> Lookup:
    """Of what came within a day of noon."""
    day, year = timedelta(days=1), timedelta(days=365)
    return replace(Lookup(store, at(0) - day, at(0) + day, year, 2 * year), **more)


def test_an_orphan_is_old_and_found_nowhere() -> None:
    said = [
        of_prediction("in-table", "ill", 0),
        of_prediction("20261121T100000-0123456789ab-17", "ill", 0),
        of_prediction("20261121T100000-0123456789ac-17", "ill", 0),
        of_prediction("0" * 32, "ill", 0),
        of_record("r", "ill", 1),
        of_record("r", "ill", -1),
        of_record("r", "ill", -2),
        of_record("unknown", "ill", 1),
        of_prediction("1" * 32, "ill", 24 * 60),
    ]
    found = join(rows(), said, TASK, lookup(stored()))
    assert (found.elsewhere, found.orphans, found.looked_up) == (9, 5, 8)
    assert join(rows(), said, TASK).orphans == 0, "nobody looked"


def test_a_label_that_came_when_no_window_looks_at_its_prediction_any_more_is_late() -> None:
    said = [
        of_prediction("in-table", "ill", 300),
        of_prediction("in-table-too", "ill", 299),
        of_record("r", "ill", 600),
        of_prediction("20261121T100000-0123456789ab-17", "ill", 180),
        of_prediction("0" * 32, "ill", 600),
    ]
    store = stored()
    store.table.put_all([{"prediction_id": "in-table-too", "created": at(0).isoformat()}])
    found = join(rows(), said, TASK, lookup(store, useless=timedelta(hours=5)))
    assert (found.late, found.orphans) == (3, 1)


def test_what_may_have_been_predicted_and_is_no_longer_kept_is_no_orphan() -> None:
    said = [
        of_prediction("20260821T100000-0123456789ac-17", "ill", 0),
        of_prediction("20261120T100000-0123456789ac-17", "ill", 0),
        of_prediction("0" * 32, "ill", 0),
        of_record("unknown", "ill", 1),
    ]
    month = {"kept": timedelta(days=30), "useless": timedelta(days=1)}
    assert join(rows(), said, TASK, lookup(stored(), **month)).orphans == 3
    assert join(rows(), said, TASK, lookup(stored(), **month, records=False)).orphans == 2
    assert join(rows(), said, TASK, lookup(stored(), kept=timedelta(days=30))).orphans == 0


def test_labels_that_an_earlier_window_looked_up_are_not_looked_up_again() -> None:
    said = [of_prediction("0" * 32, "ill", -60), of_prediction("1" * 32, "ill", 60)]
    assert join(rows(), said, TASK, lookup(stored(), since=at(0))).looked_up == 1


def test_of_many_labels_without_a_prediction_a_sample_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MOST_LOOKED_UP", 200)
    store = stored()
    store.table.put_all([{"prediction_id": f"{n:032x}", "created": at(0).isoformat()} for n in range(1500)])
    said = [of_prediction(f"{n:032x}", "ill", 0) for n in range(2000)]
    found = join(rows(), said, TASK, lookup(store))
    assert found.looked_up == 200
    assert found.orphans == pytest.approx(500, abs=250)


# Reading


def test_labels_are_read_in_the_order_in_which_they_came_and_of_their_time_alone() -> None:
    lake = MemoryObjects()
    for minutes in (130, -1, 0, 59, 60, 119, 24 * 60, 24 * 60 + 30):
        keep(
            lake, [Statement(f"p{minutes}", None, "ill"), Statement(f"p{minutes}", None, "healthy")], at(minutes), "v1"
        )
    lake.put("monitoring/latest.json", b"{}")
    found = read_feedback(lake, at(0), at(130))
    assert [one.prediction_id for one in found] == ["p0", "p0", "p59", "p59", "p60", "p60", "p119", "p119"]
    assert [one.label for one in found] == ["ill", "healthy"] * 4
    assert {one.prediction_id for one in read_feedback(lake, at(24 * 60), at(24 * 60 + 31))} == {"p1440", "p1470"}
    assert read_feedback(lake, at(-600), at(-500)) == []


def test_a_label_s_object_that_is_none_is_named() -> None:
    lake = MemoryObjects()
    keep(lake, [Statement("p", None, "ill")], at(1), "v1")
    lake.put(layout.feedback(at(2), "f.jsonl"), b'{"label": "ill"}\n')
    with pytest.raises(DocumentError, match=r"hour=12/f\.jsonl, line 1"):
        read_feedback(lake, at(0), at(60))


def test_feedback_with_an_id_of_each_kind_is_read_as_it_was_kept() -> None:
    lake = MemoryObjects()
    said = [Statement("p", None, "ill"), Statement(None, "visit-17", "healthy")]
    keep(lake, said, at(1), "v2")
    found = read_feedback(lake, at(0), at(60))
    assert [Statement(one.prediction_id, one.record_id, one.label) for one in found] == said
    assert {(one.received, one.model_version) for one in found} == {(at(1), "v2")}
