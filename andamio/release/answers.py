"""What a release says of a record: its model's scores, told in the terms of its task.

Everything that serves asks here, and looks at no task itself: replies of the API, columns of scored files, items of the
table and log lines have the same fields. `answers_of` is the dispatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Classification, Regression
from andamio.errors import ReleaseError
from andamio.release.threshold import labels_from
from andamio.stats.conformal import Margins

if TYPE_CHECKING:
    from andamio.release.release import Release

Scores = NDArray[np.float32]
Labels = NDArray[np.int64]
Fields = dict[str, Any]


class Told(Protocol):
    """How one answer is told, which needs no model: an index `[rows]` and numbers `[rows, len(numbers)]` are enough."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a scored file has of it."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those of them that are numbers: the last ones, in this order."""

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The cells of the other columns, by the index of an answer."""

    def fields(self, index: int, numbers: Sequence[float]) -> Fields:
        """What a reply, an item of the table and a log line say of it."""


class Answers(Protocol):
    """The answers of a release."""

    @property
    def told(self) -> Told:
        """How they are told."""

    def split(self, scores: Scores) -> tuple[Labels, Scores]:
        """The index `[rows]` and numbers `[rows, len(told.numbers)]` of each answer, of scores `[rows, outputs]`."""

    def longest(self) -> Iterator[Fields]:
        """Fields of which one is the longest that an answer can have in JSON."""

    def explained(self, scores: Scores) -> tuple[int, Fields]:
        """The output that is explained of the one row `[1, outputs]`, and what an explanation says of it."""

    def shortened(self, contribution: float) -> float:
        """A contribution to an answer, as a log line has it."""

    def about(self) -> Fields:
        """What a client is told of them, whatever the record."""

    def fault(self, scores: Scores) -> str | None:
        """What is wrong with finite scores `[rows, outputs]`; None where nothing is."""


@dataclass(frozen=True, slots=True)
class ToldClasses:
    """A class, its text, and the probability of each class; the index is the class's."""

    classes: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Key, text and probabilities."""
        return ("label", "label_text", *self.numbers)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The probability of each class."""
        return tuple(f"probability_{name}" for name in self.classes)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Key and text of each class."""
        return tuple((name, self.labels[name]) for name in self.classes)

    def fields(self, index: int, numbers: Sequence[float]) -> Fields:
        """Key, text and probabilities."""
        label = self.classes[index]
        return {
            "label": label,
            "label_text": self.labels[label],
            "probabilities": dict(zip(self.classes, numbers, strict=True)),
        }


@dataclass(frozen=True, slots=True)
class ClassAnswers:
    """The answers of a classifier: `positive` is the positive class of two, or -1."""

    told: ToldClasses
    positive: int
    threshold: float

    def split(self, scores: Scores) -> tuple[Labels, Scores]:
        """The class of each row, by the threshold, and the probabilities."""
        return labels_from(scores, self.positive, self.threshold), scores

    def longest(self) -> Iterator[Fields]:
        """Each class with the longest numbers."""
        numbers = [_LONGEST_NUMBER] * len(self.told.classes)
        return (self.told.fields(index, numbers) for index in range(len(self.told.classes)))

    def explained(self, scores: Scores) -> tuple[int, Fields]:
        """The positive class of two, the predicted one of more."""
        (label,) = labels_from(scores, self.positive, self.threshold).tolist()
        output = self.positive if self.positive >= 0 else label
        classes, labels = self.told.classes, self.told.labels
        return output, {
            "label": classes[label],
            "label_text": labels[classes[label]],
            "class": classes[output],
            "class_text": labels[classes[output]],
            "probability": float(scores[0, output]),
        }

    def shortened(self, contribution: float) -> float:
        """To six decimals, as probabilities are."""
        return round(contribution, 6)

    def about(self) -> Fields:
        """The classes with their texts, the positive one of two, and its threshold."""
        positive = self.told.classes[self.positive] if self.positive >= 0 else None
        return {"classes": dict(self.told.labels), "positive": positive, "threshold": self.threshold}

    def fault(self, scores: Scores) -> str | None:
        """Probabilities sum to 1."""
        return None if np.allclose(scores.sum(axis=1), 1.0, atol=1e-3) else "probabilities do not sum to 1"


@dataclass(frozen=True, slots=True)
class ToldValues:
    """A number in a `unit` with its interval, which holds the truth at a `level`; the index is always 0."""

    level: float
    unit: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The number and the ends of its interval."""
        return self.numbers

    @property
    def numbers(self) -> tuple[str, ...]:
        """The number and the ends of its interval."""
        return ("value", "interval_low", "interval_high")

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """No text."""
        return ((),)

    def fields(self, index: int, numbers: Sequence[float]) -> Fields:
        """Number, interval and unit."""
        value, low, high = numbers
        return {"value": value, "interval": {"low": low, "high": high, "level": self.level}, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class ValueAnswers:
    """The answers of a regression: intervals are `margins` around a value, within the target's range."""

    told: ToldValues
    margins: Margins
    low: float | None
    high: float | None

    def split(self, scores: Scores) -> tuple[Labels, Scores]:
        """Value, low and high of each row."""
        numbers = np.stack([scores[:, 0], *self.margins.around(scores[:, 0], self.low, self.high)], axis=1)
        return np.zeros(len(scores), dtype=np.int64), numbers.astype(np.float32)

    def longest(self) -> Iterator[Fields]:
        """The longest numbers."""
        yield self.told.fields(0, [-_LONGEST_NUMBER] * 3)

    def explained(self, scores: Scores) -> tuple[int, Fields]:
        """The value."""
        _, numbers = self.split(scores)
        return 0, self.told.fields(0, numbers[0].tolist())

    def shortened(self, contribution: float) -> float:
        """To six digits, since the unit may be of any size."""
        return float(f"{contribution:.6g}")

    def about(self) -> Fields:
        """The unit, the range of the target, and the level of the intervals."""
        return {
            "unit": self.told.unit,
            "target_min": self.low,
            "target_max": self.high,
            "interval": {"level": self.told.level},
        }

    def fault(self, scores: Scores) -> str | None:
        """Any finite number is an answer."""
        return None


_LONGEST_NUMBER = 1.1754943508222875e-38
"""The number between 0 and 1 that has the most digits as float32."""


def threshold_of(sealed: Mapping[str, Any]) -> float:
    """The threshold that a release or an MLflow model was sealed with; raises `ReleaseError`."""
    threshold = sealed.get("threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ReleaseError("its threshold must be a number between 0 and 1")
    return float(threshold)


def _classes(contract: Contract, sealed: Mapping[str, Any]) -> Answers:
    told = ToldClasses(contract.classes, contract.texts)
    return ClassAnswers(told, contract.positive_index, threshold_of(sealed))


def _values(contract: Contract, task: Regression, sealed: Mapping[str, Any]) -> Answers:
    said = sealed.get("interval")
    try:
        margins = Margins(**(said or {}))
    except (TypeError, ValueError):
        raise ReleaseError("its interval must have level, low, high and scale, and may have widths") from None
    return ValueAnswers(ToldValues(margins.level, task.unit), margins, task.low, task.high)


def answers_of(contract: Contract, sealed: Mapping[str, Any]) -> Answers:
    """The answers of a release that was `sealed` with these values; raises `ReleaseError` where they do not do."""
    match contract.task:
        case Classification():
            return _classes(contract, sealed)
        case Regression() as task:
            return _values(contract, task, sealed)


def sealed_answers(release: Release, contract: Contract) -> Answers:
    """The answers of an open release under its contract; raises `ReleaseError` that names the release."""
    try:
        return answers_of(contract, release.info)
    except ReleaseError as error:
        raise ReleaseError(f"release {release.version}: {error}") from None


def stored_fields(item: Mapping[str, Any]) -> Fields:
    """The fields of an answer that an item of the table has."""
    if "value" in item:
        # The table writes 1.0 as 1.
        return {"value": float(item["value"]), "interval": item["interval"], "unit": item["unit"]}
    return {name: item[name] for name in ("label", "label_text", "probabilities")}


def told_of(classes: Sequence[str], texts: Mapping[str, str], interval: Mapping[str, Any] | None, unit: str) -> Told:
    """How answers are told of which only so much is known; with an `interval` they are numbers."""
    return ToldClasses(tuple(classes), texts) if interval is None else ToldValues(float(interval["level"]), unit)
