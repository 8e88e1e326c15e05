"""The search: rebuilt from JSON it goes on as before, it stops when it should, and it is honest about failures."""

import json
from datetime import UTC, datetime, timedelta

import optuna
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.step import CaughtError
from andamio.storage import layout
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.runs import scored, searched
from training.documents import TRIAL, RoundResult, RoundTrials, SearchPlan, StudyTrial, TrainingPlan
from training.families.spaces import OPTUNA, SPACES, OneOf
from training.fit import order
from training.plan import MAX_ROUNDS, plan
from training.run import CONTINUE, ENOUGH, Run, round_result_file, round_trials_file
from training.search import rounds as search
from training.search import suggest
from training.trials.trial import trial as run_trial

ALL = list(SPACES)
STARTED = datetime(2026, 1, 31, 12, tzinfo=UTC)


def planned(families=ALL, **changed):
    settings = {"trials": 24, "round": 4, "patience": 3, "budget_minutes": 30.0, "repeats": 1} | changed
    return TrainingPlan(
        run="r1",
        dataset="d1",
        contract="c1",
        problem="any",
        split="s1",
        folds="f1",
        families=list(families),
        seed=7,
        metric="roc_auc",
        search=SearchPlan(**settings),
        started=STARTED.isoformat(),
        libraries={},
        sources="",
        skipped=[],
    )


def told(spec, mean=0.8, status="done"):
    known = spec.model_dump(include=set(StudyTrial.model_fields))
    return StudyTrial(**{**known, "status": status, "mean": mean if status == "done" else None})


def rounds(plan_, number, score=lambda place: 0.8):
    """A study of so many rounds, each trial scored by its place in the study; with it, each round's trials."""
    study, asked = [], []
    for round_ in range(1, number + 1):
        specs = [spec for spec in search.next_trials(plan_, study, round_) if not spec.baseline]
        asked.append(specs)
        study += [told(spec, score(len(study) + place)) for place, spec in enumerate(specs)]
    return study, asked


def through_json(value):
    return type(value).model_validate_json(value.model_dump_json())


# What is asked


def test_plain_logistic_regression_and_the_majority_class_are_in_the_first_round_whatever_is_asked_for():
    for families in (ALL, ["mlp"], ["gradient_boosting", "logistic_regression"]):
        for parallel in (1, 4):
            first = {spec.id: spec for spec in search.next_trials(planned(families, round=parallel), [], 1)}
            assert first["majority_class"].baseline
            assert first["logistic_regression"].params == SPACES["logistic_regression"].defaults
            assert first["logistic_regression"].selection == "none"
            asked_for = "logistic_regression" in families
            assert first["logistic_regression"].baseline is not asked_for


def test_a_baseline_is_never_what_is_served():
    baseline, trial = scored("a", 0.9, baseline=True), scored("b", 0.7)
    assert order([baseline, trial], "roc_auc", 1) == [trial]


def test_every_family_is_tried_as_it_is_before_anything_is_suggested():
    _, asked = rounds(planned(), 3)
    flat = [spec.id for specs in asked for spec in specs]
    assert flat[:7] == ALL
    assert len(asked[0]) == len(asked[1]) == len(asked[2]) == 4
    assert all(spec.params == SPACES[spec.family].defaults for spec in [*asked[0], *asked[1][:3]])
    assert all(spec.id not in ALL for spec in [*asked[1][3:], *asked[2]])


def test_no_trial_is_asked_for_twice_and_no_id_is_used_twice():
    study, _ = rounds(planned(trials=40), 10, score=lambda place: 0.5 + place / 100)
    assert len(study) == 40
    assert len({trial.id for trial in study}) == 40
    keys = [json.dumps([t.family, t.params, t.selection, t.share], sort_keys=True) for t in study]
    assert len(set(keys)) == 40


def test_the_last_round_keeps_to_the_number_of_trials():
    study, asked = rounds(planned(trials=6), 2)
    assert [len(specs) for specs in asked] == [4, 2]
    assert len(study) == 6


def test_every_default_lies_in_its_space_and_every_suggestion_names_all_hyperparameters():
    study, _ = rounds(planned(trials=60, round=20), 3)
    for trial in study:
        space = SPACES[trial.family]
        assert set(trial.params) == set(space.defaults)
        for name, dimension in space.varied.items():
            value = trial.params[name]
            if isinstance(dimension, OneOf):
                assert value in dimension.values
            else:
                assert dimension.low <= value <= dimension.high
    assert {trial.selection for trial in study} == {"none", "univariate", "model"}
    assert {trial.family for trial in study} == set(ALL)


# A study is a list in storage


def test_a_study_rebuilt_from_json_suggests_the_same():
    plan_ = planned(trials=100)
    study, _ = rounds(plan_, 6, score=lambda place: 0.5 + (place * 37 % 20) / 50)
    asked = search.next_trials(plan_, study, 7)
    assert search.next_trials(through_json(plan_), [through_json(each) for each in study], 7) == asked
    assert [through_json(each) for each in asked] == asked, "what is asked survives JSON unchanged"


def test_another_seed_another_round_or_another_score_suggests_something_else():
    plan_ = planned(trials=100)
    study, _ = rounds(plan_, 6, score=lambda place: 0.5 + (place * 37 % 20) / 50)
    asked = search.next_trials(plan_, study, 7)
    assert search.next_trials(plan_.model_copy(update={"seed": 8}), study, 7) != asked
    assert [s.params for s in search.next_trials(plan_, study, 8)] != [s.params for s in asked]
    other = [trial.model_copy(update={"mean": 1 - trial.mean}) for trial in study]
    assert search.next_trials(plan_, other, 7) != asked


def test_what_failed_and_what_was_pruned_is_told_as_such():
    study, _ = rounds(planned(), 1)
    study[1], study[2] = told(study[1], status="failed"), told(study[2], status="pruned")
    rebuilt = suggest.rebuild(ALL, study, seed=7, higher_is_better=True)
    assert [trial.state.name for trial in rebuilt.trials] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]
    assert rebuilt.best_value == 0.8


def test_the_search_learns_where_it_is_worth_looking():
    plan_ = planned(["logistic_regression"], trials=200, patience=99)

    def score(spec):
        return 1 - abs(spec.params["C"] - 0.01) / 100 - (spec.selection != "univariate") / 2

    study = []
    for number in range(1, 16):
        specs = search.next_trials(plan_, study, number)
        study += [told(spec, score(spec)) for spec in specs if not spec.baseline]
    chosen = [trial.selection == "univariate" for trial in study]
    assert sum(chosen[-20:]) > 12 > sum(chosen[:12])


def test_the_version_that_a_runs_identity_names_is_the_one_that_suggests():
    assert optuna.__version__ == OPTUNA


# When it stops


def test_it_stops_when_all_trials_are_done():
    study, _ = rounds(planned(trials=8), 2)
    assert search.enough(planned(trials=9), study, 2, 0) == ""
    assert "all 8 trials" in search.enough(planned(trials=8), study, 2, 0)


def test_it_stops_when_the_time_is_spent():
    study, _ = rounds(planned(), 1)
    assert search.enough(planned(), study, 1, 30 * 60 - 1) == ""
    assert "30 minutes" in search.enough(planned(), study, 1, 30 * 60)


def test_it_stops_after_some_rounds_without_improvement_and_not_before_every_family_had_its_turn():
    plan_ = planned(trials=200, patience=2)
    # The best of all is the very first trial; six families take two rounds of four.
    study, _ = rounds(plan_, 4, score=lambda place: 0.9 - place / 1000)
    said = [search.enough(plan_, study[: 4 * number], number, 0) for number in (1, 2, 3, 4)]
    assert said[:3] == ["", "", ""]
    assert "nothing has improved for 2 rounds" in said[3]


def test_a_round_that_improves_starts_the_count_anew():
    plan_ = planned(trials=200, patience=2)
    study, _ = rounds(plan_, 6, score=lambda place: 0.95 if place == 15 else 0.8)
    assert search.enough(plan_, study[:16], 4, 0) == ""
    assert search.enough(plan_, study[:20], 5, 0) == ""
    assert search.enough(plan_, study, 6, 0) != ""


def test_for_a_loss_less_is_an_improvement():
    study, _ = rounds(planned(), 2, score=lambda place: 0.5 - place / 100)
    assert search.best(study, "log_loss").id == study[-1].id
    assert search.best(study, "roc_auc").id == study[0].id


# Rounds in storage


@pytest.fixture
def run():
    """A planned run on fruit: one family, four trials, two a round."""
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    fruit = Contract.load(FRUIT_FOLDER)
    short = fruit.training.model_copy(update={"parallel": 2, "repeats": 1})
    fruit = fruit.model_copy(update={"training": short})
    publish(lake, fruit, fruit_cells())
    written = plan(lake, models, fruit, families=["logistic_regression"], trials=4)
    return lake, models, Run(written.run, models)


def test_a_search_that_is_run_again_computes_nothing(run):
    lake, models, run = run
    told_last = searched(lake, models, run.id)
    writes = list(models.writes)
    assert told_last.status == ENOUGH
    assert searched(lake, models, run.id) == told_last
    assert models.writes == writes
    assert len(run.trials()) == 4 + 1


@pytest.mark.slow
def test_the_same_contract_and_data_give_the_same_trials_and_rounds():
    def results():
        lake, models = MemoryObjects("lake"), MemoryObjects("models")
        fruit = Contract.load(FRUIT_FOLDER)
        publish(lake, fruit, fruit_cells())
        written = plan(lake, models, fruit, families=["logistic_regression"], trials=5)
        searched(lake, models, written.run)
        trials = Run(written.run, models).trials()
        return [trial.model_dump(exclude={"seconds"}) for trial in trials]

    assert results() == results()


def test_the_rounds_of_a_search_without_a_clock_are_in_storage_alone(run):
    lake, models, run = run
    searched(lake, models, run.id)
    assert run.find(round_result_file(1), RoundResult).status == CONTINUE
    assert run.find(round_result_file(2), RoundResult).status == ENOUGH
    assert run.find(round_trials_file(3), RoundTrials) is None
    assert not [info.key for info in models.list(layout.RUNS) if info.key.endswith((".pkl", ".db"))]


def test_a_trial_that_left_no_result_is_recorded_as_failed_with_what_its_function_said(run):
    lake, models, run = run
    asked = search.ask(models, run.id, after=0)
    gone, *others = [spec.id for spec in asked.trials if not spec.baseline]
    for name in (*others, "majority_class"):
        run_trial(lake, models, run.id, name)
    cause = json.dumps({"errorType": "MemoryError", "errorMessage": "out of memory"})
    search.lost(models, run.id, gone, CaughtError(error="MemoryError", cause=cause), execution="first")
    said = search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    assert {each.id: each.status for each in said.study}[gone] == "failed"
    assert run.find(f"trials/{gone}.json", TRIAL).why == "MemoryError: out of memory"
    assert said.status == CONTINUE


def test_a_round_that_left_nothing_at_all_is_a_fault_and_nothing_is_recorded(run):
    _, models, run = run
    first = search.ask(models, run.id, after=0).trials[0].id
    refused = CaughtError(error="Lambda.TooManyRequestsException", cause="Rate exceeded")
    search.lost(models, run.id, first, refused, execution="first")
    writes = list(models.writes)
    with pytest.raises(TrainingError, match="Rate exceeded"):
        search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    assert models.writes == writes, "so that the run can be started again"


KILLED = CaughtError(error="Runtime.ExitError", cause="Runtime exited with error: signal: killed")


def test_a_trial_whose_worker_was_killed_is_no_result_and_runs_when_the_run_is_started_again(run):
    lake, models, run = run
    asked = search.ask(models, run.id, after=0)
    gone, *others = [spec.id for spec in asked.trials if not spec.baseline]
    for name in (*others, "majority_class"):
        run_trial(lake, models, run.id, name)
    search.lost(models, run.id, gone, KILLED, execution="first")
    writes = list(models.writes)
    with pytest.raises(TrainingError, match=f"{gone}: Runtime exited with error: signal: killed.*train again"):
        search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    assert models.writes == writes
    run_trial(lake, models, run.id, gone)
    told = search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    assert {each.status for each in told.study} == {"done"}


@pytest.mark.parametrize(
    ("kind", "message", "is_own"),
    [
        ("Sandbox.Timedout", "Task timed out after 900.00 seconds", True),
        ("numpy._core._exceptions._ArrayMemoryError", "Unable to allocate 8 GiB", True),
        ("ReadTimeoutError", "the connection timed out", False),
        ("Runtime.ExitError", "signal: killed", False),
    ],
)
def test_the_traceback_of_a_lost_trial_says_nothing_of_its_own_fault(run, kind, message, is_own):
    _, models, run = run
    trial = search.ask(models, run.id, after=0).trials[0].id
    quoted = ["    except MemoryError:  # out of memory", "    raise Late('Task timed out')"]
    cause = json.dumps({"errorType": kind, "errorMessage": message, "stackTrace": quoted})
    assert search.lost(models, run.id, trial, CaughtError(error=kind, cause=cause), execution="one").own_fault == is_own


def test_a_trial_that_is_lost_in_execution_after_execution_is_taken_for_the_cause(run):
    lake, models, run = run
    asked = search.ask(models, run.id, after=0)
    gone, *others = [spec.id for spec in asked.trials if not spec.baseline]
    for name in (*others, "majority_class"):
        run_trial(lake, models, run.id, name)
    for execution in ("first", "first", "second"):  # the step `lost` may be called twice
        search.lost(models, run.id, gone, KILLED, execution=execution)
    with pytest.raises(TrainingError, match="left no result"):
        search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    search.lost(models, run.id, gone, KILLED, execution="third")
    told = search.tell(models, run.id, number=1, began=STARTED, now=STARTED)
    assert {each.id: each.status for each in told.study}[gone] == "failed"


def told_after(lake, models, run, number, began, now):
    for spec in search.ask(models, run.id, after=number - 1).trials:
        run_trial(lake, models, run.id, spec.id, number=number)
    return search.tell(models, run.id, number=number, began=began, now=now)


def test_a_pause_between_two_executions_spends_no_time_of_the_budget(run):
    lake, models, run = run
    first = told_after(lake, models, run, 1, STARTED, STARTED + timedelta(minutes=20))
    assert (first.status, first.seconds) == (CONTINUE, 20 * 60)
    resumed = STARTED + timedelta(days=1)
    told = told_after(lake, models, run, 2, resumed, resumed + timedelta(minutes=9))
    assert told.seconds == 29 * 60
    assert "budget" not in told.why


def test_within_one_execution_all_time_is_counted_once(run):
    lake, models, run = run
    told_after(lake, models, run, 1, STARTED, STARTED + timedelta(minutes=20))
    told = told_after(lake, models, run, 2, STARTED, STARTED + timedelta(minutes=31))
    assert (told.status, told.seconds) == (ENOUGH, 31 * 60)


def test_a_search_that_has_not_ended_is_not_fitted(run):
    _, models, run = run
    search.ask(models, run.id, after=0)
    with pytest.raises(TrainingError, match="step 'tell'"):
        run.trials()


# How far it goes


def test_what_is_asked_for_takes_the_place_of_what_the_contract_says(run):
    lake, models, _ = run
    fruit = Contract.load(FRUIT_FOLDER)
    publish(lake, fruit, fruit_cells())
    said = plan(lake, models, fruit, trials=3, budget_minutes=1.5).search
    assert (said.trials, said.budget_minutes) == (3, 1.5)
    assert said.patience == fruit.training.patience
    for wrong in ({"trials": 0}, {"trials": 2001}, {"trials": 2.5}, {"budget_minutes": 0}, {"budget_minutes": "5"}):
        with pytest.raises(TrainingError, match=next(iter(wrong))):
            plan(lake, models, fruit, **wrong)


def test_an_execution_never_reaches_the_end_of_its_history(run):
    lake, models, _ = run
    fruit = Contract.load(FRUIT_FOLDER)
    publish(lake, fruit, fruit_cells())
    size = plan(lake, models, fruit, trials=2000).search.round
    number = -(-2000 // size)
    assert number <= MAX_ROUNDS
    # A trial in a Map is seven events, a round's own states fewer than eighteen; the rest is for retries.
    assert 2000 * 8 + number * 18 + 100 < 20_000
