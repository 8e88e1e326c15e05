"""ETL on sample data, on objects in memory: what it would read, reject, divide and suspect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.documents import DatasetAudit, DatasetManifest, StagedInput
from andamio.errors import PrepareError
from andamio.prepare.code import OwnCode
from andamio.storage import layout
from etl.collect import Sources
from etl.extent import TooMuch, too_large
from etl.publish import CannotSplit, publish, read_audit
from etl.staging import remove_abandoned
from etl.validate import validate


@dataclass(slots=True)
class Rehearsal:
    """What became of sample data: `info` once they were read, `manifest` and `audit` once they made a data version.

    `refused` says why they made none, "" where they did.
    """

    lake: MemoryObjects = field(default_factory=lambda: MemoryObjects("lake"))
    info: StagedInput | None = None
    manifest: DatasetManifest | None = None
    audit: DatasetAudit | None = None
    refused: str = ""


def rehearse(contract: Contract, files: Mapping[str, bytes], code: OwnCode | None = None) -> Rehearsal:
    """Run the steps of ETL on files, by name, with the problem's own code; nothing is left behind."""
    result = Rehearsal()
    lake = result.lake
    for name, body in files.items():
        lake.put(layout.RAW + name, body)
    sources = Sources.now(lake, contract)
    if not sources.objects:
        result.refused = "There are no data: name files of this folder under [data] files."
        return result
    remove_abandoned()
    sources.save(lake)
    result.refused = too_large(lake, contract, sources.objects)
    if result.refused:
        return result
    try:
        result.info = validate(lake, contract, sources, code)
        if result.info is None or result.info.status == "rejected":
            result.refused = (result.info and result.info.message) or "The files changed while they were read."
            return result
        result.manifest = publish(lake, contract, result.info.input, datetime.now(UTC))
    except (TooMuch, CannotSplit, PrepareError) as error:
        result.refused = str(error)
        return result
    result.audit = read_audit(lake, result.manifest.version)
    return result
