"""Feedback: the true label of a prediction, as it became known. The API writes it, the watch reads it.

One request is one object in the lake, of one JSON line for each label. Nothing else is written: a label is a statement
about a prediction, of its own time and source, and no correction of raw data or of a data version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import intern

from andamio.contract import Contract
from andamio.errors import DocumentError
from andamio.storage import layout
from andamio.storage.ports import Objects

_PREDICTION, _RECORD = "prediction_id", "record_id"
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Statement:
    """What a client says: the class (its key in the contract) of a prediction, or of a record's newest prediction.

    One of `prediction_id` and `record_id` is None; a record id is canonical text.
    """

    prediction_id: str | None
    record_id: str | None
    label: str


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
            yield Feedback(said.get(_PREDICTION), said.get(_RECORD), intern(label), moments[text], intern(version))
        except (ValueError, KeyError, TypeError) as error:
            raise DocumentError(f"{key}, line {number}: no statement of a label ({type(error).__name__})") from error


def _subject(one: Statement) -> dict[str, str | None]:
    return {_PREDICTION: one.prediction_id} if one.prediction_id is not None else {_RECORD: one.record_id}
