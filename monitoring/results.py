"""What the watch finds in a window, as parts of its report.

Shares are from 0 to 1, `p` is a p-value, null where nothing could be tested; a status never says "ok" where rows are
too few to say so. Nothing here holds a value of a private feature: such a feature is in no capture.
"""

from __future__ import annotations

from typing import Literal

from andamio.gate.decision import Figure
from andamio.storage.documents import Part

DriftStatus = Literal["ok", "drift", "not-enough-data"]
PerformanceStatus = Literal["ok", "worse", "waiting", "not-enough-data"]
CoverageStatus = Literal["ok", "uneven", "waiting", "not-enough-data"]
Reason = Literal["distribution", "missing", "unseen", "out-of-range"]
"""Why a feature counts as drifted."""


class CellShares(Part):
    """One bin or category of a feature: its share of the rows that have a value, in the reference and in the window.

    `label` is `low..high` of a bin of numbers or dates (ISO 8601), the value of a category, or "(other)".
    """

    label: str
    reference: float
    window: float


class Rate(Part):
    """A share of rows on both sides, what tells them apart, and whether it is a change to report."""

    reference: float
    window: float
    p: float | None
    drifted: bool


class Unseen(Part):
    """Categories that the reference never had: their share of the window's values, and the most frequent with counts.

    `expected` is the share that a new value has in the reference itself (Good and Turing: values that occur once).
    """

    share: float
    expected: float
    p: float | None
    drifted: bool
    values: dict[str, int]


class FeatureDrift(Part):
    """How far one feature has moved.

    `psi` is the population stability index without what chance adds to it, `psi_low` what it exceeds in 95 cases of
    100. `test` is two-sample: Kolmogorov-Smirnov for numbers and dates, chi-square for categories and booleans.
    `drifted` says that one of the `reasons` is significant and large enough. `effect` is by how much at least the
    feature moved, in units of PSI, whatever the reason: features are ordered by it. `cells` are what a plot is drawn
    from.
    """

    feature: str
    type: str
    psi: float | None
    psi_low: float | None
    test: Literal["ks", "chi2", "none"]
    statistic: float | None
    p: float | None
    missing: Rate
    unseen: Unseen | None = None
    out_of_range: Rate | None = None
    effect: float
    reasons: list[Reason]
    drifted: bool
    reference_rows: int
    window_rows: int
    cells: list[CellShares]


class JointDrift(Part):
    """Whether a classifier can tell window from reference: its ROC AUC on rows it was not fitted on, 0.5 by chance.

    `p` is by permutation; `limit` is the AUC from which on it counts. `only_joint`: no feature alone has drifted, so
    the move is in how features go together.
    """

    status: DriftStatus
    auc: float | None
    p: float | None
    limit: float
    only_joint: bool
    reference_rows: int
    window_rows: int


class LabelShare(Part):
    """How often a label was predicted, out of fold and in the window."""

    label: str
    reference: float
    window: float


class PredictionDrift(Part):
    """Scores of the window against out-of-fold scores: of the positive class, of more than two of each class.

    A regression has values in the place of scores, and no `labels`.

    `psi` and `statistic` (Kolmogorov-Smirnov) are those of the class that moved most, `p` counts all of them.
    """

    status: DriftStatus
    psi: float | None
    statistic: float | None
    p: float | None
    labels: list[LabelShare]
    labels_psi: float | None
    labels_p: float | None
    scores_drifted: bool
    labels_drifted: bool
    cells: list[CellShares]


class RejectDrift(Part):
    """Records refused for one reason in one field: rows, their share of all rows sent, and that of the reference."""

    field: str
    code: str
    rows: int
    share: float
    reference: float | None
    p: float | None
    drifted: bool


class FieldRows(Part):
    """How many records were refused for one reason in one field."""

    field: str
    code: str
    rows: int


class UsualRejects(Part):
    """What is usual: of the data trained on and earlier windows without such an alarm, what surely refused least."""

    rows: int
    rejected: int
    reasons: list[FieldRows]


class Rejects(Part):
    """Refused records of the window. `rows` were sent, `rejected` of them refused; `reasons` has the worst first.

    `drifted` says that all reasons together are a change, whatever each of them is. `usual` is null where no earlier
    window says what is: then one record in a hundred is.
    """

    status: DriftStatus
    rows: int
    rejected: int
    share: float
    reference: float | None
    p: float | None
    drifted: bool
    reasons: list[RejectDrift]
    usual: UsualRejects | None


class DataDrift(Part):
    """The window against the reference.

    `features` has the features that moved most first, `drifted` the names of those that count. `tests` is how many
    tests shared the false discovery rate `q` (Benjamini & Hochberg), `p_limit` the largest p-value that passed; the
    limits are how large an effect must be besides. `reference_rows` were profiled, `reference_sample` of them are
    held as they are; `window_rows` of `rows_seen` were compared. `skipped` says why a feature is not compared.
    """

    status: DriftStatus
    message: str
    reference_rows: int
    reference_sample: int
    window_rows: int
    rows_seen: int
    features: list[FeatureDrift]
    drifted: list[str]
    joint: JointDrift
    predictions: PredictionDrift
    rejects: Rejects
    tests: int
    q: float
    p_limit: float
    psi_limit: float
    share_limit: float
    skipped: dict[str, str]


class ReliabilityBin(Part):
    """Rows of like probability: their mean, and the share that came true."""

    rows: int
    mean_predicted: float
    observed: float


class Calibration(Part):
    """Probabilities against labels that came: of two classes the positive one's, of more the named class's.

    `error` is the expected calibration error, `by_chance_high` what a calibrated model exceeds in one window of
    twenty on so few rows.
    """

    bins: list[ReliabilityBin]
    error: float
    by_chance_high: float


class Residuals(Part):
    """Errors of a regression where labels came, predicted minus true, in the target's unit.

    `bias` is their mean in the window, `reference_bias` that out of fold, `shift` the difference, each with its 99%
    interval; `biased` says that the interval of `shift` leaves out zero. `held` is the share of labels that lie in the
    interval of their prediction (99% interval), which was to be `level`; `too_narrow` says that it is below beyond
    chance.
    """

    bias: Figure
    reference_bias: Figure
    shift: Figure
    biased: bool
    level: float
    held: Figure
    too_narrow: bool


class Decile(Part):
    """About a tenth of the predictions, of like score: how many are due a label, how many have one, how long it took.

    They all name the `label`; the score, from `low` to `high`, is the probability of the positive class, of more than
    two classes that of the class named; of a regression it is the value predicted, and `label` is "value". Delay in
    hours, null where no label came.
    """

    label: str
    low: float
    high: float
    rows: int
    labelled: int
    coverage: float
    delay_median: float | None


class Coverage(Part):
    """For which predictions labels came. "uneven" means that they came for some scores far more often than for others.

    Uneven coverage makes a good model look bad, or a bad one good.
    """

    status: CoverageStatus
    message: str
    rows: int
    labelled: int
    share: float
    p: float | None
    deciles: list[Decile]


class Delay(Part):
    """Hours from prediction to label, by quantile; null where no label came."""

    median: float | None
    p90: float | None
    longest: float | None


class Comparison(Part):
    """The contract's metric in the window against the reference; a difference below zero is always for the worse.

    `difference` has a 99% interval, of two samples; `smallest_drop` is the drop that windows of this size show in four
    cases of five. `weighted`: labelled rows count by how rare labels are among like scores, so that uneven coverage
    does not fake a change.
    """

    weighted: bool
    reference: Figure
    window: Figure
    difference: Figure
    smallest_drop: float | None


class Performance(Part):
    """How good the champion was where labels came, against out-of-fold and holdout together.

    `status` "worse" is concept drift: the interval of the `weighted` difference lies below `-margin`. "waiting": labels
    are not due yet. `rows` predictions are old enough for a label, `labelled` of them have one, `waiting` are younger
    than the label delay. `restricted`: figures are those of the scores for which labels came at all. `brier` and
    `calibration` are of a classification, `residuals` of a regression. A `margin` of a metric in the target's unit is a
    share of the reference's figure.
    """

    status: PerformanceStatus
    message: str
    metric: str
    margin: float
    reference_rows: int
    rows: int
    labelled: int
    waiting: int
    restricted: bool
    plain: Comparison | None
    weighted: Comparison | None
    brier: Comparison | None
    calibration: Calibration | None
    coverage: Coverage
    delay: Delay
    residuals: Residuals | None = None


class EstimatedFigure(Part):
    """A figure that the probabilities themselves let expect.

    `expected` is over all rows, `low` and `high` bound what chance does to it (95%), were the probabilities right;
    `on_labelled` is the same estimate on the labelled rows alone, `observed` what they really had, `error` their
    difference; null before labels come.
    """

    metric: Literal["accuracy", "log_loss", "roc_auc"]
    expected: float | None
    low: float | None
    high: float | None
    on_labelled: float | None
    observed: float | None
    error: float | None


class Estimate(Part):
    """Performance before labels come, from the calibrated probabilities alone, with what it assumes."""

    status: Literal["ok", "not-enough-data"]
    rows: int
    labelled: int
    assumption: str
    figures: list[EstimatedFigure]
