"""Scoring: records in, predictions out, and a log line for each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio import names
from andamio.errors import InvalidRecord, ReleaseError, Violation
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records, unknown_field
from andamio.records.names import in_contract_form
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.tabular.csv.request_body import CsvText
from lambdas.api import log
from lambdas.api.champion.champion import Champion
from lambdas.api.predictions.capture import Capture
from lambdas.api.replies.problems import RequestError
from lambdas.api.replies.reply import MOST_REPLY_BYTES, travelling
from lambdas.api.replies.reply import encode as encode_json
from lambdas.api.requests.records import RecordId, Records, check_size

Prediction = dict[str, Any]


def predict(champion: Champion, capture: Capture, records: Records, route: str, started: float) -> list[Prediction]:
    """Score records, all or none; raises `InvalidRecord` that names every field that is wrong.

    `capture` says which lines hold the record. `started` is `time.perf_counter()` when the request came: each line's
    `duration_ms` counts from it.
    """
    contract = champion.contract
    check_size(records.features, len(contract.inputs))
    table = parse_records(contract, records.features)
    return _answer(champion, capture, table, records.features, records.ids, route, started)


def predict_csv(champion: Champion, capture: Capture, text: CsvText, route: str, started: float) -> list[Prediction]:
    """Score the rows of a CSV text, all of them or none; raises `InvalidRecord`."""
    contract = champion.contract
    unknown = [unknown_field(contract, name) for name in text.columns if name not in champion.allowed]
    if unknown:
        raise InvalidRecord(
            [Violation(0, field or "header", reason, "unknown-field") for field, reason in unknown[:100]]
        )
    table = parse(contract, text.columns, len(text.lines), text=True, decimal=text.decimal)
    if table.violations:
        raise InvalidRecord(sorted(table.violations, key=lambda problem: problem.row))
    features = _values(table)
    check_size(features, len(contract.inputs))
    return _answer(champion, capture, table, features, [None] * len(text.lines), route, started)


def _answer(
    champion: Champion,
    capture: Capture,
    table: Table,
    features: Sequence[Any],
    ids: Sequence[RecordId],
    route: str,
    started: float,
) -> list[Prediction]:
    contract = champion.contract
    indices, numbers = champion.answers.split(scores_of(champion, encode(contract, table)))
    model = {"name": contract.problem.name, "version": champion.version}
    fields = champion.answers.told.fields
    predictions = []
    for row, index, record_id in zip(numbers.tolist(), indices.tolist(), ids, strict=True):
        prediction_id = secrets.token_hex(16)
        predictions.append(
            {
                "prediction_id": prediction_id,
                "record_id": record_id,
                **fields(index, row),
                "model": model,
                "audit": capture.wants_label(prediction_id),
            }
        )
    if len(predictions) * champion.reply_bytes > MOST_REPLY_BYTES:
        _check_reply(predictions)
    _log(champion, capture, predictions, features, route, started)
    return predictions


def invocation_of(prediction: Prediction) -> Prediction:
    """A prediction as MLflow's protocol has it: what was answered first, without what all rows share."""
    left_out = ("prediction_id", "record_id", "model", "audit")
    answer = {key: value for key, value in prediction.items() if key not in left_out}
    return {**answer, "prediction_id": prediction["prediction_id"], "audit": prediction["audit"]}


def _check_reply(predictions: Sequence[Prediction]) -> None:
    """Refuse what Lambda would not carry, before a prediction is logged; raises `RequestError` (413)."""
    size, count = travelling(encode_json(predictions)), len(predictions)
    if size > MOST_REPLY_BYTES:
        fits = max(1, MOST_REPLY_BYTES * count // size)
        raise RequestError(
            "reply-too-large",
            f"The answer to {count} records would have {size} bytes, and a reply may have {MOST_REPLY_BYTES}. Send at "
            f"most {fits} records at a time, or a file to /batches.",
        )


def scores_of(champion: Champion, encoded: Encoded) -> NDArray[np.float32]:
    """The model's answer; raises `InvalidRecord` where it has none that is finite.

    A release that cannot answer is refused when it is loaded, so here it is the record that is out of
    all proportion: a number without a range in the contract, large enough to overflow in the model.
    """
    try:
        return champion.model.predict(encoded)
    except ReleaseError as error:
        log.error(error, release=champion.version)
        without_answer = [row for row in range(encoded.rows) if not _answers(champion, encoded.take(np.array([row])))]
        if not without_answer:
            raise
        reason = "the model has no finite answer: a number without a range is too large"
        raise InvalidRecord([Violation(row, "", reason, "no-answer") for row in without_answer]) from error


def _answers(champion: Champion, one: Encoded) -> bool:
    try:
        champion.model.predict(one)
    except ReleaseError:
        return False
    return True


def _log(
    champion: Champion,
    capture: Capture,
    predictions: Sequence[Prediction],
    features: Sequence[Any],
    route: str,
    started: float,
) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    duration = round((time.perf_counter() - started) * 1000, 3)
    log.write(
        {
            "event": names.EVENT_PREDICTION,
            "time": now,
            "route": route,
            **prediction,
            **(
                {"features": _shown(champion, record)}
                if capture.keeps(prediction["prediction_id"], prediction["audit"])
                else {}
            ),
            "duration_ms": duration,
        }
        for prediction, record in zip(predictions, features, strict=True)
    )


def _shown(champion: Champion, record: Mapping[str, object]) -> Mapping[str, object]:
    """What a line may hold of a valid record: all but private features, however their names are spelled."""
    hidden = champion.hidden
    if not hidden:
        return record
    if not record.keys() <= champion.allowed:
        record = in_contract_form(record, champion.allowed)
    return {name: value for name, value in record.items() if name not in hidden}


def _values(table: Table) -> list[dict[str, object]]:
    """The rows of a table as JSON values, None where there is none."""
    columns = {}
    for name, column in table.columns.items():
        if column.dtype == object:
            columns[name] = [text or None for text in column]
        elif column.dtype.kind == "M":
            columns[name] = [None if np.isnat(day) else str(day) for day in column]
        else:
            columns[name] = [None if value != value else value for value in column.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
