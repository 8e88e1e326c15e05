"""The rows of a scored part as Arrow batches of typed columns, in bounded memory.

Text of a CSV is typed by the contract. Columns that the contract does not name stay text.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from andamio.contract import Contract
from andamio.contract.canonical import WrittenNumber, composed, number_in_json
from andamio.records.cells import number_written, truth_of
from andamio.tabular.limits import LONGEST_ROW
from scoring.batch import BatchPlan

BLOCK = 2 * LONGEST_ROW
"""Bytes of text read at a time: at least one scored row with its added columns."""
ROWS = 10_000
"""Rows of JSON Lines read at a time."""

csv.field_size_limit(LONGEST_ROW)  # as the reader of files has it: 128 KiB otherwise

_LARGEST_EXACT_INTEGER = 2.0**53
_OVERLAP = 4096
"""Bytes of a block that are searched again with the next one: a match may lie across both."""

type Kind = Literal["integer", "number", "boolean", "text"]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Types of the columns of scored files; `missing` are the texts that mean no value in a feature."""

    features: dict[str, Kind]
    added: dict[str, Kind]
    missing: frozenset[str]
    decimal: str

    @classmethod
    def of(cls, plan: BatchPlan, contract: Contract) -> Self:
        """The columns of a plan under the contract of its release."""
        features: dict[str, Kind] = {
            name: feature.type if feature.type in ("integer", "number", "boolean") else "text"
            for name, feature in contract.sent.features.items()
        }
        numbers = plan.told.numbers
        added: dict[str, Kind] = {name: "number" if own in numbers else "text" for own, name in plan.names_out.items()}
        missing = frozenset({"", *(text.strip() for text in contract.data.missing)})
        return cls(features, added, missing, plan.head.decimal)

    def kind(self, column: str) -> Kind:
        """The type of a column."""
        return self.added.get(column) or self.features.get(column, "text")

    def missing_in(self, column: str) -> frozenset[str]:
        """The texts that mean no value in a column."""
        return self.missing if column in self.features else frozenset({""})


def batches_of(part: Path, plan: BatchPlan, kinds: Kinds, left_out: Counter[str]) -> Iterator[Any]:
    """The rows of a part, as `pyarrow.RecordBatch`es that all have the same schema; an empty part is an empty one.

    Keys of JSON Lines that are no column of the plan are left out: `left_out` counts the rows of each.
    """
    if plan.input.format == "csv":
        return _csv(part, plan, kinds)
    return _parquet(part) if plan.input.format == "parquet" else _json_lines(part, plan, kinds, left_out)


def _parquet(part: Path) -> Iterator[Any]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(part) as source:
        yield from _at_least_one(source.iter_batches(batch_size=ROWS), source.schema_arrow)


def _at_least_one(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """The batches, or an empty one that has their columns where there are none."""
    import pyarrow as pa

    batch = None
    for batch in batches:
        yield batch
    if batch is None:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def csv_rows(text: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The rows of a CSV text, read as for scoring: spaces before a cell are skipped."""
    return csv.reader(text, delimiter=delimiter, skipinitialspace=True)


def _csv(part: Path, plan: BatchPlan, kinds: Kinds) -> Iterator[Any]:
    import pyarrow as pa

    with part.open(encoding="utf-8-sig", newline="") as text:
        header = next(csv_rows(text, plan.head.delimiter))
    schema = pa.schema([(name, _arrow_type(kinds.kind(name))) for name in header])
    texts = _texts_by_row if _has_spaced_quotes(part, plan.head.delimiter) else _texts
    batches = (
        pa.RecordBatch.from_arrays(
            [_read(column, name, kinds) for name, column in zip(header, parsed, strict=True)], schema=schema
        )
        for parsed in texts(part, plan.head.delimiter, len(header))
    )
    yield from _at_least_one(batches, schema)


def _has_spaced_quotes(part: Path, delimiter: str) -> bool:
    """Whether a quote may follow spaces at the start of a cell, which pyarrow reads as text and other readers do "
    "not."""
    spaced = re.compile(rb"[\n%b] +\"" % re.escape(delimiter.encode()))
    end = b""
    with part.open("rb") as source:
        while block := source.read(BLOCK):
            if spaced.search(end + block):
                return True
            end = block[-_OVERLAP:]
    return False


def _texts(part: Path, delimiter: str, width: int) -> Iterator[list[Any]]:
    """The columns of a part as texts, in blocks of rows."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"f{position}" for position in range(width)]
    source = arrow_csv.open_csv(
        part,
        # Named by position: a table may have two columns of one name, and the reader then mixes them up.
        arrow_csv.ReadOptions(
            block_size=BLOCK, autogenerate_column_names=True, skip_rows_after_names=1, use_threads=False
        ),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
        arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    for batch in source:
        yield batch.columns


def _texts_by_row(part: Path, delimiter: str, width: int) -> Iterator[list[Any]]:
    """The same, read row by row."""
    import pyarrow as pa

    with part.open(encoding="utf-8-sig", newline="") as text:
        source = csv_rows(text, delimiter)
        next(source)
        while rows := list(_block(source)):
            yield [pa.array([row[position] for row in rows], pa.string()) for position in range(width)]


def _block(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    size = 0
    for row in islice(rows, ROWS):
        yield row
        size += sum(map(len, row))
        if size > BLOCK:
            return


def _json_lines(part: Path, plan: BatchPlan, kinds: Kinds, left_out: Counter[str]) -> Iterator[Any]:
    import pyarrow as pa

    columns = list(dict.fromkeys([*plan.head.columns, *plan.names_out.values()]))
    schema = pa.schema([(name, _arrow_type(kinds.kind(name))) for name in columns])
    schema_names = frozenset(columns)

    def batches() -> Iterator[Any]:
        with part.open("rb") as lines:
            while rows := [_composed(json.loads(line, parse_float=number_in_json)) for line in islice(lines, ROWS)]:
                for row in rows:
                    left_out.update(row.keys() - schema_names)
                arrays = [
                    pa.array(
                        [_json_value(row.get(name), kinds.kind(name)) for row in rows], type=schema.field(name).type
                    )
                    for name in columns
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    yield from _at_least_one(batches(), schema)


def _composed(record: dict[str, Any]) -> dict[str, Any]:
    """The same values under names in the form that a plan has of them."""
    return record if all(map(str.isascii, record)) else {composed(name): value for name, value in record.items()}


def _arrow_type(kind: Kind) -> Any:
    import pyarrow as pa

    return {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}[kind]


def _read(column: Any, name: str, kinds: Kinds) -> Any:
    """A column of texts, typed; no value where there is none, or none that the kind can hold."""
    import pyarrow as pa

    kind, missing = kinds.kind(name), kinds.missing_in(name)
    # Tables repeat themselves: each distinct text is read once.
    encoded = column.dictionary_encode()
    texts: Sequence[str] = encoded.dictionary.to_pylist()
    values = [None if text.strip() in missing else _value(text, kind, kinds.decimal) for text in texts]
    return pa.array(values, type=_arrow_type(kind)).take(encoded.indices)


def _value(text: str, kind: Kind, decimal: str) -> Any:
    if kind == "text":
        return text
    parsed = truth_of(text) if kind == "boolean" else number_written(text, decimal)
    if not isinstance(parsed, float):
        return None
    return bool(parsed) if kind == "boolean" else parsed if kind == "number" else _integer(parsed)


def _json_value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "text":
        if isinstance(value, WrittenNumber):
            return value.text
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if kind == "boolean":
        parsed = truth_of(value)
        return bool(parsed) if isinstance(parsed, float) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if kind == "number" else _integer(value)


def _integer(number: float) -> int | None:
    return int(number) if abs(number) <= _LARGEST_EXACT_INTEGER and number == int(number) else None
