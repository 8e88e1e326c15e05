"""What the steps of a training run write for each other: plan, rounds, trials, fit."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from andamio.contract.tables import Compute
from andamio.stats.conformal import Margins
from andamio.storage.documents import Document, Part
from training.families.spaces import OWN_SIMPLICITY, Dimension, OneOf, Real, Space, Whole
from training.rungs import ReadRung

Params = dict[str, bool | int | float | str | None]
"""Hyperparameters by the name that scikit-learn gives them."""


class SearchPlan(Part):
    """How far a run searches: `round` trials at a time, `patience` rounds without gain, `repeats` of each fold."""

    trials: int
    round: int
    patience: int
    budget_minutes: float
    repeats: int


class SkippedFamily(Part):
    """A requested family that is not trained."""

    family: str
    why: str


class Range(Part):
    """What a pipeline.py asks for under one name: a range of numbers, in steps where there are any, or choices."""

    kind: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: list[bool | int | float | str | None] | None = None

    @classmethod
    def of(cls, dimension: Dimension) -> Self:
        """A dimension as it is written."""
        if isinstance(dimension, OneOf):
            return cls(kind="categorical", choices=list(dimension.values))
        kind: Literal["float", "int"] = "float" if isinstance(dimension, Real) else "int"
        return cls(kind=kind, low=dimension.low, high=dimension.high, log=dimension.log, step=dimension.step)

    @property
    def dimension(self) -> Dimension:
        """A dimension as it is searched."""
        if self.choices is not None:
            return OneOf(tuple(self.choices))
        assert self.low is not None
        assert self.high is not None
        if self.kind == "float":
            return Real(self.low, self.high, self.log, self.step)
        return Whole(int(self.low), int(self.high), self.log, int(self.step or 1))


class PipelineIdentity(Part):
    """The problem's pipeline.py: the SHA-256 of its source, the parameters of its default trial, and what it varies."""

    digest: str
    defaults: Params
    varied: dict[str, Range]


class Identity(Part):
    """What decides the outcome of a run; the run's id is its digest.

    `dataset` is a data version, `contract` a digest, `libraries` their versions by name, `sources` a digest of code,
    `own` the problem's pipeline.py where it is one of the families.
    """

    dataset: str
    contract: str
    seed: int
    families: list[str]
    search: SearchPlan
    libraries: dict[str, str]
    sources: str
    own: PipelineIdentity | None = None

    @property
    def own_space(self) -> Space | None:
        """The search space of the problem's pipeline.py."""
        if self.own is None:
            return None
        varied = {name: each.dimension for name, each in self.own.varied.items()}
        return Space(OWN_SIMPLICITY, self.own.defaults, varied)


Where = Literal["function", "task"]
"""What a step is computed by."""


class TaskSize(Part):
    """The size of a task as Fargate is told it: `cpu` in 1/1024 of a vCPU, `memory` in MiB."""

    cpu: str
    memory: str


class Computing(Part):
    """What trials, fit and evaluation of a run are computed by, and the size that a task of it has.

    `offered` is what the deployment offered, `columns` how many features a row has.
    """

    where: Where
    offered: Compute
    columns: int
    task: TaskSize


class TrainingPlan(Document, Identity):
    """`plan.json`: what a run will do.

    `split` is the digest of the split, `folds` that of `folds.npy`, `rows` are those of train, `started` is a time (ISO
    8601, UTC). `places` is the digest of `places.npy`, null where train is too small for samples; `rungs` are what
    trials are given before they get everything, and none where they do not race. `computing` is null in a plan of an
    earlier version, whose run is computed by functions. `because` says why the watch started the run, null where a
    person or new data did.
    """

    run: str
    problem: str
    metric: str
    split: str
    folds: str
    rows: int = 0
    started: str
    skipped: list[SkippedFamily]
    places: str | None = None
    rungs: list[ReadRung] = Field(default_factory=list)
    computing: Computing | None = None
    because: str | None = None


class TrialSpec(Part):
    """The specification of a trial: a family, its hyperparameters, and the selection of columns.

    `share` is the share of columns that the selection keeps, `simplicity` the family's rank (0 is the simplest); a
    `baseline` is scored and never exported. `rows` of train are those that it is fitted on, in each fold but the one
    that is scored, and `first_folds` are scored; null for all of them. Both are part of the id at a rung of a race:
    `ID.ROWS.FOLDS`.
    """

    id: str
    family: str
    params: Params
    selection: str = "none"
    share: float = 1.0
    simplicity: int
    round: int
    baseline: bool = False
    rows: int | None = None
    first_folds: int | None = None

    @property
    def trial(self) -> str:
        """The id without what a rung gives: the same at every rung."""
        return self.id.partition(".")[0]


class ScoredTrial(Document, TrialSpec):
    """`trials/ID.json` of a trial that was scored.

    `folds` holds the metric of each fold (null where it is undefined, and for folds that a rung of a race leaves out),
    `fold_rows` the rows of each; `mean` and its standard error `se`; `columns` that the model sees, `size_bytes` when
    exported, estimated; `scores` the SHA-256 of the out-of-fold probabilities; `seconds` of wall time. `limited` says
    why it was fitted on fewer `rows` than it was asked for.
    """

    status: Literal["done"] = "done"
    metric: str
    folds: list[float | None]
    fold_rows: list[int]
    mean: float
    se: float
    columns: float
    size_bytes: int
    scores: str
    seconds: float
    limited: str | None = None


class UnscoredTrial(Document, TrialSpec):
    """`trials/ID.json` of a trial without a score, and `why`; `seconds` is null where its function left no result.

    `ended` where it lost a race: it had a score on its `rows` and `first_folds`.
    """

    status: Literal["failed", "pruned"]
    metric: str
    why: str
    seconds: float | None = None
    ended: bool = False


TrialResult = Annotated[ScoredTrial | UnscoredTrial, Field(discriminator="status")]
TRIAL: TypeAdapter[ScoredTrial | UnscoredTrial] = TypeAdapter(TrialResult)


class LostTrial(Document):
    """`lost/ID.json`: why a trial's function left no result.

    `own_fault` where the trial itself is the cause (its memory, its time), `executions` in which it was lost.
    """

    format: Literal[2] = 2  # type: ignore[assignment]
    trial: str
    why: str
    own_fault: bool = False
    executions: list[str] = Field(default_factory=list)


class RoundTrials(Document):
    """`rounds/N/trials.json`: the trials of a round."""

    run: str
    round: int
    trials: list[TrialSpec]


class StudyTrial(Part):
    """What the search keeps of a trial; `mean` is null when it could not be scored."""

    id: str
    family: str
    params: Params
    selection: str
    share: float
    status: Literal["done", "failed", "pruned"]
    mean: float | None
    round: int


class BestTrial(Part):
    """The best trial so far, and the round that found it."""

    id: str
    family: str
    mean: float
    round: int


class RoundResult(Document):
    """`rounds/N/result.json`: the results after a round, and whether another one follows (`why`, when none does).

    `trials` are the ids of all trials so far, baselines first; `study` is what the next round is suggested from, and
    `promoted` are the trials of the next round where these go on with more rows.
    `seconds` is the time that executions of the run were at work until then, `created` a time (ISO 8601, UTC).
    """

    run: str
    round: int
    status: Literal["continue", "enough"]
    why: str
    best: BestTrial | None
    trials: list[str]
    study: list[StudyTrial]
    promoted: list[TrialSpec] = Field(default_factory=list)
    seconds: float = 0.0
    created: str | None = None


class CalibrationResult(Part):
    """The curve over a model's scores: Platt's `a` and `b`, a temperature `t`, or none, and `why`.

    `clip` is how near to 0 and 1 a probability may come before the curve is applied.
    """

    kind: Literal["platt", "temperature", "none"]
    a: float | None = None
    b: float | None = None
    t: float | None = None
    clip: float | None = None
    why: str | None = None


class ParityResult(Part):
    """The largest |dp| between pipeline and export, over `rows` of train and over perturbed copies.

    A difference is null where one of the two gave NaN.
    """

    rows: int
    train: float | None
    missing: float | None
    unknown: float | None
    range_ends: float | None
    largest: float | None
    tolerance: float


class ExportAttempt(Part):
    """One trial that was offered to the exporter: its parity, or the `error` that ended the attempt."""

    trial: str
    calibration: CalibrationResult
    parity: ParityResult | None = None
    holds: bool = False
    size_bytes: int | None = None
    error: str | None = None


class GuardedTrial(Part):
    """What the guard at choice said of a trial.

    `loss_gap` is its calibrated out-of-fold log loss less that of plain logistic regression, `error` the standard error
    of that difference.
    """

    trial: str
    loss_gap: float
    error: float
    passed: bool


class Fit(Document):
    """The fields of every fit: the trials, the order in which they were tried for export, and the attempts.

    `guarded` are the trials that the guard at choice was asked for, `rows` of train, `class_rows` of each class in the
    contract's order.
    """

    run: str
    dataset: str
    metric: str
    trials: list[TrialResult]
    order: list[str]
    guarded: list[GuardedTrial] = Field(default_factory=list)
    attempts: list[ExportAttempt]
    rows: int
    class_rows: list[int]


class IntervalResult(Part):
    """How far the truth may lie from a prediction: as `andamio.stats.conformal.Margins` has it."""

    level: float
    low: float
    high: float
    scale: Literal["linear", "log"]
    widths: tuple[tuple[float, float], ...] = ()


class FittedModel(Fit):
    """`fit.json` of a run that offers a model.

    `selected` and `left_out` are encoded columns, `ignored` features that are empty or constant in train;
    `cross_validation` has each metric of the out-of-fold scores at the `threshold`; `model` is the SHA-256 of the
    graph, `files` that of each file of the candidate. A regression has the `interval` of its predictions and the
    `median` of train, no `class_rows`, and a threshold that nothing reads. `proved` counts the records of the proof, of
    a problem that prepares them.
    """

    status: Literal["fitted"] = "fitted"
    trial: str
    family: str
    params: Params
    selection: str
    selected: list[str]
    left_out: list[str]
    ignored: list[str]
    calibration: CalibrationResult
    threshold: float
    interval: IntervalResult | None = None
    median: float | None = None
    cross_validation: dict[str, float | None]
    size_bytes: int
    model: str
    files: dict[str, str]
    proved: int | None = None

    @property
    def decides(self) -> float | Margins:
        """What a release seals beside the graph: a threshold, or the margins of a regression."""
        return self.threshold if self.interval is None else Margins(**self.interval.model_dump())

    @property
    def serving(self) -> dict[str, object]:
        """The same as a registered model keeps it: `threshold`, or `interval`."""
        return {"threshold": self.threshold} if self.interval is None else {"interval": self.interval.model_dump()}

    @property
    def parity(self) -> ParityResult:
        """The parity of the exported model with the fitted one."""
        return next(each.parity for each in self.attempts if each.trial == self.trial and each.parity is not None)


class NoModel(Fit):
    """`fit.json` of a run whose exports all failed."""

    status: Literal["no_parity"] = "no_parity"


FitResult = Annotated[FittedModel | NoModel, Field(discriminator="status")]
FIT: TypeAdapter[FittedModel | NoModel] = TypeAdapter(FitResult)
