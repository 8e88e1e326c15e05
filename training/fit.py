"""Select a trial, fit it on all of train, export it, and check the parity of the export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.metrics import metrics_of
from andamio.contract.task import Classification, Regression
from andamio.errors import AndamioError, ObjectNotFound, TrainingError
from andamio.release.model import Model
from andamio.release.release import PROOF
from andamio.stats import metrics
from andamio.stats.conformal import margins
from andamio.stats.undefined import undefined_as_null
from andamio.storage import layout
from andamio.storage.documents import digest
from andamio.storage.ports import Objects
from training import calibrate, export, reference, threshold
from training.documents import FIT, ExportAttempt, FittedModel, IntervalResult, NoModel, ScoredTrial, UnscoredTrial
from training.events import FitSummary
from training.families.catalog import FittedPipeline
from training.families.selected import ignored_columns, used_columns
from training.families.spaces import OWN
from training.families.trainable import fit_spec
from training.npy import from_npy
from training.own.code import PipelineCode
from training.own.fit import OwnPipeline
from training.own.trial import PipelineError
from training.proof import proof_of
from training.rows import TrainingRows
from training.run import FIT_FILE, Run, candidate_file, scores_file
from training.trials import selection
from training.trials.loss_guard import LossGuard
from training.trials.sample import Places, with_each_class
from training.trials.trial import Floats, load_places, load_train, own_pipeline

MAX_EXPORTS = 3
"""How many trials are offered to the exporter before the run ends without a model."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that has proved itself: its trial, what was fitted, the curve over it, its ONNX bytes.

    `out_of_fold` holds the trial's calibrated probabilities [rows, classes].
    """

    trial: ScoredTrial
    onnx: bytes
    fitted: FittedPipeline
    calibration: calibrate.Calibration
    out_of_fold: Floats


def fit(
    lake: Objects,
    models: Objects,
    run_id: str,
    *,
    exporter: export.Exporter = export.to_onnx,
    attach: calibrate.Attach = calibrate.attach,
    code: PipelineCode | None = None,
) -> FittedModel | NoModel:
    """Write the candidate's files and the fit's result; status "fitted", or "no_parity" after three exports.

    `code` is the problem's deployed pipeline.py. Raises `TrainingError` when the search has not ended, no trial could
    be scored, or a pipeline is to be fitted and the deployed code is not that of the plan.
    """
    run = Run(run_id, models)
    plan = run.plan()

    def compute() -> FittedModel | NoModel:
        trials = run.trials()
        contract, train = load_train(lake, run, plan.dataset)

        def scores(trial: ScoredTrial) -> Floats:
            return from_npy(run.read(scores_file(trial.id), trial.scores, "trial"))

        guard = LossGuard.against_plain(
            trials, scores, train, contract.positive_index, plan.search.repeats, _loss(contract)
        )
        ordered = order(trials, plan.metric, plan.search.repeats, guard)
        places = load_places(run, plan)
        own = own_pipeline(plan, code) if any(each.family == OWN for each in ordered[:MAX_EXPORTS]) else None
        exported, attempts = try_exports(contract, train, ordered, scores, plan.seed, exporter, attach, places, own)
        fields: dict[str, Any] = {
            "run": run_id,
            "dataset": plan.dataset,
            "metric": plan.metric,
            "trials": trials,
            "order": [trial.id for trial in ordered],
            "guarded": guard.asked,
            "attempts": attempts,
            "rows": len(train.labels),
            "class_rows": _class_rows(contract, train),
        }
        if exported is None:
            return NoModel(**fields)
        out_of_fold = exported.out_of_fold
        limit = _threshold(contract, train, out_of_fold)
        selected, left_out = used_columns(exported.fitted, contract)
        profile = _profile(lake, plan.dataset)
        files = {
            "model.onnx": exported.onnx,
            "contract.json": contract.to_json(),
            "profile.json": profile,
            "reference.json": reference.reference(contract, train, plan.seed).to_json(),
            "out_of_fold.json": reference.out_of_fold(contract, train, out_of_fold, plan.seed).to_json(),
        }
        proof = proof_of(lake, plan.dataset, contract, exported.onnx, train)
        if proof is not None:
            files[PROOF] = proof.to_json()
        return FittedModel(
            **fields,
            trial=exported.trial.id,
            family=exported.trial.family,
            params=exported.trial.params,
            selection=exported.trial.selection,
            selected=selected,
            left_out=left_out,
            ignored=ignored_columns(exported.fitted, contract),
            calibration=exported.calibration.result(),
            threshold=limit,
            **_of_numbers(contract, train, out_of_fold),
            cross_validation=_out_of_fold_metrics(contract, train, out_of_fold, limit),
            size_bytes=len(exported.onnx),
            model=digest(exported.onnx),
            files={name: run.write(candidate_file(name), body) for name, body in files.items()},
            proved=None if proof is None else len(proof.records),
        )

    return run.once(FIT_FILE, FIT, compute)


def order(
    trials: Sequence[ScoredTrial | UnscoredTrial], metric: str, repeats: int, guard: LossGuard | None = None
) -> list[ScoredTrial]:
    """The trials in the order in which they are tried; raises `TrainingError` when none could be scored."""
    candidates = [trial for trial in trials if not trial.baseline]
    scored = {trial.id: trial for trial in candidates if isinstance(trial, ScoredTrial)}
    if not scored:
        why = "; ".join(f"{trial.id}: {trial.why}" for trial in candidates if isinstance(trial, UnscoredTrial))
        raise TrainingError(f"No family could be fitted to these data. {why}")
    ranked = selection.choose(
        [selection.Score.of(trial, repeats) for trial in scored.values()],
        higher_is_better=metrics.higher_is_better(metric),
        passes=lambda name: guard is None or guard.passes(scored[name]),
        offers=MAX_EXPORTS,
    )
    return [scored[score.trial] for score in ranked]


def try_exports(
    contract: Contract,
    train: TrainingRows,
    ordered: Sequence[ScoredTrial],
    scores: Callable[[ScoredTrial], Floats],
    seed: int,
    exporter: export.Exporter,
    attach: calibrate.Attach,
    places: Places | None = None,
    own: OwnPipeline | None = None,
) -> tuple[Exported | None, list[ExportAttempt]]:
    """The first of at most three trials whose export proves parity and fits `gate.max_size_mb`, and all attempts.

    Parity is that of the calibrated graph with scikit-learn calibrated in NumPy: what is served is what is proven.
    `scores` gives a trial's out-of-fold probabilities. A trial that was given fewer rows is fitted on these `places`.
    """
    attempts: list[ExportAttempt] = []
    ranges = export.range_ends(contract)
    for trial in ordered[:MAX_EXPORTS]:
        encoded, labels = train.encoded, train.labels
        if trial.rows is not None and places is not None:
            given = np.flatnonzero(with_each_class(places, trial.rows, train.labels))
            encoded, labels = encoded.take(given), labels[given]
        out_of_fold = scores(trial)
        curve = calibrate.fit(out_of_fold, train.labels, contract.positive_index)
        attempt = ExportAttempt(trial=trial.id, calibration=curve.result())
        try:
            fitted = fit_spec(contract, encoded, labels, trial, seed, own)
        except PipelineError as error:
            attempts.append(attempt.model_copy(update={"error": str(error)}))
            continue
        try:
            onnx = attach(exporter(fitted), curve, contract.positive_index)
            expected = _calibrated(fitted, curve, contract.positive_index)
            ruler = export.Ruler.of(fitted)
            proof = export.parity(expected, Model(contract, onnx).predict, train.encoded, ranges, seed, ruler)
        except Exception as error:  # converters raise whatever they like, and any of it means: not exported
            is_ours = isinstance(error, AndamioError)
            text = (str(error) if is_ours else f"{type(error).__name__}: {error}")[:500]
            attempts.append(attempt.model_copy(update={"error": text}))
            continue
        fields: dict[str, Any] = {"parity": proof.result(), "holds": proof.holds, "size_bytes": len(onnx)}
        if proof.holds and len(onnx) > contract.gate.max_size_mb * 2**20:
            size = f"{len(onnx) / 2**20:.1f} MB"
            fields["error"] = f"{size} is more than gate.max_size_mb = {contract.gate.max_size_mb}"
        attempts.append(attempt.model_copy(update=fields))
        if proof.holds and "error" not in fields:
            calibrated = curve.apply(out_of_fold, contract.positive_index)
            return Exported(trial, onnx, fitted, curve, calibrated), attempts
    return None, attempts


def _calibrated(fitted: FittedPipeline, curve: calibrate.Calibration, positive: int) -> export.Predict:
    """What scikit-learn and NumPy say: the fitted pipeline, and the curve over it."""
    return lambda encoded: curve.apply(fitted.predict(encoded), positive)


def _loss(contract: Contract) -> str:
    """The loss that the guard at choice compares."""
    return contract.training.metric if isinstance(contract.task, Regression) else "log_loss"


def _class_rows(contract: Contract, train: TrainingRows) -> list[int]:
    if isinstance(contract.task, Regression):
        return []
    counts: list[int] = np.bincount(train.labels, minlength=len(contract.classes)).tolist()
    return counts


def _of_numbers(contract: Contract, train: TrainingRows, out_of_fold: Floats) -> dict[str, Any]:
    """What the fit of a regression says besides."""
    match contract.task:
        case Classification():
            return {}
        case Regression() as task:
            found = margins(train.labels, out_of_fold[:, 0], task.level, log=task.log)
            return {"interval": IntervalResult(**asdict(found)), "median": float(np.median(train.labels))}


def _threshold(contract: Contract, train: TrainingRows, out_of_fold: Floats) -> float:
    if contract.positive_index < 0:
        return threshold.DEFAULT  # more than two classes, or none: nothing is decided by a threshold
    positive = train.labels == contract.positive_index
    return threshold.choose(contract.training.threshold, positive, out_of_fold[:, contract.positive_index])


def _out_of_fold_metrics(
    contract: Contract, train: TrainingRows, out_of_fold: Floats, limit: float
) -> dict[str, float | None]:
    """Every metric on all out-of-fold rows together, at the chosen threshold."""
    values = {
        name: metrics.score(name, train.labels, out_of_fold, positive=contract.positive_index, threshold=limit)
        for name in metrics_of(contract)
    }
    return {name: undefined_as_null(float(value)) for name, value in values.items()}


def _profile(lake: Objects, version: str) -> bytes:
    try:
        return lake.get(layout.dataset(version, "profile.json")).body
    except ObjectNotFound:
        raise TrainingError(f"Data version {version} has no profile.json: run ETL again") from None


def summary(result: FittedModel | NoModel) -> FitSummary:
    """What the state machine needs of a fit."""
    model = result if isinstance(result, FittedModel) else None
    return FitSummary(
        status=result.status,
        run=result.run,
        metric=result.metric,
        trial=model.trial if model else None,
        size_bytes=model.size_bytes if model else None,
    )
