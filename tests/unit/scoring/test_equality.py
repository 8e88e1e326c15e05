"""Training, API and batch agree on every row of every problem, and so do the probabilities."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.contract.task import Classification
from andamio.names import PREPARE_FILE
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from scoring.formats import read_rows
from tests.support.datasets import csv_body, csv_cells
from tests.support.releases import ROOT, linear_onnx
from tests.support.scoring import Scored, planned, score_file

FILES = sorted([*ROOT.glob("problems/*/problem.toml"), *ROOT.glob("tests/problems/*/problem.toml")])
# A problem with code of its own is compared by tests/flows/test_own_code.py: its layer belongs to it.
PROBLEMS = [file for file in FILES if not (file.parent / PREPARE_FILE).exists()]
FORMATS = ("csv", "jsonl", "parquet")


def sealed(file: Path) -> tuple[Contract, dict[str, list[str]]]:
    """A problem's contract, what it would learn filled in, and its data as texts."""
    contract = Contract.load(file)
    cells = csv_cells(file.parent / contract.data.files[0])
    learned = {
        # All but one: a value that training never saw is among the rows.
        name: sorted({text for text in cells[name] if text not in contract.data.missing})[1:]
        for name, feature in contract.inputs.items()
        if feature.type == "category" and feature.values is None
    }
    return contract.seal(learned), cells


def typed(contract: Contract, name: str, text: str) -> Any:
    """A cell as a program would hold it."""
    feature = contract.features.get(name)
    if text.strip() in ("", *contract.data.missing):
        return None
    if feature is not None and feature.type in ("integer", "number"):
        return float(text)
    if feature is not None and feature.type == "boolean":
        return text.lower() in ("yes", "true", "1")
    if feature is not None and feature.type == "category" and text.isdigit():
        return int(text)
    return text


def records(contract: Contract, cells: dict[str, list[str]]) -> list[dict[str, Any]]:
    rows = zip(*cells.values(), strict=True)
    return [{name: typed(contract, name, text) for name, text in zip(cells, row, strict=True)} for row in rows]


def body_of(contract: Contract, cells: dict[str, list[str]], form: str, file: Path) -> bytes:
    if form == "csv":
        return csv_body(file.parent / contract.data.files[0])
    rows = records(contract, cells)
    if form == "jsonl":
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in cells}
    for name, feature in contract.inputs.items():
        if feature.type == "date":
            columns[name] = [None if text is None else date.fromisoformat(text) for text in columns[name]]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=101)
    return sink.getvalue()


def batch_encoded(scored: Scored) -> Encoded:
    """The file as the batch's own readers encode it; no row may be wrong."""
    parts = []
    with read_rows(scored.batch, scored.plan, scored.cut.shards[0], scored.contract) as reading:
        for rows in reading.rows():
            assert not rows.broken
            table = parse(scored.contract, rows.columns, len(rows.lines), text=rows.text)
            assert not table.violations
            parts.append(encode(scored.contract, table))
    return Encoded(np.concatenate([part.numbers for part in parts]), np.concatenate([texts_of(part) for part in parts]))


def texts_of(encoded: Encoded) -> np.ndarray:
    kind = encoded.categories.dtype.kind
    return np.char.decode(encoded.categories).astype(object) if kind == "S" else encoded.categories


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("file", PROBLEMS, ids=lambda file: file.parent.name)
def test_training_api_and_batch_encode_every_row_alike(file: Path, form: str) -> None:
    contract, cells = sealed(file)
    rows = len(next(iter(cells.values())))
    trained = encode(contract, parse(contract, cells, rows, text=True, training=True))
    asked = [{name: row[name] for name in contract.inputs} for row in records(contract, cells)]
    served = encode(contract, parse_records(contract, asked))
    scored = batch_encoded(planned(contract, body_of(contract, cells, form, file), form))
    for other in (served, scored):
        assert np.array_equal(trained.numbers, other.numbers, equal_nan=True)
        assert texts_of(trained).tolist() == texts_of(other).tolist()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("file", PROBLEMS, ids=lambda file: file.parent.name)
def test_a_batch_says_what_the_api_says_within_a_millionth(file: Path, form: str) -> None:
    contract, cells = sealed(file)
    scored = score_file(contract, body_of(contract, cells, form, file), form, onnx=linear_onnx(contract, scale=0.0002))
    asked = [{name: row[name] for name in contract.inputs} for row in records(contract, cells)]
    said = scored.model.predict(encode(contract, parse_records(contract, asked)))
    assert len(np.unique(said)) > len(said) / 2
    assert np.abs(scored.probabilities - said).max() <= 1e-6 * max(1.0, np.abs(said).max())
    if isinstance(contract.task, Classification):
        assert [row["label"] for row in scored.rows] == [contract.classes[index] for index in expected(contract, said)]
    assert scored.rejects == []


def expected(contract: Contract, said: np.ndarray) -> list[int]:
    if contract.positive_index < 0:
        return said.argmax(axis=1).tolist()
    positive = contract.positive_index
    return [positive if row[positive] >= 0.5 else 1 - positive for row in said]


def test_there_are_problems_to_compare() -> None:
    assert {"heart", "fruit"} <= {file.parent.name for file in PROBLEMS}
