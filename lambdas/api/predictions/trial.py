"""A challenger's part in a request: what it scores, what it answers, and that its faults reach no caller."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from andamio import names
from andamio.errors import InvalidRecord, ReleaseError
from andamio.records.encode import encode
from andamio.records.table import Table
from lambdas.api.champion.challenger import Challenger, failed
from lambdas.api.champion.champion import Champion
from lambdas.api.predictions.values import values_of

Prediction = dict[str, Any]
Reader = Callable[[Champion, Sequence[int]], Table]
"""Reads some records of a request as the contract of a release has it; raises `InvalidRecord`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the lines of a request say of a trial, by prediction id; times in ms a record, of encoding and scoring.

    `champion` is the release whose contract said what is valid. `seen` are the features of answered records as the
    challenger's contract has them, where the champion's has others.
    """

    challenger: Challenger
    champion: str
    champion_ms: float
    challenger_ms: float = 0.0
    answered: frozenset[str] = frozenset()
    shadowed: dict[str, Prediction] = field(default_factory=dict)
    seen: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def fields(self, prediction_id: str) -> dict[str, object]:
        """What the line of a prediction has besides."""
        own = prediction_id in self.answered
        return {
            "variant": names.CHALLENGER if own else names.CHAMPION,
            "rollout": self.challenger.rollout,
            "validated_by": self.champion,
            "model_ms": round(self.challenger_ms if own else self.champion_ms, 4),
        }

    def shadows(self, predictions: Sequence[Prediction], now: str) -> Iterator[dict[str, object]]:
        """A line for each pair: what the champion answered, and what the challenger would have."""
        for prediction in predictions:
            shadow = self.shadowed.get(prediction["prediction_id"])
            if shadow is not None:
                yield {
                    "event": names.EVENT_SHADOW,
                    "time": now,
                    "variant": names.SHADOW,
                    "rollout": self.challenger.rollout,
                    "prediction_id": prediction["prediction_id"],
                    "record_id": prediction["record_id"],
                    **shadow,
                    "champion": {
                        key: prediction[key]
                        for key in ("label", "probabilities", "value", "interval")
                        if key in prediction
                    },
                    "model_ms": round(self.challenger_ms, 4),
                }


def try_challenger(
    challenger: Challenger, champion: Champion, predictions: list[Prediction], read: Reader, champion_seconds: float
) -> Trial:
    """Let a challenger score its records, and put its answers in place of the champion's where it answers.

    `predictions` are the champion's, of all records; `champion_seconds` is what they took. Whatever goes wrong is
    logged and counted, and the champion's answers stay.
    """
    champion_ms = 1000 * champion_seconds / max(1, len(predictions))
    if challenger.strategy == "shadow":
        rows = list(range(len(predictions)))
    else:
        rows = [
            row for row, one in enumerate(predictions) if challenger.answers(one["record_id"], one["prediction_id"])
        ]
    if not rows:
        return Trial(challenger, champion.version, champion_ms)
    model = challenger.model
    try:
        table = read(model, rows)
        started = time.perf_counter()
        found = list(_answers(model, table))
        challenger_ms = 1000 * (time.perf_counter() - started) / len(rows)
        same = challenger.strategy == "shadow" or model.contract.served_digest == champion.contract.served_digest
        seen = [] if same else values_of(table)
    except Exception as error:  # an error of any type must not stop the champion's answer
        failed(challenger.rollout, model.version, error, code_of(error), len(rows))
        return Trial(challenger, champion.version, champion_ms)
    ids = [predictions[row]["prediction_id"] for row in rows]
    if challenger.strategy == "shadow":
        return Trial(
            challenger, champion.version, champion_ms, challenger_ms, shadowed=dict(zip(ids, found, strict=True))
        )
    for row, answer in zip(rows, found, strict=True):
        predictions[row].update(answer)
    # Lines of one release are read by its contract, so they have its features.
    own = dict(zip(ids, seen, strict=False))
    return Trial(challenger, champion.version, champion_ms, challenger_ms, answered=frozenset(ids), seen=own)


def code_of(error: Exception) -> str:
    """What kind of fault of a challenger an error is."""
    if isinstance(error, InvalidRecord):
        return "record-refused"  # which the champion's contract takes
    return "no-answer" if isinstance(error, ReleaseError) else "unexpected"


def _answers(model: Champion, table: Table) -> Iterator[Prediction]:
    indices, numbers = model.answers.split(model.model.predict(encode(model.contract, table)))
    fields, version = model.answers.told.fields, {"name": model.contract.problem.name, "version": model.version}
    for row, index in zip(numbers.tolist(), indices.tolist(), strict=True):
        yield {**fields(index, row), "model": version}
