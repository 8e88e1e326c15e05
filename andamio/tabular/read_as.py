"""How a file was read, for whoever asks later: its manifest, its report, the card of what was trained on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from andamio.tabular.encoding import Basis
from andamio.tabular.signature import Format


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
        """What a manifest repeats of it: everything that was decided, names left out."""
        decided = ("format", "encoding", "encoding_basis", "delimiter", "decimal", "thousands", "compression")
        return {name: value for name in decided if (value := getattr(self, name))}

    def assumptions(self) -> list[str]:
        """What was assumed of the file, and could be otherwise, in words."""
        found = []
        if self.encoding_basis == "assumption":
            found.append(f"is not UTF-8 and was read as {self.encoding}; if that is wrong, say [data] encoding")
        if self.decimal == ",":
            found.append("has decimal commas in its numbers")
        return found
