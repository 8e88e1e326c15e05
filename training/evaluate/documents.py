"""What evaluation, decision and promotion write, and what a decision needs of them."""

from __future__ import annotations

from typing import Literal

from andamio.gate.decision import Decision, Figure
from andamio.release.pointer import PointerEntry
from andamio.storage.documents import Document, Part

Points = list[list[float]]


class Success(Part):
    """Whether the contract's `success` holds."""

    rule: str
    value: float | None
    holds: bool


class CalibrationBin(Part):
    """Rows whose probability is from `low` to `high`: their mean, and the share that came true, with its interval."""

    low: float
    high: float
    rows: int
    mean_predicted: float
    observed: float
    observed_low: float
    observed_high: float


class CalibrationFigures(Part):
    """Probabilities against outcomes: the expected calibration error, and what chance alone does to it."""

    bins: list[CalibrationBin]
    error: float
    by_chance: float
    by_chance_high: float


class Coverage(Part):
    """How often the interval of a prediction held the truth, as a `share` with its own interval; and how wide it is.

    `level` is what it promises, `width` the mean of what it spans in the target's unit, `pinball` the mean pinball loss
    of its two ends, which a narrower interval lowers as long as it holds the truth.
    """

    level: float
    rows: int
    share: float
    low: float
    high: float
    width: float
    pinball: float


class ValueBin(Part):
    """Rows whose prediction is from `low` to `high`: the means of both sides, and how far single rows lie from it."""

    low: float
    high: float
    rows: int
    mean_predicted: float
    mean_actual: float
    error: float
    coverage: float


class Numbers(Part):
    """What is found of a regression: its errors, and its intervals.

    `spread` is the standard deviation of the target on these rows, `bias` the mean of prediction less truth with its
    interval. `points` are [prediction, truth] of at most 500 rows, `bins` at most ten of about equal count.
    """

    unit: str
    log: bool
    spread: float
    bias: Figure
    coverage: Coverage
    bins: list[ValueBin]
    points: Points


class Curves(Part):
    """Points `[x, y]` of the positive class; of more than two classes by class key, each against the rest."""

    roc: Points | dict[str, Points]
    precision_recall: Points | dict[str, Points]


class SliceFigure(Part):
    """The contract's metric on one slice, and its Brier score against the `expected` one.

    A regression has no Brier score: its loss (squared or absolute errors, as the metric has them) is compared with that
    of all rows.

    `excess` is by how much the Brier score is above what the probabilities themselves expect of these rows; it has an
    interval, and `worse` a verdict, where rows are `enough`. An evaluation of an earlier version has none of the three.
    """

    feature: str
    slice: str
    rows: int
    overall: float | None
    value: float | None
    low: float | None
    high: float | None
    brier: float | None = None
    expected: float | None = None
    excess: Figure = Figure(value=None, low=None, high=None)
    worse: bool
    enough: bool


def order_of_slices(part: SliceFigure) -> tuple[bool, bool, float]:
    """The worse slices first, then by what their Brier score is above the expected one at least."""
    return not part.worse, not part.enough, -(part.excess.value or 0.0) if part.excess.low is None else -part.excess.low


class FeatureImportance(Figure):
    """By how much the metric gets worse when one feature is shuffled."""

    feature: str


class Importance(Document):
    """`importance.json`: the features, most important first, on `rows` of the holdout, shuffled `repeats` times."""

    metric: str
    repeats: int
    rows: int
    score: float | None
    features: list[FeatureImportance]


class Assessment(Part):
    """All that is found of a model on the holdout.

    `metrics` with intervals, those of the `baselines` and the `gains` over them, all by metric; `confusion` has a row
    per true class and a column per predicted one, in `class_order`, whose `texts` people are shown; `classes` holds
    rows by class. A holdout with fewer than 10 rows of a class is `low_evidence`: then there are `cross_validated`
    figures, of out-of-fold scores on train, and `success` goes by these. A regression has `numbers`, and nothing of
    what speaks of classes.
    """

    metric: str
    metrics: dict[str, Figure]
    baselines: dict[str, dict[str, Figure]]
    gains: dict[str, dict[str, Figure]]
    threshold: float
    rows: int
    groups: int
    classes: dict[str, int]
    class_order: list[str]
    texts: dict[str, str]
    positive: str | None
    confusion: list[list[int]]
    calibration: CalibrationFigures | None
    curves: Curves | None
    numbers: Numbers | None = None
    slices: list[SliceFigure]
    low_evidence: bool
    cross_validated: dict[str, Figure] | None
    success: Success | None


class Evaluation(Document, Assessment):
    """`evaluation.json`: the assessment of a run's candidate.

    `model` is the SHA-256 of the graph, `size_bytes` its size, `latency_ms` the median time of one record; `files`
    has the SHA-256 of each plot and of `importance.json`.
    """

    format: Literal[2] = 2  # type: ignore[assignment]
    run: str
    dataset: str
    split: str
    trial: str
    model: str
    size_bytes: int
    latency_ms: float
    files: dict[str, str]


class GateDecision(Document, Decision):
    """`decisions/NAME.json`: what the gate decided, and about which state.

    `decision` is the NAME, `revision` and `etag` are those of the pointer, `champion` is its entry; `holdout` is the
    contract's metric. `rows_champion_was_trained_on` are left out of the comparison (`training.evaluate.seen`).
    `champion_unreadable` says why the champion counted as absent, where its files are not what was
    sealed.
    """

    format: Literal[2] = 2  # type: ignore[assignment]
    run: str
    dataset: str
    split: str
    decision: str
    revision: int
    etag: str | None
    champion: PointerEntry | None
    champion_unreadable: str | None = None
    rows_champion_would_refuse: int
    rows_champion_was_trained_on: int = 0
    low_evidence: bool
    holdout: Figure
    latency_ms: float
    size_bytes: int
    success: Success | None


class Promotion(Document):
    """`promoted/NAME.json`: the promotion that decision NAME allowed is complete, in MLflow too."""

    run: str
    decision: str
    release: str
