"""Files of a regression: a number and its interval behind each row, the same wherever the prediction is looked up."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.captures.summary import CaptureSummary
from andamio.contract import Contract
from andamio.storage import documents, layout
from lambdas.api.predictions.lookup import stored_prediction
from monitoring.captures import read_window
from scoring.batch import BatchPlan
from scoring.worker import score_shard
from tests.support.api import Api
from tests.support.batches import a_plan
from tests.support.releases import ROOT, serve
from tests.support.scoring import BATCH, Scored, planned, score_file

FOLDER = ROOT / "problems" / "diabetes"
DIABETES = Contract.load(FOLDER)
HEADER, *LINES = (FOLDER / "diabetes.csv").read_text().splitlines()
NAMES = HEADER.split(",")
ROWS = [dict(zip(NAMES, line.split(","), strict=True)) for line in LINES[:40]]
FEATURES = [name for name in NAMES if name in DIABETES.inputs]
ADDED = ["prediction_id", "value", "interval_low", "interval_high", "model_version"]
CREATED = datetime(2026, 1, 2, 3, tzinfo=UTC)


def typed(row: dict[str, str]) -> dict[str, Any]:
    return {name: text if name == "sex" else float(text) for name, text in row.items() if text}


def body_of(kind: str) -> bytes:
    if kind == "csv":
        return ("\n".join([HEADER, *LINES[:40]]) + "\n").encode()
    if kind == "jsonl":
        return "".join(json.dumps(typed(row)) + "\n" for row in ROWS).encode()
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([typed(row) for row in ROWS]), file)
    return file.getvalue()


def numbers_of(scored: Scored) -> np.ndarray:
    return np.array([[float(row[name]) for name in ADDED[1:4]] for row in scored.rows])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_value_and_interval_stand_behind_each_row_and_are_what_the_api_says(kind: str) -> None:
    scored = score_file(DIABETES, body_of(kind), kind)
    assert [list(row)[-5:] for row in scored.rows] == [ADDED] * 40
    found = numbers_of(scored)
    assert found == pytest.approx(said_by_the_api([typed(row) for row in ROWS]), rel=1e-6)
    assert len(np.unique(found[:, 0])) > 10, "rows differ"
    if kind == "parquet":
        schema = pq.read_schema(io.BytesIO(scored.part()))
        assert [schema.field(name).type for name in ADDED[1:4]] == [pa.float32()] * 3


def said_by_the_api(records: list[dict[str, Any]]) -> np.ndarray:
    api = Api(problem="diabetes")
    serve(api.objects, DIABETES)
    features = [{name: value for name, value in record.items() if name in FEATURES} for record in records]
    said = api.post("/predict/batch", {"records": [{"features": each} for each in features]}).json["predictions"]
    return np.array([[one["value"], one["interval"]["low"], one["interval"]["high"]] for one in said])


def test_numbers_have_the_decimal_mark_of_the_file() -> None:
    text = "\n".join([HEADER, *LINES[:5]]).replace(",", ";").replace(".", ",") + "\n"
    scored = score_file(DIABETES, text.encode(), delimiter=";", decimal=",")
    point = numbers_of(score_file(DIABETES, ("\n".join([HEADER, *LINES[:5]]) + "\n").encode()))
    commas = [[row[name] for name in ADDED[1:4]] for row in scored.rows]
    assert all("." not in cell for row in commas for cell in row)
    assert np.array([[float(cell.replace(",", ".")) for cell in row] for row in commas]) == pytest.approx(point)


def test_the_table_the_lookup_and_the_part_say_the_same() -> None:
    scored = score_file(DIABETES, body_of("csv"), stored=True)
    api = Api(problem="diabetes")
    api.batch = scored.batch  # type: ignore[assignment]
    scored.batch.put(layout.batch(BATCH, "plan.json"), scored.plan.to_json())
    scored.batch.put(layout.batch(BATCH, "shards.json"), scored.cut.to_json())
    stores = api.stores.__class__(scored.batch, scored.table, api.clock, api.lake)
    nothing = api.stores.__class__(scored.batch, api.table, api.clock, api.lake)
    for row in scored.rows:
        in_table, in_batch = (stored_prediction(each, row["prediction_id"]) for each in (stores, nothing))
        assert in_table == in_batch
        assert in_table["interval"]["level"] == 0.9
        assert (in_table["unit"], "label" in in_table) == ("points", False)
        said = [in_table["value"], in_table["interval"]["low"], in_table["interval"]["high"]]
        assert said == pytest.approx([float(row[name]) for name in ADDED[1:4]], rel=1e-6)


def test_a_plan_of_classes_that_an_older_version_wrote_is_read() -> None:
    older = json.loads(a_plan().to_json())
    for name in ("interval", "unit"):
        del older[name]
    assert BatchPlan.from_json(json.dumps(older).encode()) == a_plan()


@pytest.mark.parametrize("cells", [("151", "bad", "", "9999")])
def test_rows_are_captured_with_their_value_and_the_truth_of_the_file(cells: tuple[str, ...]) -> None:
    target = NAMES.index(DIABETES.problem.target)
    lines = [line.split(",") for line in LINES[:4]]
    for row, cell in zip(lines, cells, strict=True):
        row[target] = cell
    scored = planned(DIABETES, ("\n".join([HEADER, *map(",".join, lines)]) + "\n").encode())
    lake = MemoryObjects("lake")
    score_shard(
        scored.batch, scored.table, scored.plan, scored.cut, scored.cut.shards[0], DIABETES, scored.model,
        lake=lake, capture_share=1.0,
    )  # fmt: skip
    found = read_window(lake, DIABETES, scored.plan.release, CREATED, CREATED + timedelta(hours=1)).captured
    assert found.probabilities[:, 0].tolist() == pytest.approx(numbers_of(scored)[:, 0], rel=1e-6)
    assert found.truth[0] == 151.0
    assert np.isnan(found.truth[1:]).all()
    key = layout.captured_shard(datetime.fromisoformat(scored.plan.created), BATCH, 0, "json")
    summary = documents.read(lake, key, CaptureSummary)
    assert (summary.truths, summary.no_truths) == (1, 2)
