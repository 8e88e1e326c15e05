"""Terminal output of batches: the result of one, the list of all, and stored predictions."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from andamio.cli.batches.arrow_rows import csv_rows
from andamio.cli.batches.batch import Result
from andamio.cli.batches.sinks import TABLE, sqlite_names
from andamio.cli.console import ago, done, note, out
from andamio.cli.models import show
from andamio.records.names import visible
from andamio.tabular.read_as import assumptions
from scoring.batch import file_name
from scoring.status import Status

_REJECTS_SHOWN = 3
_KEYS_SHOWN = 10
_STYLES = {"done": "green", "failed": "red", "running": "yellow"}


def result(found: Result) -> None:
    """Print the result of a batch: counts, first rejects, speed, and how to look up a prediction."""
    manifest = found.manifest
    if found.status.same_as:
        done(f"The same file was scored by the same model before, as batch {found.status.same_as}. This is its result.")
    table = _pairs()
    table.add_row("batch", found.status.batch)
    table.add_row("rows", f"{manifest.rows:,}")
    table.add_row("scored", f"[green]{manifest.scored:,}[/green]  {escape(str(found.file))}")
    if found.rejected is not None:
        table.add_row("rejected", f"[yellow]{manifest.rejected:,}[/yellow]  {escape(str(found.rejected))}")
        for reject in _first_rejects(found.rejected):
            table.add_row("", f"[dim]line {reject['line']}: {escape(reject['reason'])}[/dim]")
    else:
        table.add_row("rejected", "0")
    if manifest.absent:
        table.add_row("no column of", f"[yellow]{escape(', '.join(manifest.absent))}[/yellow]  no value in any row")
    table.add_row("model", f"{escape(manifest.release.name)}, release {manifest.release.version}")
    head = found.plan.head
    read_as = {
        "encoding": head.encoding,
        "encoding_basis": head.encoding_basis or "",
        "decimal": head.decimal,
    }
    for words in assumptions(read_as):
        table.add_row("read as", f"[yellow]The file {escape(words)}[/yellow]")
    for name, renamed in _renamed(found):
        table.add_row("renamed", f"[yellow]{escape(name)}[/yellow]  is {escape(renamed)}: SQLite ignores case")
    if found.left_out:
        table.add_row("left out", f"[yellow]{escape(_left_out(found.left_out))}[/yellow]")
    seconds = manifest.seconds
    shards = len(manifest.shards)
    speed = f": {manifest.rows / seconds:,.0f} rows a second" if seconds else ""
    table.add_row("took", f"{seconds:.1f} s in {shards} shard{'' if shards == 1 else 's'}{speed}")
    out.print(table)
    first = first_rows(found, 1)
    if first:
        note(f"Look a prediction up: andamio lookup {first[0][found.plan.names_out['prediction_id']]}")


def _left_out(rows_by_key: Mapping[str, int]) -> str:
    """The keys that a converted result lacks, and how to have them."""
    ordered = sorted(rows_by_key.items(), key=lambda item: (-item[1], item[0]))
    named = [f"'{visible(name)}' of {rows:,} row{'' if rows == 1 else 's'}" for name, rows in ordered[:_KEYS_SHOWN]]
    more = f" and {len(ordered) - _KEYS_SHOWN} more keys" if len(ordered) > _KEYS_SHOWN else ""
    return f"{', '.join(named)}{more}: the first objects do not have them. As JSON Lines the result has them all"


def _renamed(found: Result) -> list[tuple[str, str]]:
    """Columns that have another name in the result than in the file."""
    if found.form != "sqlite":
        return []
    names = [*found.plan.head.columns, *found.plan.names_out.values()]
    return [(name, other) for name, other in zip(names, sqlite_names(names), strict=True) if name and name != other]


def first_rows(found: Result, count: int) -> list[dict[str, Any]]:
    """The first rows of a result, by column."""
    if found.form == "sqlite":
        with sqlite3.connect(found.file) as connection:
            cursor = connection.execute(f"SELECT * FROM {TABLE} LIMIT ?", (count,))  # noqa: S608 - no text of anybody's
            columns = [column[0] for column in cursor.description]
            own = list(found.plan.names_out.values())
            columns[-len(own) :] = own  # SQLite may have renamed them: see `sinks`
            return [dict(zip(columns, row, strict=True)) for row in cursor]
    if found.form == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(found.file) as source:
            head = next(source.iter_batches(batch_size=count), None)
            rows: list[dict[str, Any]] = [] if head is None else head.to_pylist()
            return rows
    opened = gzip.open if found.file.suffix.lower() == ".gz" else open
    with opened(found.file, "rt", encoding="utf-8-sig", newline="") as lines:
        if found.form == "jsonl":
            return [json.loads(line) for line in islice(lines, count)]
        # A converted result has commas; a CSV keeps the delimiter of the input.
        delimiter = found.plan.head.delimiter if found.plan.input.format == "csv" else ","
        rows_of = csv_rows(lines, delimiter)
        header = next(rows_of)
        return [dict(zip(header, row, strict=False)) for row in islice(rows_of, count)]


def scored_rows(found: Result, count: int) -> None:
    """Print the first scored rows with their predictions."""
    names = found.plan.names_out
    columns_shown = [own for own in names if own != "model_version"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for own in columns_shown:
        table.add_column(escape(names[own]), overflow="fold")
    decimal = found.plan.head.decimal if found.form == found.plan.input.format else "."
    shown = dict.fromkeys(found.plan.told.numbers, ".3f" if found.plan.interval is None else ",.6g")
    for row in first_rows(found, count):
        cells = [(own, str(row[names[own]])) for own in columns_shown]
        table.add_row(
            *(
                format(float(cell.replace(decimal, ".")), shown[own]) if own in shown else escape(cell)
                for own, cell in cells
            )
        )
    out.print(table)


def batch_table(found: list[Status]) -> None:
    """Print batches, newest first."""
    if not found:
        note("There is no batch yet. To score a file: andamio batch FILE")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("batch", "file", "state", "shards", "rows", "scored", "rejected", "release", "age"):
        table.add_column(column, overflow="fold")
    for status in found:
        state = f"{status.status}, {status.step}" if status.step else status.status
        style = _STYLES.get(status.status, "dim")
        shards = f"{status.shards.done} of {status.shards.all}" if status.shards else ""
        table.add_row(
            status.batch,
            escape(file_name(status.file) if status.file else ""),
            f"[{style}]{state}[/{style}]" + (" [dim](seen before)[/dim]" if status.same_as else ""),
            shards,
            *("" if count is None else f"{count:,}" for count in (status.rows, status.scored, status.rejected)),
            status.model.version if status.model else "",
            ago(datetime.fromisoformat(status.created)),
        )
    out.print(table)
    for status in found:
        if status.status == "failed":
            note(f"{status.batch}: {status.reason}")


def prediction(reply: dict[str, Any], texts: Mapping[str, str] | None = None) -> None:
    """Print a stored prediction with its origin; `texts` are the display texts of the classes, if known."""
    own = {reply["label"]: reply["label_text"]} if "label" in reply else {}
    show.prediction(reply, texts or own)
    details = [f"made {ago(datetime.fromisoformat(reply['created']))}"]
    if reply["record_id"] is not None:
        details.append(f"record {reply['record_id']}")
    if reply["batch"] is not None:
        details.append(f"batch {reply['batch']}, line {reply['line']}")
    out.print(f"  [dim]{escape(', '.join(details))}[/dim]")


def _pairs() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("", style="dim")
    table.add_column("", overflow="fold")
    return table


def _first_rejects(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, _REJECTS_SHOWN)]
