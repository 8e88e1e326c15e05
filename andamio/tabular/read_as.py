"""How a file was read: a record for manifests, the report of the data and the model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from andamio.tabular.signature import Format
from andamio.tabular.text.encoding import Basis

_FORMATS = {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet"}
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(slots=True)
class ReadAs:
    """How a file was read. `names` are its columns, of JSON Lines complete once all rows are read."""

    format: Format
    encoding: str = ""
    encoding_basis: Basis | None = None
    delimiter: str = ""
    decimal: str = ""
    thousands: str = ""
    compression: str = ""
    names: list[str] = field(default_factory=list)

    def document(self) -> dict[str, str]:
        """The part of it that a manifest holds: every decision, without the names of columns."""
        decided = ("format", "encoding", "encoding_basis", "delimiter", "decimal", "thousands", "compression")
        return {name: value for name in decided if (value := getattr(self, name))}


def assumptions(document: Mapping[str, str]) -> list[str]:
    """Assumptions about a file that could be wrong, in words that follow its name.

    `document` is what `ReadAs.document` gave.
    """
    found = []
    if document.get("encoding_basis") == "assumption":
        found.append(f"is not UTF-8 and was read as {document['encoding']}; if that is wrong, say [data] encoding")
    if document.get("decimal") == ",":
        found.append("has decimal commas in its numbers")
    return found


def in_words(document: Mapping[str, str]) -> str:
    """How a file was read, for a table: "CSV, cp1252 (assumed), semicolons, decimal commas"."""
    form, encoding = document.get("format"), document.get("encoding", "")
    parts = [_FORMATS.get(str(form), ""), encoding + " (assumed)" * (document.get("encoding_basis") == "assumption")]
    if form == "csv":
        delimiter = document.get("delimiter", ",")
        parts.append(_DELIMITERS.get(delimiter, f"delimiter {delimiter!r}"))
        parts.append("decimal commas" if document.get("decimal") == "," else "")
        parts.append(f"{document['thousands']!r} between thousands" if document.get("thousands") else "")
    return ", ".join(part for part in [*parts, document.get("compression", "")] if part)
