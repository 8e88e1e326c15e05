"""Explaining: one record in, what each of its features contributed out, and a log line."""

from __future__ import annotations

import time
from typing import Any

from andamio import names
from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.tables import Feature
from andamio.errors import InvalidRecord, ReleaseError, Violation
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.records.table import Table
from andamio.release.answers import Answers
from andamio.release.explain import explain, seed_of
from lambdas.api import log
from lambdas.api.champion.challenger import Challenger, failed
from lambdas.api.champion.champion import Champion
from lambdas.api.predictions.predict import features_of, scores_of
from lambdas.api.predictions.trial import code_of
from lambdas.api.replies.problems import RequestError
from lambdas.api.requests.records import Records, check_size


def check_offered(champion: Champion) -> None:
    """Raise `RequestError` (404) when the release's contract turns explanations off."""
    if not champion.contract.release.explanations:
        raise RequestError(
            "no-explanations",
            "The contract that this release was trained under says [release] explanations = false. To turn them on, "
            "take that line out of problem.toml, deploy, and train: the next release explains.",
        )


def explain_record(
    champion: Champion, challenger: Challenger | None, records: Records, started: float
) -> dict[str, Any]:
    """The explanation by the model that answers the record; raises as `explanation`.

    Without an id of its own a record is explained by the champion: a prediction's id is new each time.
    """
    record_id = records.ids[0]
    if challenger is not None and record_id is not None and challenger.answers(record_id, ""):
        # What the champion does not take is refused, whoever answers.
        table = features_of(champion, parse_records(champion.contract.sent, records.features))
        scores_of(champion, encode(champion.contract, table))
        try:
            return explanation(challenger.model, records, started)
        except Exception as error:  # an error of any type must not stop the champion's answer
            failed(challenger.rollout, challenger.model.version, error, code_of(error))
    return explanation(champion, records, started)


def explanation(champion: Champion, records: Records, started: float) -> dict[str, Any]:
    """Score the one record and explain its score; raises `InvalidRecord` that names every field that is wrong.

    Raises `RequestError` (503) when the release keeps no rows to explain against.
    """
    contract = champion.contract
    check_size(records.features, len(contract.sent.inputs))
    table = features_of(champion, parse_records(contract.sent, records.features))
    encoded = encode(contract, table)
    scores = scores_of(champion, encoded)
    output, fields = champion.answers.explained(scores)
    reference = champion.reference()
    try:
        found = explain(
            champion.model.predict,
            reference,
            encoded,
            float(scores[0, output]),
            output,
            rows=champion.mixtures,
            seed=seed_of(champion.version, encoded),
        )
    except ReleaseError as error:
        log.error(error, release=champion.version)
        reason = "the model has no finite answer near this record: a number without a range is too large"
        raise InvalidRecord([Violation(0, "", reason, "no-answer")]) from error
    values = values_of(contract, table)
    unseen = {name: 0.0 for name in champion.ignored if not contract.inputs[name].private}
    ranked = sorted((found.contributions | unseen).items(), key=lambda item: -abs(item[1]))
    reply = {
        "record_id": records.ids[0],
        **fields,
        "average": found.average,
        "contributions": [
            {
                "feature": name,
                "value": values[name],
                "contribution": contribution,
                "margin": found.margins.get(name, 0.0),
            }
            for name, contribution in ranked
        ],
        "model": {"name": contract.problem.name, "version": champion.version},
        "method": {
            "name": "exact" if found.exact else "permutations",
            "reference_rows": found.rows,
            "evaluations": found.evaluations,
            "standard_error": found.error,
            "held": list(reference.held),
        },
    }
    _log(reply, champion.answers, started)
    return reply


def _log(reply: dict[str, Any], answers: Answers, started: float) -> None:
    fields = {key: value for key, value in reply.items() if key != "contributions"}
    contributions = {item["feature"]: answers.shortened(item["contribution"]) for item in reply["contributions"]}
    log.event(
        names.EVENT_EXPLANATION,
        time=log.now(),
        **fields,
        contributions=contributions,
        duration_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def values_of(contract: Contract, table: Table) -> dict[str, object]:
    """The one row's values as a client writes them, None where there is none."""
    return {name: _value(contract.inputs[name], column.tolist()[0]) for name, column in table.columns.items()}


def _value(feature: Feature, value: Any) -> object:
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, float):
        return bool(value) if feature.type == "boolean" else int(value) if value.is_integer() else value
    if isinstance(value, str):
        return value
    return value.isoformat() if feature.format is None else date_format(feature.format).write(value)
