"""The search, round by round: which trials come next, and whether another round is worth it.

A round has two documents, each written once: its trials (`ask`) and its results (`tell`). The results list all
trials so far, from which the next round's study is rebuilt: there is no database and no pickle between two rounds,
and a run that is started again walks through the rounds it had.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from andamio.errors import TrainingError
from andamio.stats.metrics import REGRESSION_METRICS, higher_is_better
from andamio.step import CaughtError
from andamio.storage.ports import Objects
from training.compute import of_trial
from training.documents import (
    TRIAL,
    BestTrial,
    LostTrial,
    RoundResult,
    RoundTrials,
    ScoredTrial,
    StudyTrial,
    TrainingPlan,
    TrialSpec,
    UnscoredTrial,
)
from training.events import RoundResultSummary, RoundTrialsSummary, TrialSummary
from training.families.spaces import BASELINES, BASELINES_OF_NUMBERS, PLAIN, PLAIN_OF_NUMBERS, PLAINS, Space, space_of
from training.run import CONTINUE, ENOUGH, Run, lost_file, round_result_file, round_trials_file, trial_file
from training.rungs import place_of
from training.search import racing, suggest
from training.search.suggest import Suggestion


def ask(models: Objects, run_id: str, *, after: int) -> RoundTrials:
    """Write the trials of the round after the one named (0: the first round)."""
    run = Run(run_id, models)
    plan = run.plan()
    number = after + 1

    def compute() -> RoundTrials:
        before = run.need(round_result_file(after), RoundResult, "tell") if after else None
        trials = before.promoted if before else []
        trials = trials or next_trials(plan, before.study if before else [], number)
        return RoundTrials(run=run_id, round=number, trials=trials)

    return run.once(round_trials_file(number), RoundTrials, compute)


def next_trials(plan: TrainingPlan, study: Sequence[StudyTrial], number: int) -> list[TrialSpec]:
    """The trials of round `number`, given the results of earlier ones in the study.

    First every family as it is by default, the linear one before all others; then what the sampler
    suggests. The first round also has the baselines, which are scored and never offered for export: the
    majority class (or the median), and the plain linear family where it was not asked for. In a race, all but these
    start at the first rung.
    """
    search, families, own = plan.search, _families(plan), plan.own_space
    size = min(search.round, search.trials - len(study))
    first = [suggest.default(family, own) for family in families]
    suggestions = first[len(study) : len(study) + size]
    if len(suggestions) < size:
        suggestions += suggest.suggest(
            families,
            study,
            suggestions,
            size - len(suggestions),
            seed=plan.seed + number,
            higher_is_better=higher_is_better(plan.metric),
            own=own,
        )
    specs = [
        _spec(suggestion, len(study) + position, number, first, own)
        for position, suggestion in enumerate(suggestions, start=1)
    ]
    if plan.rungs:
        specs = [_at(spec, plan, 0, number) for spec in specs]
    return [*(_baselines(families, plan.metric) if number == 1 else []), *specs]


def _at(spec: TrialSpec, plan: TrainingPlan, place: int, number: int) -> TrialSpec:
    """The trial in round `number`, at the rung of this place; after the last one it is given everything."""
    rung = plan.rungs[place] if place < len(plan.rungs) else None
    rows = rung.rows if rung and rung.rows < plan.rows else None
    given = {"id": rung.of(spec.trial) if rung else spec.trial, "rows": rows, "first_folds": rung and rung.folds}
    return TrialSpec(**{**_specification(spec), **given, "round": number})


def _specification(trial: TrialSpec) -> dict[str, Any]:
    return trial.model_dump(include=set(TrialSpec.model_fields))


def _families(plan: TrainingPlan) -> list[str]:
    """The families in the order in which their defaults are tried: the linear one first."""
    return sorted(plan.families, key=lambda family: family not in PLAINS)


def _spec(
    suggestion: Suggestion, position: int, number: int, defaults: Sequence[Suggestion], own: Space | None
) -> TrialSpec:
    """The specification of a trial; the default trial of a family has the name of the family."""
    return TrialSpec(
        id=suggestion.family if suggestion in defaults else f"{suggestion.family}-{position:04d}",
        family=suggestion.family,
        params=suggestion.params,
        selection=suggestion.selection,
        share=suggestion.share,
        simplicity=space_of(suggestion.family, own).simplicity,
        round=number,
    )


def _baselines(families: Sequence[str], metric: str) -> list[TrialSpec]:
    of_numbers = metric in REGRESSION_METRICS
    spaces = dict(BASELINES_OF_NUMBERS if of_numbers else BASELINES)
    plain = PLAIN_OF_NUMBERS if of_numbers else PLAIN
    spaces |= {} if plain in families else {plain: space_of(plain)}
    return [
        TrialSpec(id=name, family=name, params=space.params(), simplicity=space.simplicity, round=1, baseline=True)
        for name, space in spaces.items()
    ]


OWN_FAULT = re.compile(
    r"MemoryError|OutOfMemory|out of memory|States\.Timeout|Sandbox\.Timedout|Task timed out", re.IGNORECASE
)
"""What a function's end says where the trial asked for more memory or time than its function has.

Its traceback does not count: that quotes source code, and a connection may time out too."""

EXECUTIONS = 3
"""After so many executions that lost a trial, each after its retries, the trial itself is taken for the cause."""


def lost(models: Objects, run_id: str, trial_id: str, error: CaughtError, *, execution: str) -> LostTrial:
    """Note why a trial's function ended without a result, as Step Functions says it (`Error`, `Cause`)."""
    run = Run(run_id, models)
    before = run.find(lost_file(trial_id), LostTrial)
    why = LostTrial(
        trial=trial_id,
        why=error.why,
        own_fault=OWN_FAULT.search(f"{error.error} {error.why}") is not None,
        executions=sorted({*(before.executions if before else []), execution}),
    )
    run.write(lost_file(trial_id), why.to_json())
    return why


def tell(models: Objects, run_id: str, *, number: int, began: datetime, now: datetime) -> RoundResult:
    """Take in the results of a round, and write whether there will be another one, and why not.

    `began` is the start of the execution: time in which none was at work on the run does not count.

    A trial that left no result because of its own memory or time, or in `EXECUTIONS` executions, is recorded as
    failed. Raises `TrainingError` when a trial was lost otherwise, or when a whole round left nothing: the fault lies
    elsewhere, nothing is recorded, and another execution runs what is missing.
    """
    run = Run(run_id, models)
    plan = run.plan()

    def compute() -> RoundResult:
        specs = run.need(round_trials_file(number), RoundTrials, "ask").trials
        previous = run.need(round_result_file(number - 1), RoundResult, "tell") if number > 1 else None
        results = _results(run, specs, plan.metric)
        offered = [result for result in results if not result.baseline]
        first_rung = not (previous and previous.promoted)
        study = [*(previous.study if previous else [])]
        study += [_study_trial(result) for result in offered] if first_rung else []
        seconds = _seconds_used(previous, began, now)
        why = "" if offered else "there is nothing left to try"
        why = why or (enough(plan, study, number, seconds) if first_rung else "every rung is done")
        trials = [*(previous.trials if previous else [])]
        trials += [result.trial for result in results] if first_rung else []
        found = best(study, plan.metric)
        promoted: list[TrialSpec] = []
        if plan.rungs and why:
            at = offered if not first_rung else _of_first_rung(run, plan, study)
            place = 0 if first_rung else max((place_of(spec.id, plan.rungs) for spec in specs), default=len(plan.rungs))
            promoted = _promoted(run, plan, at, place, number) if place < len(plan.rungs) else []
            found = best([_study_trial(result) for result in at], plan.metric)
            why = "" if promoted else f"the race is over: {len(offered)} of {len(study)} trials got all rows and folds"
        return RoundResult(
            run=run_id,
            round=number,
            status=ENOUGH if why else CONTINUE,
            why=why,
            best=found,
            trials=trials,
            study=study,
            promoted=promoted,
            seconds=seconds,
            created=now.isoformat(),
        )

    return run.once(round_result_file(number), RoundResult, compute)


def _of_first_rung(run: Run, plan: TrainingPlan, study: Sequence[StudyTrial]) -> list[ScoredTrial | UnscoredTrial]:
    return [run.need(trial_file(plan.rungs[0].of(trial.id)), TRIAL, "trial") for trial in study]


def _promoted(
    run: Run, plan: TrainingPlan, results: Sequence[ScoredTrial | UnscoredTrial], place: int, number: int
) -> list[TrialSpec]:
    """The trials that go on from the rung of this place, in the round after `number`; those that end are recorded."""
    scored = [result for result in results if isinstance(result, ScoredTrial)]
    verdict = racing.judge(scored, plan.metric, plan.rows, plan.search.repeats)
    for result in results:
        why = result.why if isinstance(result, UnscoredTrial) else verdict.ended.get(result.id)
        if why:
            _record_ended(run, result, why)
    return [_at(trial, plan, place + 1, number + 1) for trial in verdict.promoted]


def _record_ended(run: Run, result: ScoredTrial | UnscoredTrial, why: str) -> None:
    """The result of a trial that never gets all rows and folds: what it was given, and why no more."""
    status = result.status if isinstance(result, UnscoredTrial) else "pruned"

    def compute() -> ScoredTrial | UnscoredTrial:
        fields = {**_specification(result), "id": result.trial, "metric": result.metric, "seconds": result.seconds}
        return UnscoredTrial(**fields, status=status, why=why, ended=isinstance(result, ScoredTrial))

    run.once(trial_file(result.trial), TRIAL, compute)


def _study_trial(result: ScoredTrial | UnscoredTrial) -> StudyTrial:
    return StudyTrial(
        id=result.trial,
        family=result.family,
        params=result.params,
        selection=result.selection,
        share=result.share,
        status=result.status,
        mean=result.mean if isinstance(result, ScoredTrial) else None,
        round=result.round,
    )


def _results(run: Run, specs: Sequence[TrialSpec], metric: str) -> list[ScoredTrial | UnscoredTrial]:
    results = {spec.id: run.find(trial_file(spec.id), TRIAL) for spec in specs}
    losses = {spec.id: run.find(lost_file(spec.id), LostTrial) for spec in specs if results[spec.id] is None}
    missing = [trial for trial, lost in losses.items() if not _is_own(lost)]
    if not missing and not any(results.values()):
        missing = list(losses)
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(specs)} trials of round {specs[0].round} left no result. "
            f"{missing[0]}: {_why_lost(losses[missing[0]])}. What was computed is kept: train again, and only the "
            "missing trials run."
        )
    return [results[spec.id] or _record_lost(run, spec, metric, losses[spec.id]) for spec in specs]


def _is_own(lost: LostTrial | None) -> bool:
    return lost is not None and (lost.own_fault or len(lost.executions) >= EXECUTIONS)


def _record_lost(run: Run, spec: TrialSpec, metric: str, lost: LostTrial | None) -> ScoredTrial | UnscoredTrial:
    def compute() -> ScoredTrial | UnscoredTrial:
        return UnscoredTrial(**spec.model_dump(), status="failed", metric=metric, why=_why_lost(lost))

    return run.once(trial_file(spec.id), TRIAL, compute)


def _why_lost(lost: LostTrial | None) -> str:
    return lost.why if lost else "its function ended, and nothing noted why"


def _seconds_used(previous: RoundResult | None, began: datetime, now: datetime) -> float:
    """How long executions were at work: of one that died, until the results of its last round."""
    before, since = 0.0, began
    if previous is not None and previous.created is not None:
        before, since = previous.seconds, max(began, datetime.fromisoformat(previous.created))
    return round(before + max(0.0, (now - since).total_seconds()), 3)


def enough(plan: TrainingPlan, study: Sequence[StudyTrial], number: int, seconds: float) -> str:
    """Why there will be no round after this one, `seconds` of work on the run; "" when there will."""
    search = plan.search
    if len(study) >= search.trials:
        return f"all {search.trials} trials are done"
    # In a race, those that are left need as long again for more rows.
    budget = search.budget_minutes / 2 if plan.rungs else search.budget_minutes
    if seconds / 60 >= budget:
        return f"the budget of {budget:g} minutes is spent"
    stale = rounds_without_gain(study, number, plan.metric, since=_rounds_of_defaults(plan))
    if stale >= search.patience:
        return f"nothing has improved for {stale} rounds"
    return ""


def _rounds_of_defaults(plan: TrainingPlan) -> int:
    """So many rounds are needed until every family was tried once: patience starts to count after them."""
    return -(-len(plan.families) // plan.search.round)


def rounds_without_gain(study: Sequence[StudyTrial], number: int, metric: str, *, since: int) -> int:
    """How many rounds after the round `since` have passed since the best mean was found."""
    results = best(study, metric)
    since = max(since, results.round if results else 0)
    return max(0, number - since)


def best(study: Sequence[StudyTrial], metric: str) -> BestTrial | None:
    """The trial with the best mean, the earlier of two that are equal; None when none could be scored."""
    sign = 1.0 if higher_is_better(metric) else -1.0
    scored = [
        BestTrial(id=trial.id, family=trial.family, mean=trial.mean, round=trial.round)
        for trial in study
        if trial.mean is not None
    ]
    return max(scored, key=lambda trial: sign * trial.mean, default=None)


def round_trials_summary(plan: TrainingPlan, round_document: RoundTrials) -> RoundTrialsSummary:
    """What the state machine needs of a round: its trials' names, and what each is computed by."""
    trials = [TrialSummary(id=trial.id, compute=of_trial(plan, trial.rows)) for trial in round_document.trials]
    return RoundTrialsSummary(round=round_document.round, trials=trials)


def round_result_summary(round_document: RoundResult) -> RoundResultSummary:
    """What the state machine needs of a round's results."""
    return RoundResultSummary(
        round=round_document.round,
        status=round_document.status,
        why=round_document.why,
        best=round_document.best,
        trials=len(round_document.study),
    )
