"""A prediction counts once, however often and late it is delivered, with its record as the API read it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.sampling import chance
from andamio.captures.summary import CaptureSummary, duration_quantile
from andamio.contract import Contract
from andamio.errors import ReleaseError
from andamio.records.from_json import parse_records
from andamio.storage import documents, layout
from lambdas.capture import handler as capture
from monitoring import captures, compaction
from monitoring.captures import Wanted, Window, compact_hour, compact_window, read_window
from monitoring.delivery import read, store
from tests.support.capture import NOON, PATIENT, RELEASE, delivery, identity, minutes, prediction, rejection
from tests.support.releases import HEART_FOLDER, heart
from tests.unit.core.making import contract as contract_of
from tests.unit.core.making import tables, typed_records

HEART = heart()
HOUR = timedelta(hours=1)
DAY = (NOON - 12 * HOUR, NOON + 12 * HOUR)


def known(version: str) -> Contract:
    if version != RELEASE:
        raise ReleaseError(f"release {version} is not there")
    return HEART


def deliver(lake: MemoryObjects, *deliveries: Sequence[dict[str, Any]], contract: Contract = HEART) -> None:
    table = MemoryPredictionStore()
    for lines in deliveries:
        store(read(delivery(lines), contract), contract, lake, table)


def window(lake: MemoryObjects, contract: Contract = HEART, **more: Any) -> Window:
    return read_window(lake, contract, RELEASE, *DAY, **more)


def summary(lake: MemoryObjects) -> CaptureSummary:
    return documents.read(lake, layout.captured_hour(NOON), CaptureSummary)


@pytest.fixture
def lake() -> MemoryObjects:
    return MemoryObjects("lake")


def test_ten_thousand_predictions_delivered_twice_and_in_any_order_are_ten_thousand_rows(
    lake: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, table = random.Random(14), MemoryPredictionStore()
    monkeypatch.setattr(capture, "connect", lambda: (HEART, lake, table))
    lines = [prediction(number, at=NOON + minutes(number / 60)) for number in range(10_000)]
    sent = [lines[start : start + 97] for start in range(0, len(lines), 97)]  # as they were made
    sent += [draw.sample(lines, 211) for _ in range(20)]  # other deliveries with the same lines
    sent += draw.sample(sent, 30)  # the same ones once more
    draw.shuffle(sent)
    compacted = False
    for count, some in enumerate(sent):
        capture.handler(delivery(some), None)
        if count == len(sent) // 2:
            compacted = compact_window(lake, known, *DAY) == 3
    assert compacted, "half of the deliveries come after their hour was compacted"
    assert compact_window(lake, known, *DAY) == 3
    found = window(lake)
    assert (found.rows_seen, found.captured.rows, len(table.items)) == (10_000, 10_000, 10_000)
    assert set(found.captured.ids) == {line["prediction_id"] for line in lines}
    assert found.duplicates >= 20 * 211


def test_failures_and_durations_are_counted_once_also_in_an_hour_without_a_record(lake: MemoryObjects) -> None:
    failed: list[dict[str, Any]] = [{"event": "andamio.request", "status": 503, "problem": "urn:x:no-model"}]
    deliver(lake, failed, [*failed, {"event": "andamio.release.refused"}])
    assert compact_hour(lake, known, NOON) is not None
    assert window(lake).failures == {"no-model": 1, "release-refused": 1}
    assert window(lake).rows_seen == 0
    deliver(lake, [prediction(number, duration_ms=1.0 + 9 * (number == 0)) for number in range(60)])
    compact_hour(lake, known, NOON)
    found = window(lake)
    assert found.failures == {"no-model": 1, "release-refused": 1}
    assert duration_quantile(found.durations, 0.5) == pytest.approx(1.0, rel=0.11)
    assert duration_quantile(found.durations, 0.99) == pytest.approx(10.0, rel=0.11)
    assert duration_quantile({}, 0.5) is None


def test_an_hour_is_made_again_only_when_another_delivery_came(lake: MemoryObjects) -> None:
    deliver(lake, [prediction(0)])
    compact_hour(lake, known, NOON)
    before = len(lake.writes)
    compact_hour(lake, known, NOON)
    assert len(lake.writes) == before
    deliver(lake, [prediction(1)])
    compact_hour(lake, known, NOON)
    assert window(lake).captured.rows == 2


def test_an_hour_without_deliveries_has_no_files(lake: MemoryObjects) -> None:
    assert compact_hour(lake, known, NOON) is None
    assert not lake.writes


def test_a_record_has_the_columns_that_the_api_read(lake: MemoryObjects) -> None:
    contract = contract_of(
        """
        [features.number]
        type = "number"
        required = false
        [features.whole]
        type = "integer"
        min = 0
        max = 10
        required = false
        on_invalid = "missing"
        [features.truth]
        type = "boolean"
        required = false
        [features.kind]
        type = "category"
        values = ["a", "1"]
        unknown = "other"
        required = false
        [features.day]
        type = "date"
        format = "%d/%m/%Y"
        required = false
        """
    )
    records = [
        {"number": 1.5, "whole": 7, "truth": True, "kind": "a", "day": "31/03/2026"},
        {"number": None, "whole": 70, "truth": "no", "kind": 1.0, "day": None},
        {"kind": "neither"},
    ]
    classes = dict.fromkeys(contract.classes, 0.0) | {contract.classes[0]: 1.0}
    deliver(
        lake,
        [
            prediction(number, features=record, label=contract.classes[0], probabilities=classes)
            for number, record in enumerate(records)
        ],
        contract=contract,
    )
    compact_hour(lake, lambda version: contract, NOON)
    found = window(lake, contract).captured
    order = np.argsort([found.ids.index(identity(number)) for number in range(3)])
    expected = parse_records(contract, records).columns
    for name, column in expected.items():
        back = found.columns[name][np.argsort(order)]
        assert back.dtype == column.dtype, name
        assert (
            back.tolist() == pytest.approx(column.tolist(), nan_ok=True)
            if column.dtype.kind == "f"
            else (back.astype(str).tolist() == column.astype(str).tolist())
        ), name
    assert found.probabilities.dtype == np.float32
    assert found.probabilities.shape == (3, len(classes))
    assert set(found.labels.tolist()) == {0}
    assert found.times.tolist() == [NOON.replace(tzinfo=None)] * 3
    assert set(found.truth.tolist()) == {-1}


@settings(max_examples=40)
@given(tables())
def test_any_record_that_the_api_takes_is_kept_as_it_was_read(drawn: tuple[Contract, list[dict[str, Any]]]) -> None:
    lake, (contract, cells) = MemoryObjects("lake"), drawn
    records = typed_records(cells)
    probabilities = dict.fromkeys(contract.classes, 0.5)
    lines = [
        prediction(number, features=record, label=contract.classes[0], probabilities=probabilities)
        for number, record in enumerate(records)
    ]
    deliver(lake, lines, contract=contract)
    compact_hour(lake, lambda version: contract, NOON)
    found = window(lake, contract)
    assert found.unreadable == {}
    places = [found.captured.ids.index(identity(number)) for number in range(len(records))]
    for name, column in parse_records(contract, records).columns.items():
        back = found.captured.columns[name][places]
        assert back.dtype == column.dtype
        assert back.tolist() == column.tolist() or np.array_equal(back, column, equal_nan=True), name


def test_a_day_that_the_api_read_from_csv_is_read_again() -> None:
    """It logs what it read, in ISO 8601, where the contract writes days another way."""
    lake, contract = MemoryObjects("lake"), contract_of('[features.x]\ntype = "date"\nformat = "%d.%m.%Y"\n')
    classes = dict.fromkeys(contract.classes, 0.5)
    lines = [
        prediction(number, features={"x": day}, label=contract.classes[0], probabilities=classes)
        for number, day in enumerate(["2026-03-31", "31.03.2026"])
    ]
    deliver(lake, lines, contract=contract)
    compact_hour(lake, lambda version: contract, NOON)
    found = window(lake, contract)
    assert found.unreadable == {}
    assert found.captured.columns["x"].astype(str).tolist() == ["2026-03-31"] * 2


def test_a_private_feature_has_no_column_and_its_absence_is_no_fault(lake: MemoryObjects) -> None:
    text = (HEART_FOLDER / "problem.toml").read_text()
    contract = Contract.from_toml(text.replace("[features.oldpeak]", "[features.oldpeak]\nprivate = true"))
    deliver(lake, [prediction(0, features=PATIENT | {"oldpeak": 2.015625})], contract=contract)
    compact_hour(lake, lambda version: contract, NOON)
    found = window(lake, contract)
    assert (found.captured.rows, found.unreadable) == (1, {})
    assert "oldpeak" not in found.captured.columns
    for info in lake.list(""):
        assert np.float64(2.015625).tobytes() not in lake.get(info.key).body


def test_a_refused_record_counts_once_by_field_and_reason(lake: MemoryObjects) -> None:
    twice = rejection(0, ("chol", "out-of-range"), ("age", "not-a-number"), ("age", "not-a-number"))
    deliver(lake, [twice, prediction(0)], [twice, rejection(1), rejection(1, index=1), rejection(2, release="f" * 16)])
    compact_hour(lake, known, NOON)
    found = window(lake)
    assert found.rejections == {("chol", "out-of-range"): 3, ("age", "not-a-number"): 1}
    assert (found.rejected_rows, found.rows_seen, found.requests) == (3, 1, 4)


def test_records_that_a_challenger_answers_were_validated_by_the_champion(lake: MemoryObjects) -> None:
    """Refused records are a share of all that the champion's contract was asked about, not of those it answered."""
    other, told = "f" * 16, {"variant": "challenger", "rollout": f"{'f' * 16}-3", "validated_by": RELEASE}
    by_other = [prediction(number, release=other, **told) for number in (1, 2, 3)]
    deliver(lake, [prediction(0), *by_other, rejection(0)])
    compact_hour(lake, known, NOON)
    champion, challenger = window(lake), read_window(lake, HEART, other, *DAY)
    assert (champion.rows_seen, champion.validated, champion.rejected_rows, champion.requests) == (1, 4, 1, 5)
    assert (challenger.rows_seen, challenger.validated, challenger.requests) == (3, 0, 0), (
        "it refused nothing, nor took"
    )


def test_an_hour_that_was_summed_up_without_who_validated_it_counts_as_it_did(lake: MemoryObjects) -> None:
    deliver(lake, [prediction(0), prediction(1), rejection(0)])
    compact_hour(lake, known, NOON)
    key = layout.captured_hour(NOON)
    lake.put(key, summary(lake).model_copy(update={"validated": None}).to_json())
    assert (window(lake).validated, window(lake).requests) == (2, 3)


def test_a_line_that_cannot_be_read_is_counted_with_the_reason_and_costs_itself(lake: MemoryObjects) -> None:
    bad = [
        prediction(1, features=PATIENT | {"age": "old"}),
        prediction(2, label="2", probabilities={"0": 0, "1": 0, "2": 1}),
        prediction(3, release="e" * 16),
    ]
    deliver(lake, [prediction(0), *bad])
    compact_hour(lake, known, NOON)
    found = window(lake)
    assert found.captured.ids == [identity(0)]
    assert found.rows_seen == 3
    assert found.unreadable == {("age", "not-a-number"): 1, ("", "other-classes"): 1}
    assert found.other_versions == {"e" * 16: 1}
    assert [(fault.version, fault.code) for fault in summary(lake).unreadable if fault.version != RELEASE] == [
        ("e" * 16, "unknown-release")
    ]


def test_a_window_without_predictions_has_all_columns_and_no_rows(lake: MemoryObjects) -> None:
    found = window(lake)
    assert found.captured.rows == found.rows_seen == found.requests == 0
    assert set(found.captured.columns) == set(HEART.inputs)
    assert found.captured.probabilities.shape == (0, 2)


def test_above_the_most_rows_a_window_is_a_sample_that_is_the_same_each_time(lake: MemoryObjects) -> None:
    """The sample is uniform over hours, and the count of all is kept."""
    lines = [prediction(number, at=NOON + minutes(number % 3 * 60)) for number in range(6000)]
    deliver(lake, lines)
    compact_window(lake, known, *DAY)
    found = window(lake, most_rows=1500)
    assert found.rows_seen == 6000
    assert abs(found.captured.rows - 1500) < 5 * np.sqrt(1500)
    assert window(lake, most_rows=1500).captured.ids == found.captured.ids
    by_hour = Counter(time.hour for time in found.captured.times.tolist())
    assert all(abs(count - 500) < 5 * np.sqrt(500) for count in by_hour.values())
    assert set(window(lake, most_rows=700).captured.ids) < set(found.captured.ids)


def test_predictions_that_have_a_label_are_read_beside_the_sample(lake: MemoryObjects) -> None:
    deliver(lake, [prediction(number) for number in range(4000)])
    compact_window(lake, known, *DAY)
    plain = window(lake, most_rows=400)
    wanted = Wanted({identity(number) for number in range(100)}, {f"patient-{number}" for number in range(100, 200)})
    found = window(lake, most_rows=400, wanted=wanted)
    ids = np.array(found.captured.ids)
    assert {identity(number) for number in range(200)} <= set(ids)
    assert ids[found.sampled].tolist() == plain.captured.ids
    assert found.stands_for.sum() == pytest.approx(4000, rel=0.2)
    asked = np.isin(ids, [identity(number) for number in range(200)])
    assert set(found.stands_for[asked]) == {1}
    assert set(found.stands_for[~asked]) == {10}
    assert plain.sampled.all()


def test_of_too_many_labels_a_sample_is_read(lake: MemoryObjects) -> None:
    deliver(lake, [prediction(number) for number in range(4000)])
    compact_window(lake, known, *DAY)
    found = window(lake, most_rows=400, wanted=Wanted({identity(number) for number in range(2000)}))
    assert found.captured.rows == pytest.approx(600, rel=0.2)
    assert found.stands_for.sum() == pytest.approx(4000, rel=0.2)


def test_a_sample_errs_by_no_more_than_the_page_says(lake: MemoryObjects) -> None:
    """Of the features of one window, each the error of a share and of a distribution function (Kolmogorov's 95%)."""
    draw, rows, most = random.Random(3), 4000, 1000
    lines = [prediction(number, features=PATIENT | {"age": draw.randint(29, 77)}) for number in range(rows)]
    deliver(lake, lines)
    compact_window(lake, known, *DAY)
    exact, sample = (window(lake, most_rows=kept).captured.columns["age"] for kept in (rows, most))
    assert len(sample) == pytest.approx(most, rel=0.1)
    shares = np.array([[(side <= age).mean() for age in range(29, 78)] for side in (exact, sample)])
    errors = np.abs(shares[0] - shares[1])
    half_width, distance = 1.96 * 0.5 / np.sqrt(len(sample)), 1.36 / np.sqrt(len(sample))
    assert errors[20] <= half_width
    assert 0 < errors.max() <= distance
    page = (HEART_FOLDER.parents[1] / "docs" / "monitoring.md").read_text()
    scale = np.sqrt(len(sample) / captures.MOST_ROWS)
    assert f"in a sample of {captures.MOST_ROWS:,} a share is within {100 * half_width * scale:.2f} points" in page
    assert f"a distribution function within {distance * scale:.3f}" in page


def test_what_was_not_drawn_is_counted_and_has_no_row(lake: MemoryObjects) -> None:
    lines = [prediction(number, features=PATIENT if number % 4 == 0 else None) for number in range(400)]
    deliver(lake, lines)
    compact_hour(lake, known, NOON)
    found = window(lake)
    assert (found.rows_seen, found.captured.rows, found.share) == (400, 100, 0.25)


def test_of_an_hour_with_very_many_predictions_a_uniform_sample_is_kept(
    lake: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are delivered: the first ones have the chance of the last ones."""
    monkeypatch.setattr(compaction, "MOST_KEPT", 400)
    monkeypatch.setattr(compaction, "_SPARE", 100)
    monkeypatch.setattr(compaction, "_CHUNK", 64)
    lines = [prediction(number, at=NOON + minutes(number / 100)) for number in range(4000)]
    deliver(lake, *(lines[start : start + 250] for start in range(0, 4000, 250)))
    deliver(lake, [prediction(number, at=NOON + HOUR) for number in range(4000, 4300)])
    assert compact_window(lake, known, *DAY) == 2
    (release,) = summary(lake).releases
    assert (release.made, release.drawn, release.kept, release.share) == (4000, 4000, 400, 0.1)
    found = window(lake)
    assert (found.rows_seen, found.share) == (4300, 0.1)
    first = np.array([time.hour == 12 for time in found.captured.times.tolist()])
    assert first.sum() == 400, "a sample is thinned no more"
    assert abs((~first).sum() - 30) < 5 * np.sqrt(27), "and the other hour to the same share"
    minute = np.array([time.minute for time in found.captured.times.tolist()])[first]
    assert abs(minute.mean() - 19.5) < 5 * 40 / np.sqrt(12 * 400)


def test_of_a_sample_the_share_is_what_was_meant_and_not_what_luck_drew(lake: MemoryObjects) -> None:
    lines = [prediction(number, features=PATIENT if number < 7 else None) for number in range(40)]
    deliver(lake, lines)
    compact_hour(lake, known, NOON, 0.25)
    assert (window(lake).share, window(lake).captured.rows) == (0.25, 7)


def test_an_hour_in_which_another_share_was_meant_shows_what_it_was(lake: MemoryObjects) -> None:
    deliver(lake, [prediction(number) for number in range(40)])
    compact_hour(lake, known, NOON, 0.1)
    assert window(lake).share == 1


def test_chances_are_even_and_differ_by_prediction() -> None:
    drawn = np.array([chance(identity(number), "window") / 2**64 for number in range(2000)])
    assert abs(drawn.mean() - 0.5) < 0.03
    assert len(set(drawn.tolist())) == 2000
