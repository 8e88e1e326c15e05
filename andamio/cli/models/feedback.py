"""`andamio feedback`: sends true labels, of a file or of one prediction, to the API."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from andamio.cli.console import done, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.errors import InputFileError, NoModel, UsageError
from andamio.feedback import truths_of
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from scoring.batch import split_prediction_id

_AT_ONCE = 1000
"""Labels that one request holds."""
_DELIMITERS = ",;\t|"
_SHOWN = 20
_ONLINE = re.compile(r"[0-9a-f]{32}")
_LONGEST_RECORD_ID = 2048

Entry = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says: the entries to send, what is wrong by line, and how many rows have no label yet."""

    entries: list[Entry]
    wrong: list[tuple[int, str]]
    waiting: int


def send_one(deployed: dict[str, Any], prediction: str | None, record: str | None, label: str | None) -> None:
    """Send the label of one prediction; raises `UsageError` for what is missing, `ServiceError` for what is refused."""
    if label is None or (prediction is None) == (record is None):
        raise UsageError(
            "Expected a file, or one label: andamio feedback --prediction ID --label LABEL, or --record with your own "
            "id of the record."
        )
    subject = {"record_id": record} if prediction is None else {"prediction_id": prediction}
    told = truths_of(champion_contract(deployed)).read_text(label)
    api.call(deployed, "POST", "/feedback", {**subject, "label": label if told is None else told})
    done("1 label is kept.")


def send_file(deployed: dict[str, Any], file: Path) -> None:
    """Send the labels of a CSV file, a thousand at a time; raises `InputFileError` that lists rows that are wrong.

    The other rows are sent. The same file may be sent again: a label that comes again is the same label.
    """
    found = read(file, champion_contract(deployed))
    for chunk in batched(found.entries, _AT_ONCE, strict=False):
        api.call(deployed, "POST", "/feedback", list(chunk))
    count = len(found.entries)
    done(f"{count} label{' is' if count == 1 else 's are'} kept.")
    if found.waiting:
        note(f"{found.waiting} rows have no label yet: send them when it is known.")
    if found.wrong:
        shown = "".join(f"\n  line {line}: {reason}" for line, reason in found.wrong[:_SHOWN])
        more = f"\n  and {len(found.wrong) - _SHOWN} more" if len(found.wrong) > _SHOWN else ""
        raise InputFileError(f"{file}: {len(found.wrong)} rows cannot be used, the others were sent:{shown}{more}")


def champion_contract(deployed: dict[str, Any]) -> Contract:
    """The contract of the release that serves; raises `NoModel`."""
    objects = account_of(deployed).objects(deployed["buckets"]["models"])
    pointer, _ = read_pointer(objects, deployed["problem"])
    if pointer.champion is None:
        raise NoModel(
            "There is no champion yet, so there are no predictions to label. Upload data: andamio ingest FILE."
        )
    return Release.open(objects, pointer.champion.release).contract()


def read(file: Path, contract: Contract) -> Read:
    """The labels of a CSV file with an id and the target column; raises `InputFileError`.

    The id is `prediction_id`, else `record_id`, else the column of [problem] id. A column `label` is never taken: in a
    scored file it is what was predicted.
    """
    target = contract.problem.target
    truths = truths_of(contract)
    entries: list[Entry] = []
    wrong: list[tuple[int, str]] = []
    waiting = 0
    subject, key, rows = _rows(file, contract)
    for line, row in rows:
        said, value = row.get(subject) or "", canonical(row.get(target) or "")
        label = truths.read_text(value)
        if truths.is_absent(value):
            waiting += 1
        elif label is None:
            wrong.append((line, f"{target} {truths.refused}"))
        elif reason := _why_not(key, said):
            wrong.append((line, f"{subject} {reason}"))
        else:
            entries.append({key: said, "label": label})
    return Read(entries, wrong, waiting)


def _why_not(key: str, said: str) -> str:
    if key == "prediction_id":
        is_one = _ONLINE.fullmatch(said) or split_prediction_id(said)
        return "" if is_one else "is no id of a prediction, as a reply or a scored file has it"
    return "" if 1 <= len(canonical(said)) <= _LONGEST_RECORD_ID else "is no id of a record"


def _rows(file: Path, contract: Contract) -> tuple[str, str, Iterator[tuple[int, dict[str, str]]]]:
    """The column of the id, the key that it is sent under, and the rows with the line that each ends on."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputFileError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputFileError(f"{file} is not UTF-8 text: save it as CSV in UTF-8.") from None
    target = contract.problem.target
    subjects = {"prediction_id": "prediction_id", "record_id": "record_id"}
    if contract.problem.id is not None:
        subjects.setdefault(contract.problem.id, "record_id")
    for delimiter in _DELIMITERS:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = rows.fieldnames or []
        subject = next((name for name in subjects if name in names), None)
        if target in names and subject is not None:
            return subject, subjects[subject], ((rows.line_num, row) for row in rows)
    raise InputFileError(
        f"{file}: expected CSV with a header that has '{target}', the true label, and one of {', '.join(subjects)}. "
        f"The first line is: {text.lstrip().partition(chr(10))[0].strip()[:100] or '(nothing)'}"
    )
