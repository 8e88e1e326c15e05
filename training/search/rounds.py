"""The search, round by round: which trials come next, and whether another round is worth it.

A round is asked once and told once, each a result in storage. What was told carries the list of all trials so
far, from which the next round's study is rebuilt: there is no database and no pickle between two rounds, and a
run that is started again walks through the rounds it had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from andamio.errors import TrainingError
from andamio.stats.metrics import higher_is_better
from andamio.storage.ports import Objects
from training.documents import (
    TRIAL,
    AskedRound,
    BestTrial,
    LostTrial,
    ScoredTrial,
    StudyTrial,
    ToldRound,
    TrainingPlan,
    TrialSpec,
    UnscoredTrial,
)
from training.families.spaces import BASELINES, PLAIN, SPACES
from training.run import CONTINUE, ENOUGH, Run, asked_file, lost_file, told_file, trial_file
from training.search import suggest
from training.search.suggest import Suggestion


def ask(models: Objects, run_id: str, *, after: int) -> AskedRound:
    """Write the trials of the round after the one named (0: the first round)."""
    run = Run(run_id, models)
    planned = run.plan()
    number = after + 1

    def compute() -> AskedRound:
        study = run.need(told_file(after), ToldRound, "tell").study if after else []
        return AskedRound(run=run_id, round=number, trials=next_trials(planned, study, number))

    return run.once(asked_file(number), AskedRound, compute)


def next_trials(planned: TrainingPlan, study: Sequence[StudyTrial], number: int) -> list[TrialSpec]:
    """The trials of round `number`, when the study says what came of those before.

    First every family as it is by default, plain logistic regression before all others; then what the sampler
    suggests. The first round also has the baselines, which are scored and never offered for export: the
    majority class, and plain logistic regression where its family was not asked for.
    """
    search, families = planned.search, _families(planned)
    size = min(search.round, search.trials - len(study))
    first = [suggest.default(family) for family in families]
    chosen = first[len(study) : len(study) + size]
    if len(chosen) < size:
        chosen += suggest.suggest(
            families,
            study,
            chosen,
            size - len(chosen),
            seed=planned.seed + number,
            higher_is_better=higher_is_better(planned.metric),
        )
    specs = [_spec(each, len(study) + place, number, first) for place, each in enumerate(chosen, start=1)]
    return [*(_baselines(families) if number == 1 else []), *specs]


def _families(planned: TrainingPlan) -> list[str]:
    """The families in the order in which their defaults are tried: plain logistic regression first."""
    return sorted(planned.families, key=lambda family: family != PLAIN)


def _spec(each: Suggestion, place: int, number: int, defaults: Sequence[Suggestion]) -> TrialSpec:
    """What a trial's function is told; a family's default trial goes by the family's name."""
    return TrialSpec(
        id=each.family if each in defaults else f"{each.family}-{place:04d}",
        family=each.family,
        params=each.params,
        selection=each.selection,
        share=each.share,
        simplicity=SPACES[each.family].simplicity,
        round=number,
    )


def _baselines(families: Sequence[str]) -> list[TrialSpec]:
    spaces = dict(BASELINES) | ({} if PLAIN in families else {PLAIN: SPACES[PLAIN]})
    return [
        TrialSpec(id=name, family=name, params=space.params(), simplicity=space.simplicity, round=1, baseline=True)
        for name, space in spaces.items()
    ]


OWN_FAULT = re.compile(
    r"MemoryError|OutOfMemory|out of memory|States\.Timeout|Sandbox\.Timedout|timed out", re.IGNORECASE
)
"""What a function's end says where the trial asked for more memory or time than its function has."""

EXECUTIONS = 3
"""After so many executions that lost a trial, each after its retries, the trial itself is taken for the cause."""


def lost(models: Objects, run_id: str, trial_id: str, error: dict[str, Any], *, execution: str) -> LostTrial:
    """Note why a trial's function ended without a result, as Step Functions says it (`Error`, `Cause`)."""
    run = Run(run_id, models)
    before = run.find(lost_file(trial_id), LostTrial)
    why = LostTrial(
        trial=trial_id,
        why=_cause(error),
        own=OWN_FAULT.search(f"{error.get('Error')} {error.get('Cause')}") is not None,
        executions=sorted({*(before.executions if before else []), execution}),
    )
    run.write(lost_file(trial_id), why.to_json())
    return why


def _cause(error: dict[str, Any]) -> str:
    cause = str(error.get("Cause") or error.get("Error") or "no cause was given")
    try:
        said = json.loads(cause)
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("errorMessage"):
        cause = f"{said.get('errorType', 'Error')}: {said['errorMessage']}"
    return cause[:500]


def tell(models: Objects, run_id: str, *, number: int, now: datetime) -> ToldRound:
    """Take in the results of a round, and write whether there will be another one, and why not.

    A trial that left no result because of its own memory or time, or in `EXECUTIONS` executions, is recorded as
    failed. Raises `TrainingError` when a trial was lost otherwise, or when a whole round left nothing: the fault lies
    elsewhere, nothing is recorded, and another execution runs what is missing.
    """
    run = Run(run_id, models)
    planned = run.plan()

    def compute() -> ToldRound:
        asked = run.need(asked_file(number), AskedRound, "ask").trials
        before = run.need(told_file(number - 1), ToldRound, "tell") if number > 1 else None
        results = _results(run, asked, planned.metric)
        offered = [result for result in results if not result.baseline]
        study = [*(before.study if before else []), *(_study_trial(result) for result in offered)]
        why = "" if offered else "there is nothing left to try"
        why = why or enough(planned, study, number, now)
        return ToldRound(
            run=run_id,
            round=number,
            status=ENOUGH if why else CONTINUE,
            why=why,
            best=best(study, planned.metric),
            trials=[*(before.trials if before else []), *(result.id for result in results)],
            study=study,
        )

    return run.once(told_file(number), ToldRound, compute)


def _study_trial(result: ScoredTrial | UnscoredTrial) -> StudyTrial:
    return StudyTrial(
        id=result.id,
        family=result.family,
        params=result.params,
        selection=result.selection,
        share=result.share,
        status=result.status,
        mean=result.mean if isinstance(result, ScoredTrial) else None,
        round=result.round,
    )


def _results(run: Run, asked: Sequence[TrialSpec], metric: str) -> list[ScoredTrial | UnscoredTrial]:
    found = {spec.id: run.find(trial_file(spec.id), TRIAL) for spec in asked}
    noted = {spec.id: run.find(lost_file(spec.id), LostTrial) for spec in asked if found[spec.id] is None}
    missing = [trial for trial, lost in noted.items() if not _is_own(lost)]
    if not missing and not any(found.values()):
        missing = list(noted)
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(asked)} trials of round {asked[0].round} left no result. "
            f"{missing[0]}: {_why_lost(noted[missing[0]])}. What was computed is kept: train again, and only the "
            "missing trials run."
        )
    return [found[spec.id] or _record_lost(run, spec, metric, noted[spec.id]) for spec in asked]


def _is_own(lost: LostTrial | None) -> bool:
    return lost is not None and (lost.own or len(lost.executions) >= EXECUTIONS)


def _record_lost(run: Run, spec: TrialSpec, metric: str, lost: LostTrial | None) -> ScoredTrial | UnscoredTrial:
    def compute() -> ScoredTrial | UnscoredTrial:
        return UnscoredTrial(**spec.model_dump(), status="failed", metric=metric, why=_why_lost(lost))

    return run.once(trial_file(spec.id), TRIAL, compute)


def _why_lost(lost: LostTrial | None) -> str:
    return lost.why if lost else "its function ended, and nothing noted why"


def enough(planned: TrainingPlan, study: Sequence[StudyTrial], number: int, now: datetime) -> str:
    """Why there will be no round after this one; "" when there will."""
    search = planned.search
    if len(study) >= search.trials:
        return f"all {search.trials} trials are done"
    minutes = (now - datetime.fromisoformat(planned.started)).total_seconds() / 60
    if minutes >= search.budget_minutes:
        return f"the budget of {search.budget_minutes:g} minutes is spent"
    stale = rounds_without_gain(study, number, planned.metric, since=_rounds_of_defaults(planned))
    if stale >= search.patience:
        return f"nothing has improved for {stale} rounds"
    return ""


def _rounds_of_defaults(planned: TrainingPlan) -> int:
    """So many rounds are needed until every family was tried once: patience starts to count after them."""
    return -(-len(planned.families) // planned.search.round)


def rounds_without_gain(study: Sequence[StudyTrial], number: int, metric: str, *, since: int) -> int:
    """How many rounds after the round `since` have passed since the best mean was found."""
    found = best(study, metric)
    since = max(since, found.round if found else 0)
    return max(0, number - since)


def best(study: Sequence[StudyTrial], metric: str) -> BestTrial | None:
    """The trial with the best mean, the earlier of two that are equal; None when none could be scored."""
    sign = 1.0 if higher_is_better(metric) else -1.0
    done = [
        BestTrial(id=trial.id, family=trial.family, mean=trial.mean, round=trial.round)
        for trial in study
        if trial.mean is not None
    ]
    return max(done, key=lambda trial: sign * trial.mean, default=None)


def asked_summary(written: AskedRound) -> dict[str, Any]:
    """What the state machine needs of a round: its trials' names."""
    return {"round": written.round, "trials": [trial.id for trial in written.trials]}


def told_summary(written: ToldRound) -> dict[str, Any]:
    """What the state machine needs to know of a round: whether to go on."""
    shown = written.model_dump(include={"round", "status", "why", "best"})
    return {**shown, "trials": len(written.study)}
