"""What ETL and batch make of a file, from its bytes on: refused, or each row by the line that it begins on.

etl_verdict(contract, "a.csv", body) == batch_verdict(contract, "a.csv", body, shard_bytes=200)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.records.names import compare_names, objection_to, required_columns
from andamio.records.parse import parse
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from andamio.tabular.refused import RefusedFile
from etl.collect import Source
from etl.ingest import ingest
from scoring.batch import BatchPlan, Cut, Shard
from scoring.formats import read_rows
from tests.support.machine import Machine
from tests.support.readers import Reason, Row, rows_of
from tests.support.releases import serve


@dataclass(frozen=True)
class Verdict:
    """`refused` is why the whole file is, "" where it is read; `rows` are those that are read, by line.

    `read_as` is what was decided about its text.
    """

    refused: str = ""
    rows: dict[int, Row] = field(default_factory=dict)
    read_as: dict[str, str] = field(default_factory=dict)

    @property
    def bad(self) -> dict[int, str]:
        """Why each row is rejected that is, by line."""
        reasons = {
            line: "; ".join(f"{name}: {cell.text}" if name else cell.text for name, cell in row.items())
            for line, row in self.rows.items()
            if any(isinstance(cell, Reason) for cell in row.values())
        }
        return dict(sorted(reasons.items()))

    @property
    def values(self) -> list[Row]:
        """The rows that are scored, in order."""
        return [row for line, row in self.rows.items() if line not in self.bad]


def etl_verdict(contract: Contract, name: str, body: bytes) -> Verdict:
    """What ETL makes of a file: refused as a whole where ETL does, its inputs read as it reads them."""
    lake = MemoryObjects("lake")
    lake.put(f"raw/{name}", body)
    report = ingest(lake, contract, [Source.of(lake.head(f"raw/{name}"))], None).files[0]
    if report.refused or report.unusable:
        names = report.read_as.names if report.read_as else []
        lacking = [name for name in required_columns(contract) if name not in names]
        slip = objection_to(compare_names(names, contract, training=True), contract)
        return Verdict(report.refused or slip or f"lacks {', '.join(lacking)}")
    found: dict[int, Row] = {}
    try:
        read_as, blocks = read_file(f"raw/{name}", body, contract, column_kinds(contract, contract.inputs))
        for rows in blocks:
            table = parse(contract, rows.columns, len(rows.lines), text=rows.text, decimal=read_as.decimal or ".")
            found |= dict(zip(rows.lines.tolist(), rows_of(contract, table), strict=True))
            found |= {broken.line: {"": Reason(broken.reason)} for broken in rows.broken}
    except RefusedFile as error:
        return Verdict(str(error))
    return Verdict(rows=dict(sorted(found.items())), read_as=read_as.document())


def batch_verdict(contract: Contract, name: str, body: bytes, *, shard_bytes: int) -> Verdict:
    """What batch makes of a file, planned and cut by its steps into shards of about so many bytes."""
    machine = Machine(contract, shard_bytes=shard_bytes, served=False)
    serve(machine.models, contract, b"no model: nothing is scored here")
    done = machine.prepare(name, body)
    if done["status"] == "refused":
        return Verdict(done["message"].removeprefix(f"{name} "))
    plan = machine.plan_of(done["batch"])
    cut = documents.read(machine.batch, layout.batch(plan.batch, "shards.json"), Cut)
    found: dict[int, Row] = {}
    for shard in cut.shards:
        found |= _rows(machine.batch, plan, shard, contract)
    decided = {
        "encoding": plan.head.transcoded or plan.head.encoding,
        "delimiter": plan.head.delimiter if plan.input.format == "csv" else "",
        "decimal": plan.head.decimal if plan.input.format == "csv" else "",
        "thousands": plan.head.thousands,
    }
    return Verdict(rows=dict(sorted(found.items())), read_as={key: text for key, text in decided.items() if text})


def _rows(objects: Objects, plan: BatchPlan, shard: Shard, contract: Contract) -> dict[int, Row]:
    found: dict[int, Row] = {}
    with read_rows(objects, plan, shard, contract) as reading:
        for rows in reading.rows():
            table = parse(contract, rows.columns, len(rows.lines), text=rows.text, decimal=plan.head.decimal)
            found |= dict(zip(rows.lines.tolist(), rows_of(contract, table), strict=True))
            found |= {broken.line: {"": Reason(broken.reason)} for broken in rows.broken}
    return found
