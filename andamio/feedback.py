"""Feedback: the true label of a prediction, as it became known. The API writes it, the watch reads it.

One request is one object in the lake, of one JSON line for each label. Nothing else is written: a label is a statement
about a prediction, of its own time and source, and no correction of raw data or of a data version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Protocol

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.tables import LARGEST_NUMBER
from andamio.contract.task import Classification, Regression
from andamio.errors import DocumentError
from andamio.records.cells import number_written
from andamio.records.columns import NoValue, no_value
from andamio.storage import layout
from andamio.storage.ports import Objects

_CLASSES_SHOWN = 20
_PREDICTION, _RECORD = "prediction_id", "record_id"
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Statement:
    """What a client says of a prediction, or of a record's newest prediction: the class (its key), or the number.

    One of `prediction_id` and `record_id` is None; a record id is canonical text.
    """

    prediction_id: str | None
    record_id: str | None
    label: str | float


@dataclass(frozen=True, slots=True)
class Feedback(Statement):
    """A statement in the lake: when it was received, and the version of the release that served then."""

    received: datetime
    model_version: str


def labels_of(contract: Contract) -> dict[str, str]:
    """What may be sent as a label, as canonical text, and the key of the class that it means.

    A class's key, as a prediction has it, and the values of the target column that mean it, as data have it. A text
    that is the key of one class and a value of another means neither.
    """
    classes = contract.classes
    meant = {value: classes[index] for value, index in contract.label_index.items()}
    ambiguous = {key for key in classes if meant.get(key, key) != key}
    return {text: key for text, key in ({key: key for key in classes} | meant).items() if text not in ambiguous}


class Truths(Protocol):
    """Reads what clients say is true, by the task of a contract: `truths_of` is the dispatch."""

    def read(self, value: object) -> str | float | None:
        """The class's key, or the number; None where the value is neither."""

    def read_text(self, text: str) -> str | float | None:
        """What a cell of a file says, as it is sent: the text, or the number; None where it is neither."""

    def is_absent(self, text: str) -> bool:
        """Whether a cell of a file says that there is no value."""

    @property
    def refused(self) -> str:
        """What is wrong with a cell that is neither, for a message."""

    @property
    def expected(self) -> str:
        """What a value must be, for a message."""

    @property
    def missing(self) -> str:
        """What must be there, for a message where nothing is."""


@dataclass(frozen=True, slots=True)
class TrueClasses:
    """`known` has what may be said, as canonical text, and the key of the class that it means; `texts` are shown."""

    known: Mapping[str, str]
    texts: Mapping[str, str]
    absent: NoValue

    def read(self, value: object) -> str | None:
        """The key of the class that a text, a number or a boolean means."""
        return self.known.get(canonical(value)) if isinstance(value, str | int | float) else None

    def read_text(self, text: str) -> str | None:
        """The text, where it means a class."""
        return text if text in self.known else None

    def is_absent(self, text: str) -> bool:
        """As data have it."""
        return text in self.absent.texts

    @property
    def refused(self) -> str:
        """It is no class."""
        return f"is none of {', '.join(self.known)}"

    @property
    def missing(self) -> str:
        """A class."""
        return "expected the true class"

    @property
    def expected(self) -> str:
        """The first classes with their texts."""
        shown = [f"{text} ({self.texts[key]})" for text, key in list(self.known.items())[:_CLASSES_SHOWN]]
        return f"expected one of {', '.join(shown)}{', ...' if len(self.known) > _CLASSES_SHOWN else ''}"


@dataclass(frozen=True, slots=True)
class TrueNumbers:
    """A number of a regression's target, in its unit; texts have the `decimal` mark that data have."""

    task: Regression
    absent: NoValue
    decimal: str

    def read(self, value: object) -> float | None:
        """A finite number within the target's range that does not stand for no value; a text is none."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
            return None
        if value in self.absent.numbers:
            return None
        return float(value) if self.task.holds(value) else None

    def read_text(self, text: str) -> float | None:
        """The number that is written, as data are read."""
        return self.read(number_written(text, self.decimal))

    def is_absent(self, text: str) -> bool:
        """As data have it: -999.0 is -999."""
        return text in self.absent.texts or number_written(text, self.decimal) in self.absent.numbers

    @property
    def refused(self) -> str:
        """It is no number of the target."""
        return f"cannot be: {self.expected}{', with a decimal comma' * (self.decimal == ',')}"

    @property
    def missing(self) -> str:
        """The range and the unit."""
        return self.expected

    @property
    def expected(self) -> str:
        """The range and the unit."""
        low, high, unit = self.task.low, self.task.high, self.task.unit
        bounds = {"at least": low, "at most": high}
        ends = [f"{words} {bound:.15g}" for words, bound in bounds.items() if bound is not None]
        within = [number for number in sorted(self.absent.numbers) if self.task.holds(number)]
        other = f"other than {', '.join(f'{number:.15g}' for number in within)} ([data] missing)"
        return " ".join(
            [
                "expected a number",
                *([f"in {unit}"] if unit else []),
                *([" and ".join(ends)] if ends else []),
                *([other] if within else []),
            ]
        )


def truths_of(contract: Contract) -> Truths:
    """What may be said to be true under a contract."""
    absent = no_value(contract.data.missing)
    match contract.task:
        case Classification():
            return TrueClasses(labels_of(contract), contract.texts, absent)
        case Regression() as task:
            return TrueNumbers(task, absent, contract.data.decimal or ".")


def keep(lake: Objects, said: Sequence[Statement], received: datetime, model_version: str) -> str:
    """Write the statements of one request as one object, and return its digest; later ones win over earlier ones.

    The same request within an hour is the same object, with the time at which it was said last: a label that is taken
    back and then said again counts as said again. What it
    replaces is an earlier version of the object, which is not read.
    """
    digest = hashlib.sha256(_encode([[one.prediction_id, one.record_id, one.label] for one in said]).encode())
    name = digest.hexdigest()[:32]
    served = {"received": received.isoformat(timespec="milliseconds"), "model_version": model_version}
    lines = [_encode({**_subject(one), "label": one.label, **served}) + "\n" for one in said]
    lake.put(layout.feedback(received, f"{name}.jsonl"), "".join(lines).encode(), content_type="application/jsonl")
    return name


def read(key: str, body: bytes) -> Iterator[Feedback]:
    """The statements of one object, in the order of the request; raises `DocumentError` that names key and line."""
    moments: dict[str, datetime] = {}
    for number, line in enumerate(body.splitlines(), 1):
        try:
            said = json.loads(line)
            text, label, version = said["received"], said["label"], said["model_version"]
            if text not in moments:
                moments[text] = datetime.fromisoformat(text)
            # Labels and versions are few, and a window may hold a million statements.
            label = intern(label) if isinstance(label, str) else float(label)
            yield Feedback(said.get(_PREDICTION), said.get(_RECORD), label, moments[text], intern(version))
        except (ValueError, KeyError, TypeError) as error:
            raise DocumentError(f"{key}, line {number}: no statement of a label ({type(error).__name__})") from error


def _subject(one: Statement) -> dict[str, str | None]:
    return {_PREDICTION: one.prediction_id} if one.prediction_id is not None else {_RECORD: one.record_id}
