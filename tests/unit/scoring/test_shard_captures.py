"""A scored shard joins the captures: its rows as the API's, what it refused, and the truth where the file has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.captures.columns import features_of
from andamio.captures.summary import CaptureSummary
from andamio.contract import Contract
from andamio.storage import documents
from monitoring.captures import Window, read_window
from scoring.batch import Cut, Shard
from scoring.worker import score_shard
from scoring.write import captures
from tests.support.releases import HEART_FOLDER, heart
from tests.support.scoring import BATCH, Scored, planned

HEART = heart()
HEADER, *GOOD = (HEART_FOLDER / "heart.csv").read_text().splitlines()
CREATED = datetime(2026, 1, 2, 3, tzinfo=UTC)


def capture(scored: Scored, share: float = 1.0, lake: MemoryObjects | None = None) -> MemoryObjects:
    """The lake after every shard was scored."""
    lake = lake or MemoryObjects("lake")
    for shard in scored.cut.shards:
        score_shard(
            scored.batch, scored.table, scored.plan, scored.cut, shard, scored.contract, scored.model,
            lake=lake, capture_share=share,
        )  # fmt: skip
    return lake


def window(lake: MemoryObjects, scored: Scored, **more: Any) -> Window:
    end = CREATED + timedelta(hours=1)
    return read_window(lake, scored.contract, scored.plan.release, CREATED, end, **more)


def csv_of(lines: list[str], header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def test_each_scored_row_is_captured_with_its_record_its_prediction_and_its_truth() -> None:
    scored = planned(HEART, csv_of(GOOD[:60]))
    found = window(capture(scored), scored).captured
    assert found.ids == [f"{BATCH}-{line}" for line in range(2, 62)]
    assert found.probabilities == pytest.approx(scored.probabilities, abs=1e-6)
    cells = np.array([line.split(",") for line in GOOD[:60]])
    names = HEADER.split(",")
    assert found.columns["age"].tolist() == cells[:, names.index("age")].astype(float).tolist()
    assert found.columns["cp"].tolist() == cells[:, names.index("cp")].tolist()
    assert set(found.columns) == set(features_of(HEART))
    target = cells[:, names.index(HEART.problem.target)]
    assert found.truth.tolist() == [HEART.label_index[value] for value in target]
    assert set(found.sources) == {f"batch:{BATCH}"}
    assert {time.replace(tzinfo=UTC) for time in found.times.tolist()} == {datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_without_the_target_has_no_truth(kind: str) -> None:
    names = HEADER.split(",")[:-1]
    rows = [dict(zip(names, map(float, line.split(",")[:-1]), strict=True)) for line in GOOD[:5]]
    table = pa.Table.from_pylist(rows)
    if kind == "parquet":
        file = pa.BufferOutputStream()
        pq.write_table(table, file)
        body = file.getvalue().to_pybytes()
    elif kind == "csv":
        body = csv_of([line.rsplit(",", 1)[0] for line in GOOD[:5]], ",".join(names))
    else:
        import json

        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    scored = planned(HEART, body, kind)
    found = window(capture(scored), scored).captured
    assert found.rows == 5
    assert found.truth.tolist() == [-1] * 5


def test_refused_rows_are_counted_by_field_and_reason_and_a_label_that_is_none_is_no_truth() -> None:
    lines = [
        GOOD[0].rsplit(",", 1)[0] + ",perhaps",
        GOOD[1].rsplit(",", 1)[0] + ",",
        "sixty" + GOOD[0][2:],
        "630" + GOOD[0][2:],
        "1,2",
        GOOD[2],
    ]
    scored = planned(HEART, csv_of(lines))
    lake = capture(scored)
    found = window(lake, scored)
    assert (found.rows_seen, found.rejected_rows) == (3, 3)
    assert found.rejections == {("age", "not-a-number"): 1, ("age", "out-of-range"): 1, ("", "unreadable-row"): 1}
    assert found.captured.truth.tolist()[:2] == [-1, -1]
    (summary,) = [lake.get(info.key).body for info in lake.list("captures/") if info.key.endswith(".json")]
    assert b'"truths":1' in summary.replace(b" ", b"")
    assert b'"no_truths":1' in summary.replace(b" ", b"")
    assert b"perhaps" not in summary


def test_a_private_feature_reaches_no_capture() -> None:
    text = (HEART_FOLDER / "problem.toml").read_text()
    contract = Contract.from_toml(text.replace("[features.oldpeak]", "[features.oldpeak]\nprivate = true"))
    scored = planned(contract, csv_of(GOOD[:20]))
    lake = capture(scored)
    assert "oldpeak" not in window(lake, scored).captured.columns
    assert all(b"oldpeak" not in lake.get(info.key).body for info in lake.list(""))


def test_another_try_writes_nothing_new() -> None:
    scored = planned(HEART, csv_of(GOOD[:20]))
    lake = capture(scored)
    before = len(lake.writes)
    scored.batch.delete(f"batches/{BATCH}/shards/00000.json")
    capture(scored, lake=lake)
    assert len(lake.writes) == before


def test_none_keeps_nothing_and_a_sample_keeps_its_share() -> None:
    scored = planned(HEART, csv_of(GOOD * 10))
    assert not list(capture(scored, share=0.0).list(""))
    scored = planned(HEART, csv_of(GOOD * 10))
    found = window(capture(scored, share=0.3), scored)
    count = len(GOOD) * 10
    assert found.rows_seen == count
    assert abs(found.captured.rows - 0.3 * count) < 5 * np.sqrt(0.21 * count)


def test_small_batches_are_not_thinned_to_the_luck_of_the_smallest() -> None:
    """Of a sample each row had the chance that the contract says, whatever came of it."""
    lake, kept = MemoryObjects("lake"), 0
    for number in range(30):
        scored = planned(HEART, csv_of(GOOD[:20]), batch=f"20260102T030405-{number:012x}")
        capture(scored, 0.3, lake)
    found = window(lake, scored)
    for info in lake.list("captures/"):
        if info.key.endswith(".json"):
            kept += documents.read(lake, info.key, CaptureSummary).releases[0].kept
    assert found.rows_seen == 600
    assert found.share == pytest.approx(0.3)
    assert found.captured.rows == kept


def test_of_a_large_batch_a_uniform_sample_is_kept_whatever_the_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of every shard, about as many as they have, and the count of all."""
    monkeypatch.setattr(captures, "MOST_ROWS", 400)
    lines = GOOD * 12
    scored = planned(HEART, csv_of(lines))
    (whole,) = scored.cut.shards
    middle = whole.start + len("\n".join(lines[:1000]).encode()) + 1
    scored.cut = Cut(
        (Shard(0, whole.start, middle, 2), Shard(1, middle, whole.end, 1002)),
        stored=False,
    )
    found = window(capture(scored), scored)
    assert found.rows_seen == len(lines)
    assert 400 <= found.captured.rows <= 402
    assert found.share == pytest.approx(found.captured.rows / len(lines))
    drawn = np.array([int(one.rsplit("-", 1)[1]) for one in found.captured.ids])
    assert abs((drawn < 1002).mean() - 1000 / len(lines)) < 0.02
    assert abs(drawn.mean() - len(lines) / 2) < 5 * len(lines) / np.sqrt(12 * 400)


def test_a_sample_of_a_batch_and_all_of_the_api_are_thinned_to_one_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of which a tenth is kept must not count for a tenth beside the API's predictions."""
    from monitoring.captures import compact_window
    from monitoring.delivery import read, store
    from tests.support.capture import delivery, prediction

    monkeypatch.setattr(captures, "MOST_ROWS", 300)
    scored = planned(HEART, csv_of(GOOD * 10))
    lake = capture(scored)
    online = [prediction(number, at=CREATED, release=scored.plan.release) for number in range(2000)]
    store(read(delivery(online), HEART), HEART, lake, scored.table)
    compact_window(lake, lambda version: HEART, CREATED, CREATED + timedelta(hours=1))
    found = window(lake, scored)
    of_batch = sum(source.startswith("batch:") for source in found.captured.sources)
    share = 300 / (len(GOOD) * 10)
    assert of_batch == 300
    assert found.share == pytest.approx(share)
    assert abs(found.captured.rows - 300 - 2000 * share) < 5 * np.sqrt(2000 * share)
