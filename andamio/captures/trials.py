"""What a delivery of log lines says of a trial: who answered, how long it took, and what went wrong.

One object a delivery under `trials/ROLLOUT/` of the lake; the rule that ends the trial adds them up. It has no records,
only the answers by the ids of predictions and records, with which the true labels are joined.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from andamio import names
from andamio.contract.canonical import canonical
from andamio.storage.documents import Document, Part

STEPS_PER_DOUBLING = 4
"""Buckets of the histogram of times for each factor of two: a median is right to within a fifth."""

Line = Mapping[str, Any]
_ROLLOUT = re.compile(r"[0-9a-f]{16}-\d{1,9}")


class TrialValue(Part):
    """A number that was answered, with the ends of its interval."""

    value: float
    low: float
    high: float


Answer = str | TrialValue
"""A label, or of a regression a number."""


def agree(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same label, or numbers of which each lies in the other's interval."""
    if isinstance(one, TrialValue) and isinstance(other, TrialValue):
        return one.low <= other.value <= one.high and other.low <= one.value <= other.high
    return one == other


def error_of(answer: Answer, truth: str | float) -> float | None:
    """How far a number lies from the true one; None where one of them is no number."""
    return abs(answer.value - truth) if isinstance(answer, TrialValue) and isinstance(truth, float) else None


def better(one: Answer, other: Answer, truth: str | float) -> bool:
    """Whether the first of two answers to the same record is right: of two numbers, whether it is the nearer one."""
    if isinstance(one, TrialValue) and isinstance(other, TrialValue):
        return isinstance(truth, float) and abs(one.value - truth) < abs(other.value - truth)
    return one == truth


class TrialRow(Part):
    """A prediction of a trial: who answered, the answer, and the shadow's answer where there was one."""

    prediction_id: str
    record_id: str | None
    time: str
    variant: str
    label: Answer
    shadow: Answer | None


class TrialPart(Document):
    """`trials/ROLLOUT/part-DIGEST.json`: one delivery.

    `scored` are records by variant, `times` by variant and bucket (`bucket_of`). `faults` are the challenger's by code,
    a line each, of `failed` records. Of `pairs` the two models disagreed on `disagreed`.
    """

    rollout: str
    scored: dict[str, int]
    times: dict[str, dict[str, int]]
    faults: dict[str, int]
    failed: int
    pairs: int
    disagreed: int
    rows: list[TrialRow]


def bucket_of(milliseconds: float) -> int:
    """The bucket of a time."""
    return round(STEPS_PER_DOUBLING * math.log2(max(milliseconds, 1e-4)))


def milliseconds_of(bucket: int) -> float:
    """The time that stands for a bucket."""
    return float(2.0 ** (bucket / STEPS_PER_DOUBLING))


def part_of(rollout: str, lines: Iterable[Line], *, rows: bool) -> TrialPart:
    """Lines of one trial, which are as `read_line` takes them; without `rows` no prediction is told apart."""
    scored: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    times: dict[str, Counter[str]] = {}
    kept: list[TrialRow] = []
    failed = pairs = disagreed = 0
    shadows = {}
    predictions = []
    for line in lines:
        if line["event"] == names.EVENT_CHALLENGER_FAILED:
            faults[line["code"]] += 1
            failed += line["records"]
            continue
        variant = str(line["variant"])
        scored[variant] += 1
        times.setdefault(variant, Counter())[str(bucket_of(line["model_ms"]))] += 1
        if line["event"] == names.EVENT_SHADOW:
            pairs += 1
            disagreed += not agree(_answer(line), _answer(line["champion"]))
            shadows[line["prediction_id"]] = line
        else:
            predictions.append(line)
    known = {line["prediction_id"] for line in predictions}
    for line in predictions:
        shadow = shadows.get(line["prediction_id"])
        kept.append(_row(line, str(line["variant"]), _answer(line), _answer(shadow) if shadow else None))
    for name, line in shadows.items():
        if name not in known:  # its prediction came with another delivery
            kept.append(_row(line, names.CHAMPION, _answer(line["champion"]), _answer(line)))
    return TrialPart(
        rollout=rollout,
        scored=dict(scored),
        times={variant: dict(found) for variant, found in times.items()},
        faults=dict(faults),
        failed=failed,
        pairs=pairs,
        disagreed=disagreed,
        rows=kept if rows else [],
    )


def read_line(line: Line) -> bool:
    """Whether a line is one of a trial, as the API writes it."""
    if not _ROLLOUT.fullmatch(str(line.get("rollout"))) or not isinstance(line.get("variant"), str):
        return False
    if line.get("event") == names.EVENT_CHALLENGER_FAILED:
        return isinstance(line.get("code"), str) and type(line.get("records")) is int
    champion = line.get("champion", line)
    return (
        isinstance(line.get("model_ms"), int | float)
        and math.isfinite(line["model_ms"])
        and all(isinstance(line.get(key), str) for key in ("prediction_id", "time"))
        and _has_answer(line)
        and isinstance(champion, Mapping)
        and _has_answer(champion)
        and (line.get("event") == names.EVENT_PREDICTION or "champion" in line)
    )


def _has_answer(said: Line) -> bool:
    """Whether a line, or what it says of the champion, has a label, or a number with its interval."""
    if "value" not in said:
        return isinstance(said.get("label"), str)
    interval = said.get("interval")
    numbers = [said["value"], interval.get("low"), interval.get("high")] if isinstance(interval, Mapping) else [None]
    return all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)


def _answer(said: Line) -> Answer:
    if "value" not in said:
        return str(said["label"])
    return TrialValue(value=said["value"], low=said["interval"]["low"], high=said["interval"]["high"])


def _row(line: Line, variant: str, label: Answer, shadow: Answer | None) -> TrialRow:
    return TrialRow(
        prediction_id=line["prediction_id"],
        record_id=canonical(line.get("record_id")) or None,
        time=line["time"],
        variant=variant,
        label=label,
        shadow=shadow,
    )
