"""The plan of a training run: its identity, and the limits of its search."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import pandas
import skl2onnx
import sklearn

from andamio.contract import Contract
from andamio.contract.tables import Compute
from andamio.dataset import version as dataset
from andamio.errors import TrainingError
from andamio.names import PIPELINE_FILE, PROBLEM_FILE
from andamio.storage.ports import Objects
from training import rows
from training.compute import computing
from training.documents import Identity, PipelineIdentity, Range, SearchPlan, SkippedFamily, TrainingPlan
from training.events import PlanSummary
from training.families.spaces import KEEP_ROWS, OPTUNA, OWN
from training.families.trainable import families_asked, families_of
from training.npy import to_npy
from training.outcome import imported
from training.own.code import PipelineCode
from training.own.space import explore
from training.own.trial import PipelineError
from training.run import CONTRACT, FOLDS_FILE, PLACES_FILE, PLAN_FILE, Run
from training.trials import estimate, folds, sample

ROOT = Path(__file__).parents[1]
STEPS = (
    "training.plan",
    "training.search.rounds",
    "training.trials.trial",
    "training.fit",
    "training.evaluate.evaluate",
    "training.evaluate.decide",
)
"""The modules of a run's steps."""

PLACES = 1_000_003
"""Beside the seed, what the samples are drawn from: a number that no repeat of the folds has."""
MAX_TRIALS = 2000
MAX_ROUNDS = 100
"""With as many trials at most, an execution stays below the 25,000 events that its history may have."""


def plan(
    lake: Objects,
    models: Objects,
    contract: Contract,
    *,
    version: str | None = None,
    families: Sequence[str] | None = None,
    trials: int | None = None,
    budget_minutes: float | None = None,
    compute: Compute = "function",
    code: PipelineCode | None = None,
    because: str | None = None,
    now: datetime | None = None,
) -> TrainingPlan:
    """Plan a run on a data version (default: the current one) and write its plan.

    `families`, `trials` and `budget_minutes` take the place of what the contract says; `compute` is what the
    deployment offers, `code` the problem's pipeline.py, `because` is why it is started, `now` is when the plan is
    written first.

    The run's id is a digest of all that decides its outcome, so asking again finds the same run. Raises
    `TrainingError` when there are no data, too few of a class, no family that can be trained, or a pipeline.py that
    says no pipeline.
    """
    version = version or dataset.current_version(lake)
    manifest = dataset.manifest(lake, version)
    if manifest.contract != contract.data_digest:
        raise TrainingError(
            f"Data version {version} was made under another contract: its columns, labels, [data] or [features] "
            "differ from the one deployed now. Run ETL again (andamio ingest FILE, or start its state machine)."
        )
    requested = families_asked(contract, families, own=code is not None)
    skipped = [SkippedFamily(family=name, why=why) for name in requested if (why := _why_not(name, contract, code))]
    trainable = [name for name in requested if name not in {each.family for each in skipped}]
    if not trainable:
        reasons = "; ".join(f"{each.family}: {each.why}" for each in skipped)
        raise TrainingError(
            f"None of the families asked for can be trained. {reasons}. Known are "
            f"{', '.join(families_of(contract.task))}."
        )
    identity = Identity(
        dataset=version,
        contract=contract.digest,
        seed=contract.training.seed,
        families=trainable,
        search=_search(contract, trials, budget_minutes, manifest.rows.train),
        libraries=libraries(),
        sources=sources(),
        own=_own(contract, code) if OWN in trainable else None,
    )
    digest = hashlib.sha256(json.dumps(identity.model_dump(), sort_keys=True).encode()).hexdigest()
    run = Run(digest[:16], models)
    models.put_new(run.key(CONTRACT), contract.to_json(), content_type="application/json")

    def planned() -> TrainingPlan:
        return TrainingPlan(
            **identity.model_dump(),
            run=run.id,
            problem=contract.problem.name,
            metric=contract.training.metric,
            split=manifest.split,
            **_drawn(lake, run, contract, version),
            started=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
            skipped=skipped,
            computing=computing(compute, manifest.rows.train, len(contract.features)),
            because=because,
        )

    return run.once(PLAN_FILE, TrainingPlan, planned)


def _own(contract: Contract, code: PipelineCode | None) -> PipelineIdentity:
    assert code is not None, "the family is skipped without it"
    names = contract.number_columns, contract.category_columns
    try:
        space = explore(code, contract.task, *names, contract.training.seed)
    except PipelineError as error:
        raise TrainingError(str(error)) from error
    varied = {name: Range.of(dimension) for name, dimension in space.varied.items()}
    return PipelineIdentity(digest=code.digest, defaults=dict(space.defaults), varied=varied)


def _why_not(name: str, contract: Contract, code: PipelineCode | None) -> str | None:
    """Why a family cannot be trained under a contract; None where it can."""
    if name == OWN:
        return None if code else f"there is no {PIPELINE_FILE} beside {PROBLEM_FILE}: write one, and deploy"
    if name not in families_of(contract.task):
        return "this version does not train it"
    private = [name for name in contract.private if name in contract.inputs]
    if name in KEEP_ROWS and private:
        return f"its model would hold values of {', '.join(private)}, which is private"
    return None


def _drawn(lake: Objects, run: Run, contract: Contract, version: str) -> dict[str, Any]:
    """The folds of every trial of the run and the samples of a race, drawn once: what the plan says of them."""
    with dataset.open_columns(lake, version, "train") as columns:
        labels, keys = rows.labels_and_key_digests(contract, columns, version=version)
    settings = contract.training
    repeats = sample.repeats_of(settings, len(labels))
    assigned = folds.repeated(labels, keys, contract.classes, settings.seed, repeats)
    found: dict[str, Any] = {"folds": run.write(FOLDS_FILE, to_npy(assigned)), "rows": len(labels)}
    if len(labels) < sample.SAMPLED_FROM and len(labels) * len(contract.features) < estimate.CELLS:
        return found
    places = sample.places(labels, keys, assigned, np.random.default_rng((settings.seed, PLACES)))
    rungs = sample.rungs(labels, places, int(assigned[0].max()) + 1)
    return found | {"places": run.write(PLACES_FILE, to_npy(places)), "rungs": rungs}


def _search(contract: Contract, trials: int | None, budget_minutes: float | None, rows: int) -> SearchPlan:
    """The limits of the search on so many rows of train: the given values, else those of the contract."""
    settings = contract.training
    number = settings.trials if trials is None else trials
    budget = settings.budget_minutes if budget_minutes is None else budget_minutes
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_TRIALS:
        raise TrainingError(f"trials must be a whole number from 1 to {MAX_TRIALS}, got {number!r}")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 < budget <= 1440:
        raise TrainingError(f"budget_minutes must be a number above 0 and up to 1440, got {budget!r}")
    return SearchPlan(
        trials=number,
        round=max(settings.parallel, math.ceil(number / MAX_ROUNDS)),
        patience=settings.patience,
        budget_minutes=float(budget),
        repeats=sample.repeats_of(settings, rows),
    )


def libraries() -> dict[str, str]:
    """The versions of what computes: other versions, another model."""
    modules = (np, onnx, onnxruntime, pandas, skl2onnx, sklearn)
    versions = {module.__name__: str(module.__version__) for module in modules}
    return {"python": platform.python_version(), "optuna": OPTUNA, **versions}


@cache
def sources() -> str:
    """A digest of our own code that decides a run's outcome: when it changes, results of older code are not reused.

    That is every module that the steps of a run import, directly or through others, wherever it lies. It is computed
    once a process, which runs the code that it has loaded.
    """
    source_digest = hashlib.sha256()
    for module, file in sorted(imported(STEPS, ROOT).items()):
        source_digest.update(module.encode() + b"\0" + file.read_bytes() + b"\0")
    return source_digest.hexdigest()[:16]


def summary(training_plan: TrainingPlan, approve: Literal["auto", "manual"] = "auto") -> PlanSummary:
    """What the state machine needs of a plan; `approve` is what the deployed contract says."""
    by = training_plan.computing or computing("function", 0, 0)
    return PlanSummary(
        run=training_plan.run,
        approve=approve,
        dataset=training_plan.dataset,
        metric=training_plan.metric,
        trials=training_plan.search.trials,
        skipped=[skipped.family for skipped in training_plan.skipped],
        compute=by.where,
        task=by.task,
    )
