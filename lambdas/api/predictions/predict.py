"""Scoring: records in, predictions out, and a log line for each.

The champion scores every record, so that what is valid does not depend on who answers. A challenger's answers take the
place of the champion's where they are the challenger's to give (`lambdas.api.predictions.trial`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio import names
from andamio.errors import InvalidRecord, ReleaseError, Violation
from andamio.prepare.rows import prepared
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records, unknown_field
from andamio.records.names import in_contract_form
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.tabular.csv.request_body import CsvText
from lambdas.api import log
from lambdas.api.champion.challenger import Challenger
from lambdas.api.champion.champion import Champion
from lambdas.api.predictions.capture import Capture
from lambdas.api.predictions.trial import Prediction, Reader, Trial, try_challenger
from lambdas.api.predictions.values import values_of
from lambdas.api.replies.problems import RequestError
from lambdas.api.replies.reply import MOST_REPLY_BYTES, travelling
from lambdas.api.replies.reply import encode as encode_json
from lambdas.api.requests.records import RecordId, Records, check_size


def predict(
    champion: Champion,
    capture: Capture,
    records: Records,
    route: str,
    started: float,
    challenger: Challenger | None = None,
) -> list[Prediction]:
    """Score records, all or none; raises `InvalidRecord` that names every field that is wrong.

    `capture` says which lines hold the record. `started` is `time.perf_counter()` when the request came: each line's
    `duration_ms` counts from it.
    """
    contract, sent = champion.contract, records.features
    check_size(sent, len(contract.sent.inputs))

    def read(model: Champion, rows: Sequence[int]) -> Table:
        return features_of(model, parse_records(model.contract.sent, [sent[row] for row in rows]))

    table = read(champion, range(len(sent)))
    features = values_of(table) if contract.has_raw else sent
    return _answer(champion, challenger, capture, Asked(table, features, records.ids, read), route, started)


def features_of(champion: Champion, sent: Table) -> Table:
    """What the model sees of records that were parsed; raises `InvalidRecord`, and `PrepareError` (500)."""
    table = prepared(champion.contract, champion.code, sent)
    if table.violations:
        raise InvalidRecord(sorted(table.violations, key=lambda problem: problem.row))
    return table


def predict_csv(
    champion: Champion,
    capture: Capture,
    text: CsvText,
    route: str,
    started: float,
    challenger: Challenger | None = None,
) -> list[Prediction]:
    """Score the rows of a CSV text, all of them or none; raises `InvalidRecord`."""
    sent = _parsed(champion, text, range(len(text.lines)))
    check_size(values_of(sent), len(champion.contract.sent.inputs))
    table = features_of(champion, sent)

    def read(model: Champion, rows: Sequence[int]) -> Table:
        return features_of(model, _parsed(model, text, rows))

    asked = Asked(table, values_of(table), [None] * len(text.lines), read)
    return _answer(champion, challenger, capture, asked, route, started)


@dataclass(frozen=True, slots=True)
class Asked:
    """The records of a request: as the champion's model sees them, as they are logged, and their ids `[rows]`.

    `read` reads some of them as another release does.
    """

    table: Table
    features: Sequence[Any]
    ids: Sequence[RecordId]
    read: Reader


def _parsed(model: Champion, text: CsvText, rows: Sequence[int]) -> Table:
    """Rows of a CSV text as a release's contract has them sent; raises `InvalidRecord`."""
    contract = model.contract.sent
    unknown = [unknown_field(contract, name) for name in text.columns if name not in model.allowed]
    if unknown:
        raise InvalidRecord(
            [Violation(0, field or "header", reason, "unknown-field") for field, reason in unknown[:100]]
        )
    columns = text.columns
    if len(rows) < len(text.lines):
        columns = {name: [cells[row] for row in rows] for name, cells in columns.items()}
    table = parse(contract, columns, len(rows), text=True, decimal=text.decimal)
    if table.violations:
        raise InvalidRecord(sorted(table.violations, key=lambda problem: problem.row))
    return table


def _answer(
    champion: Champion,
    challenger: Challenger | None,
    capture: Capture,
    asked: Asked,
    route: str,
    started: float,
) -> list[Prediction]:
    contract = champion.contract
    scored = time.perf_counter()
    indices, numbers = champion.answers.split(scores_of(champion, encode(contract, asked.table)))
    took = time.perf_counter() - scored
    model = {"name": contract.problem.name, "version": champion.version}
    fields = champion.answers.told.fields
    predictions = []
    for row, index, record_id in zip(numbers.tolist(), indices.tolist(), asked.ids, strict=True):
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
    largest, trial = champion.reply_bytes, None
    if challenger is not None:
        trial = try_challenger(challenger, champion, predictions, asked.read, took)
        largest = max(largest, challenger.model.reply_bytes)
    if len(predictions) * largest > MOST_REPLY_BYTES:
        _check_reply(predictions)
    _log(champion, capture, predictions, asked.features, route, started, trial)
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
    trial: Trial | None,
) -> None:
    now, hidden = log.now(), champion.hidden
    seen: Mapping[str, Mapping[str, object]] = {}
    if trial is not None:
        hidden = trial.challenger.model.hidden  # its contract's private features, and the champion's
        seen = trial.seen
    duration = round((time.perf_counter() - started) * 1000, 3)
    log.write(
        {
            "event": names.EVENT_PREDICTION,
            "time": now,
            "route": route,
            **prediction,
            **(
                {"features": _shown(seen.get(prediction["prediction_id"], record), hidden, champion.allowed)}
                if capture.keeps(prediction["prediction_id"], prediction["audit"])
                else {}
            ),
            "duration_ms": duration,
            **(trial.fields(prediction["prediction_id"]) if trial is not None else {}),
        }
        for prediction, record in zip(predictions, features, strict=True)
    )
    if trial is not None:
        log.write(trial.shadows(predictions, now))


def _shown(record: Mapping[str, object], hidden: frozenset[str], allowed: frozenset[str]) -> Mapping[str, object]:
    """What a line may hold of a valid record: all but private features, however their names are spelled."""
    if not hidden:
        return record
    if not record.keys() <= allowed:
        record = in_contract_form(record, allowed)
    return {name: value for name, value in record.items() if name not in hidden}
