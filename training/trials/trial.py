"""One trial: a repeated cross-validation of one family, a function call of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.errors import TrainingError
from andamio.names import PIPELINE_FILE
from andamio.stats import metrics
from andamio.stats.undefined import undefined_as_null
from andamio.storage.ports import Objects
from training import rows
from training.documents import TRIAL, RoundTrials, ScoredTrial, TrainingPlan, TrialSpec, UnscoredTrial
from training.families import sizes
from training.families.spaces import KEEP_ROWS, OWN
from training.families.trainable import fit_spec
from training.npy import from_npy, to_npy
from training.own.code import PipelineCode
from training.own.fit import Own, OwnPipeline
from training.own.fit import fit as fit_own
from training.own.proof import prove
from training.own.trial import PipelineError
from training.rows import TrainingRows
from training.run import FOLDS_FILE, PLACES_FILE, Run, round_trials_file, scores_file, trial_file
from training.trials import estimate, folds, sample, selection
from training.trials.carried import Carried, carried
from training.trials.estimate import Limits

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class TooLarge(Exception):
    """The model of one fold is larger than the limit for a release."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """The figures of one trial, as `ScoredTrial` has them, and its out-of-fold scores [rows, outputs]."""

    folds: list[float | None]
    fold_rows: list[int]
    mean: float
    se: float
    columns: float
    size_bytes: int
    out_of_fold: Floats

    def figures(self) -> dict[str, Any]:
        """The figures by the names that `ScoredTrial` has for them."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "out_of_fold"}


def trial(
    lake: Objects,
    models: Objects,
    run_id: str,
    trial_id: str,
    *,
    number: int = 1,
    limits: Limits | None = None,
    code: PipelineCode | None = None,
) -> ScoredTrial | UnscoredTrial:
    """Cross-validate one trial of the round `number`, and write its result and its out-of-fold probabilities.

    One that would need more than the `limits` of its function is fitted on the rows that do not, and says so.
    `code` is the problem's deployed pipeline.py; raises `TrainingError` where the trial needs another one.
    One that cannot be fitted to these data has status "failed", one whose model is larger than
    `gate.max_size_mb` has status "pruned", both with `why`: others may do better.
    """
    run = Run(run_id, models)
    plan = run.plan()
    round_trials = run.need(round_trials_file(number), RoundTrials, "ask")
    spec = next((spec for spec in round_trials.trials if spec.id == trial_id), None)
    if spec is None:
        raise TrainingError(f"Round {number} of run {run_id} has no trial '{trial_id}'")

    def compute() -> ScoredTrial | UnscoredTrial:
        started = time.perf_counter()
        fields = {**spec.model_dump(), "metric": plan.metric}
        assigned = from_npy(run.read(FOLDS_FILE, plan.folds, "plan"))
        drawn = load_places(run, plan)
        scored, given = rung(plan, drawn, spec, assigned.shape[1])
        assigned = assigned[:, scored]
        sealed, train = load_train(lake, run, plan.dataset, scored)
        own = own_pipeline(plan, code) if spec.family == OWN else None
        before = carried(run, plan, spec)
        try:
            if limits is not None and drawn is not None:
                fits = spec.first_folds or sum(len(folds.parts(repeat)) for repeat in assigned)
                fits_of = partial(within, limits, sealed, train, spec, plan.seed)
                given_of = drawn[scored], given[scored], own
                fewer = fits_of(fits - (before.folds if before else 0), *given_of)
                if fewer is not None and before is not None:
                    before = None  # of fewer rows every fold has to be fitted
                    fewer = fits_of(fits, *given_of)
                if fewer is not None:
                    fields["rows"], fields["limited"] = fewer
                    given[scored] &= sample.with_each_class(drawn[scored], fewer[0], train.labels)
            validation = cross_validate(sealed, train, spec, plan.seed, assigned, given[scored], own, before)
        except TooLarge as error:
            fields.pop("limited", None)
            return UnscoredTrial(**fields, status="pruned", why=str(error), seconds=_seconds(started))
        except (ValueError, FloatingPointError) as error:
            why = str(error)[:1000] if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"[:500]
            fields.pop("limited", None)
            return UnscoredTrial(**fields, status="failed", why=why, seconds=_seconds(started))
        return ScoredTrial(
            **fields,
            **validation.figures(),
            scores=run.write(scores_file(trial_id), to_npy(validation.out_of_fold)) if spec.rows is None else "",
            seconds=_seconds(started),
        )

    return run.once(trial_file(trial_id), TRIAL, compute)


def _seconds(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def own_pipeline(plan: TrainingPlan, code: PipelineCode | None) -> OwnPipeline:
    """The deployed pipeline.py, and the space that the plan has of it; raises `TrainingError` where it is another."""
    space = plan.own_space
    if space is None or plan.own is None or code is None or code.digest != plan.own.digest:
        raise TrainingError(
            f"Run {plan.run} was planned with another {PIPELINE_FILE} than the deployed one. Train again: a new run is "
            "planned with the one that is deployed now."
        )
    return OwnPipeline(code, space)


def load_places(run: Run, plan: TrainingPlan) -> sample.Places | None:
    """The place of each row of train in its samples; None where train is too small for any."""
    return None if plan.places is None else from_npy(run.read(PLACES_FILE, plan.places, "plan"))


def within(
    limits: Limits,
    contract: Contract,
    train: TrainingRows,
    spec: TrialSpec,
    seed: int,
    fits: int,
    places: sample.Places,
    given: Mask,
    own: OwnPipeline | None = None,
) -> tuple[int, str] | None:
    """How many of the `given` rows a trial of so many `fits` can have within limits, and why not all; None where all.

    None, too, where a sample cannot be fitted: it says nothing of all rows.
    """
    rows = int(given.sum())
    kernel = spec.family in KEEP_ROWS or own is not None  # nobody knows of a pipeline.py, so it is watched
    cells = rows * (train.encoded.numbers.shape[1] + train.encoded.categories.shape[1])
    if cells < (estimate.CELLS_OF_KERNELS if kernel else estimate.CELLS):
        return None
    held = estimate.resident()
    among = np.flatnonzero(given)

    def fit_and_predict(taken: NDArray[np.int64]) -> Floats:
        few = train.encoded.take(among[taken])
        return fit_spec(contract, few, train.labels[among[taken]], spec, seed, own).predict(few)

    try:
        steepest = estimate.STEEPEST_OF_KERNELS if kernel else estimate.STEEPEST
        cost = estimate.measure(fit_and_predict, places[given], train.labels[given], steepest)
    except (ValueError, FloatingPointError, TrainingError):
        cost = None
    if cost is None:
        return None
    return estimate.rows_that_fit(rows, fits, cost, limits, held)


def rung(plan: TrainingPlan, places: sample.Places | None, spec: TrialSpec, rows: int) -> tuple[Mask, Mask]:
    """Which rows of train are scored and which are fitted on [rows], of a trial at its rung.

    The rows of a rung are scored with those of the next one: to predict costs little, and more rows tell trials
    apart that are alike.
    """
    if spec.rows is None or places is None:
        return np.ones(rows, dtype=bool), np.ones(rows, dtype=bool)
    more = next((each.rows for each in plan.rungs if each.rows > spec.rows), rows)
    return sample.of(places, more), sample.of(places, spec.rows)


def load_train(lake: Objects, run: Run, version: str, kept: Mask | None = None) -> tuple[Contract, TrainingRows]:
    """The run's contract sealed by train, and the rows of train that are `kept` (default: all), encoded by it."""
    contract = run.contract()
    cells = dataset.read_columns(lake, version, "train", without={dataset.ROW})
    sealed = rows.seal(contract, cells)
    if kept is not None and not kept.all():
        cells = {name: column[kept] for name, column in cells.items()}
    return sealed, rows.encode_rows(sealed, cells, version=version)


def cross_validate(
    contract: Contract,
    train: TrainingRows,
    spec: TrialSpec,
    seed: int,
    assigned: NDArray[np.int8],
    given: Mask | None = None,
    own: OwnPipeline | None = None,
    before: Carried | None = None,
) -> CrossValidation:
    """Score one trial on each fold of each repeat with the contract's metric; `assigned` as `folds.repeated` makes it.

    Every row is scored; only those that are `given` (default: all) are fitted on. Of a trial with `first_folds` so many
    of the first repeat are scored: the others are None among the folds, and NaN among the probabilities. What was
    scored `before` is not fitted again.
    The out-of-fold probabilities are the average of the repeats. The mean is over folds where
    the metric is defined (a fold may lack a class); its error is `selection.standard_error`. Raises `TooLarge`
    at the first fold whose model is.
    """
    drawn = [folds.parts(repeat) for repeat in assigned]
    fold_sets = drawn if spec.first_folds is None else [drawn[0][: spec.first_folds]]
    limit = contract.gate.max_size_mb * 2**20
    shape = (len(train.labels), len(contract.task.outputs))
    total, scores, ratios = np.zeros(shape), [], []
    columns, largest_bytes = (before.columns, before.size_bytes) if before else (0, 0)

    def score(probabilities: Floats, rows: NDArray[Any]) -> float:
        return metrics.score(
            contract.training.metric,
            train.labels[rows],
            probabilities[rows],
            positive=contract.positive_index,
            threshold=fixed_threshold(contract),
        )

    for repeat, parts in enumerate(fold_sets):
        out_of_fold = before.out_of_fold.copy() if before and not repeat else np.full(shape, np.nan)
        for place, (others, scored_rows) in enumerate(parts):
            fit_rows = others if given is None else others[given[others]]
            ratios.append(len(scored_rows) / len(fit_rows))
            if before and not repeat and place < before.folds:
                continue
            encoded, truth = train.encoded.take(fit_rows), train.labels[fit_rows]
            fitted = fit_spec(contract, encoded, truth, spec, seed, own)
            if not isinstance(fitted, Own):
                largest_bytes = max(largest_bytes, sizes.estimate(fitted))
            elif not largest_bytes and fitted.complete:
                assert own is not None
                again = partial(fit_own, own, contract, encoded, truth, spec.params, seed)
                largest_bytes = prove(contract, fitted, encoded, again, seed)
            if largest_bytes > limit:
                raise TooLarge(
                    f"about {largest_bytes / 2**20:.1f} MB when exported, more than gate.max_size_mb = "
                    f"{contract.gate.max_size_mb:g}"
                )
            columns += sizes.columns(fitted)
            out_of_fold[scored_rows] = fitted.predict(train.encoded.take(scored_rows))
            if not np.isfinite(out_of_fold[scored_rows]).all():
                raise ValueError("predicted something that is not a finite number")
        scores += [score(out_of_fold, scored_rows) for _, scored_rows in parts]
        total += out_of_fold
    average = total / len(fold_sets)
    every = [part for parts in drawn for part in parts]
    defined = [value for value in scores if np.isfinite(value)]
    if not defined:  # every fold lacks a class: all rows together do not
        defined = [score(average, np.flatnonzero(np.isfinite(average).all(axis=1)))]
    return CrossValidation(
        folds=[undefined_as_null(float(value)) for value in (*scores, *[np.nan] * (len(every) - len(scores)))],
        fold_rows=[len(scored_rows) for _, scored_rows in every],
        mean=float(np.mean(defined)),
        se=selection.standard_error(defined, float(np.mean(ratios))),
        columns=columns / len(ratios),
        size_bytes=largest_bytes,
        out_of_fold=average,
    )


def fixed_threshold(contract: Contract) -> float:
    """The threshold that fold scores are taken at: the contract's number, or 0.5 while it is still to be chosen."""
    rule = contract.training.threshold
    return rule if isinstance(rule, float) else 0.5
