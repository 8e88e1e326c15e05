"""A race: who is behind by more than its noise ends early and is recorded so; the rest gets every row."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.storage import layout
from benchmarks.training.racing import SHARES, Rule
from benchmarks.training.racing import race as replayed
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.runs import copied, scored, searched
from training.documents import TRIAL, LostTrial, RoundResult, RoundTrials, ScoredTrial, UnscoredTrial
from training.families.spaces import PLAIN
from training.fit import fit
from training.npy import from_npy
from training.plan import plan
from training.run import (
    CONTINUE,
    ENOUGH,
    FOLDS_FILE,
    PLACES_FILE,
    PLAN_FILE,
    Run,
    lost_file,
    round_result_file,
    round_trials_file,
    scores_file,
    trial_file,
)
from training.search import racing
from training.search import rounds as search
from training.trials import sample
from training.trials import trial as trials_module
from training.trials.estimate import Limits
from training.trials.trial import cross_validate, load_train, trial


def at_a_rung(name, mean, simplicity=3, noise=0.001, **more):
    apart = np.random.default_rng(sum(map(ord, name))).normal(0, noise, 5)
    folds = list(mean + apart - apart.mean())
    fields = {
        "folds": folds,
        "fold_rows": [1_000] * 5,
        "rows": 1_250,
        "first_folds": 5,
        "simplicity": simplicity,
        **more,
    }
    return scored(f"{name}.1250.5", mean, **fields)


def names(trials):
    return [each.trial for each in trials]


def test_a_quarter_goes_on_and_the_others_are_told_why():
    results = [at_a_rung(f"mlp-{place:04d}", 0.9 - place / 1000, noise=0.01) for place in range(12)]
    verdict = racing.judge(results, "roc_auc", 20_000, 1)
    assert names(verdict.promoted) == ["mlp-0000", "mlp-0001", "mlp-0002"]
    assert set(verdict.ended) == {each.id for each in results[3:]}
    why = verdict.ended["mlp-0011.1250.5"]
    assert "1,250 of 20,000 rows and 5 of 5 folds: roc_auc 0.8890, behind mlp-0000 by 0.0110" in why


def test_the_noise_of_a_trial_is_that_of_the_folds_it_has_of_all_that_were_drawn():
    few = [0.80, 0.82, *[None] * 8]
    best = at_a_rung("mlp-0001", 0.81, folds=few, fold_rows=[2_000] * 10, rows=None, first_folds=2)
    apart = at_a_rung(
        "mlp-0002", 0.80, folds=[0.80, 0.80, *[None] * 8], fold_rows=[2_000] * 10, rows=None, first_folds=2
    )
    why = racing.judge(
        [best, apart, *(at_a_rung(f"m{n}", 0.7, folds=few, fold_rows=[2_000] * 10) for n in range(2))],
        "roc_auc",
        10_000,
        2,
    )
    # Two differences, 0 and 0.02: s = 0.0141, SE = s * sqrt(1/2 + 2,000/8,000) = 0.01225, and 2.71 times that of two.
    error = 2.71 * 0.02 / 2**0.5 * 0.75**0.5
    assert racing._noise(best, apart, 2) == pytest.approx(error)
    assert names(why.promoted) == ["mlp-0001", "mlp-0002"]


def test_who_is_behind_by_more_than_its_noise_does_not_go_on_for_its_rank_alone():
    results = [at_a_rung("mlp-0001", 0.9), at_a_rung("mlp-0002", 0.7), *(at_a_rung(f"m{n}", 0.6) for n in range(6))]
    assert names(racing.judge(results, "roc_auc", 20_000, 1).promoted) == ["mlp-0001"]


def test_on_many_rows_a_trial_may_be_behind_by_twice_its_noise():
    apart = [0.0077 * step for step in (-1, -0.5, 0, 0.5, 1)]
    near = at_a_rung("mlp-0002", 0.89, folds=[0.89 + each for each in apart])
    results = [at_a_rung("mlp-0001", 0.9, folds=[0.9] * 5), near]
    assert 0.01 / racing._noise(*results, 1) == pytest.approx(1.5, abs=0.01)
    assert names(racing.judge(results, "roc_auc", 74_999, 1).promoted) == ["mlp-0001"]
    assert names(racing.judge(results, "roc_auc", 75_000, 1).promoted) == ["mlp-0001", "mlp-0002"]


def test_the_simplest_within_noise_goes_on_whatever_its_rank():
    results = [at_a_rung(f"mlp-{place:04d}", 0.9 - place / 1e6, noise=0.01 * (1 + place % 2)) for place in range(8)]
    results.append(at_a_rung("extra_trees", 0.899, simplicity=2, noise=0.01))
    assert "extra_trees" in names(racing.judge(results, "roc_auc", 20_000, 1).promoted)


def test_plain_logistic_regression_always_gets_every_row():
    results = [at_a_rung("mlp-0001", 0.9), at_a_rung("mlp-0002", 0.899), at_a_rung("logistic_regression", 0.5, 0)]
    assert names(racing.judge(results, "roc_auc", 20_000, 1).promoted)[-1] == "logistic_regression"


def test_of_a_loss_less_is_better():
    results = [at_a_rung(f"mlp-{place:04d}", 0.3 + place / 100) for place in range(4)]
    assert names(racing.judge(results, "log_loss", 20_000, 1).promoted)[0] == "mlp-0000"


def test_a_rung_without_a_score_promotes_nobody():
    assert racing.judge([], "roc_auc", 20_000, 1) == racing.Verdict([], {})


def measured(name, first, last):
    """A trial as the benchmark notes it: `first` is its score on all shares but the whole, a second of CPU a share."""
    at = [
        {
            "share": share,
            "rows": int(8_000 * share),
            "fit": [share / 5] * 5 * (2 if share == 1 else 1),
            "predict": [0.0] * 5 * (2 if share == 1 else 1),
            "columns": 3.0,
            "size_bytes": 9,
            "folds": {
                f"{more}": [last if share == 1 else first] * 5 * (2 if share == 1 else 1)
                for more in SHARES
                if more >= share
            },
        }
        for share in SHARES
    ]
    spec = {"id": name, "family": "mlp", "params": {}, "simplicity": 5, "round": 1}
    return {"spec": spec, "metric": "roc_auc", "loads": [0.0] * len(SHARES), "at": at}


def test_a_replayed_race_that_ends_the_best_trial_is_behind_and_cheaper():
    trials = [measured("mlp-1", 0.9, 0.9), measured("mlp-2", 0.8, 0.8), measured("mlp-3", 0.7, 0.95)]
    found = replayed(trials, Rule(((1 / 8, 5),), kept=4, noise=2.0))
    assert found.behind == pytest.approx(0.05)
    assert found.cost == pytest.approx((3 / 8 + 2) / 6)
    fewer = replayed(trials, Rule(((1 / 8, 2),), kept=4, noise=2.0))
    assert fewer.cost == pytest.approx((3 / 8 * 2 / 5 + 2) / 6)


def test_a_replayed_fold_of_all_rows_is_paid_for_once():
    trials = [measured("mlp-1", 0.9, 0.9), measured("mlp-2", 0.8, 0.8), measured("mlp-3", 0.7, 0.7)]
    found = replayed(trials, Rule(((1.0, 2), (1.0, 3)), kept=4, noise=2.0))
    assert found.behind == 0
    assert found.cost == pytest.approx((3 * 2 / 5 + 1 / 5 + 7 / 5) / 6)


OVER_ROWS, OVER_FOLDS = ((1 / 3, 3),), ((1 / 2, 2), (1.0, 3))


@pytest.fixture(params=[OVER_FOLDS])
def race(request, monkeypatch):
    """A planned run on fruit that races, though it is small: six trials, three a round."""
    monkeypatch.setattr(sample, "SAMPLED_FROM", 100)
    monkeypatch.setattr(sample, "RACED_FROM", 100)
    monkeypatch.setattr(sample, "FEWEST_OF_CLASS", 10)
    monkeypatch.setattr(sample, "STEPS", request.param)
    monkeypatch.setattr(racing, "NOISE", 50.0)  # of so few rows: two go on by their rank
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    fruit = Contract.load(FRUIT_FOLDER)
    publish(lake, fruit, fruit_cells())
    written = plan(lake, models, fruit, families=["logistic_regression"], trials=6)
    assert [rung.folds for rung in written.rungs] == [folds for _, folds in request.param]
    return lake, models, Run(written.run, models)


@pytest.mark.parametrize("race", [OVER_ROWS, OVER_FOLDS], ids=["rows", "folds"], indirect=True)
def test_every_trial_of_a_race_ends_with_one_result_and_the_best_get_everything(race):
    lake, models, run = race
    told = searched(lake, models, run.id)
    planned = run.plan()
    places = from_npy(run.read(PLACES_FILE, planned.places, "plan"))
    rung = planned.rungs[0]
    assert int(sample.of(places, rung.rows).sum()) == rung.rows
    trials = [each for each in run.trials() if not each.baseline]
    assert len(trials) == 6
    full = [each for each in trials if isinstance(each, ScoredTrial)]
    ended = [each for each in trials if isinstance(each, UnscoredTrial)]
    assert told.why == f"the race is over: {len(full)} of 6 trials got all rows and folds"
    assert 2 <= len(full) < 6
    assert "logistic_regression" in names(full)
    assert told.best.id in names(full)
    for each in full:
        assert (each.rows, each.first_folds) == (None, None)
        assert (len(each.folds), None in each.folds) == (10, False)
        assert sum(each.fold_rows) == 2 * planned.rows
        assert from_npy(run.read(scores_file(each.id), each.scores, "trial")).shape == (planned.rows, 3)
    for each in ended:
        last = next(rung for rung in planned.rungs if rung.folds == each.first_folds)
        assert (each.status, each.rows or planned.rows, each.ended) == ("pruned", last.rows, True)
        rows = f"{last.rows} of {planned.rows}" if last.rows < planned.rows else f"all {planned.rows}"
        assert each.why.startswith(f"ended early, on {rows} rows and {last.folds} of 10 folds: ")
        at_rung = run.find(trial_file(last.of(each.id)), TRIAL)
        assert [score is not None for score in at_rung.folds] == [place < last.folds for place in range(10)]
        assert at_rung.mean == pytest.approx(np.mean(at_rung.folds[: last.folds]))
    assert fit(lake, models, run.id).trial in names(full)


@pytest.mark.parametrize("race", [OVER_ROWS], indirect=True)
def test_a_race_that_an_earlier_version_began_goes_on(race):
    """A deploy between two steps of an execution: rungs were rows alone, and ids `ID.ROWS`."""
    lake, models, run = race
    written = json.loads(models.get(run.key(PLAN_FILE)).body)
    rows = written["rungs"][0]["rows"]
    models.put(run.key(PLAN_FILE), json.dumps(written | {"rungs": [rows]}).encode())
    asked = json.loads(search.ask(models, run.id, after=0).to_json())
    for spec in asked["trials"]:
        del spec["first_folds"]
        if spec["rows"] is not None:
            spec["id"] = f"{spec['id'].partition('.')[0]}.{rows}"
    models.put(run.key(round_trials_file(1)), json.dumps(asked).encode())
    told = searched(lake, models, run.id)
    full = [each for each in run.trials() if isinstance(each, ScoredTrial) and not each.baseline]
    assert told.why == f"the race is over: {len(full)} of 6 trials got all rows and folds"
    assert len(full) >= 2
    assert run.find(trial_file(f"{full[0].id}.{rows}"), TRIAL) is not None
    assert fit(lake, models, run.id).trial in names(full)


def test_a_fold_of_all_rows_is_fitted_once_and_its_result_is_what_fitting_it_again_gives(race, monkeypatch):
    lake, models, run = race
    fits = []
    fitting = trials_module.fit_spec
    monkeypatch.setattr(trials_module, "fit_spec", lambda *given: fits.append(given[3].id) or fitting(*given))
    searched(lake, models, run.id)
    planned = run.plan()
    full = [each for each in run.trials() if not each.baseline and isinstance(each, ScoredTrial)]
    counts = {rung.of(full[0].id): fits.count(rung.of(full[0].id)) for rung in planned.rungs}
    assert list(counts.values()) == [2, 3]
    assert {fits.count(each.id) for each in full} == {10 - 3}

    contract, train = load_train(lake, run, planned.dataset)
    assigned = from_npy(run.read(FOLDS_FILE, planned.folds, "plan"))
    for each in full:
        again = cross_validate(contract, train, each, planned.seed, assigned)
        assert again.figures() == {name: getattr(each, name) for name in again.figures()}
        np.testing.assert_array_equal(again.out_of_fold, from_npy(run.read(scores_file(each.id), each.scores, "trial")))


def test_a_trial_that_does_not_fit_its_function_at_the_end_carries_nothing(race, monkeypatch):
    lake, models, run = race
    for number in (1, 2, 3):
        asked = search.ask(models, run.id, after=number - 1)
        for spec in asked.trials:
            trial(lake, models, run.id, spec.id, number=number)
        now = datetime.now(UTC)
        search.tell(models, run.id, number=number, began=now, now=now)
    asked = search.ask(models, run.id, after=3)
    (spec, *_) = asked.trials
    fits = []
    fitting = trials_module.fit_spec
    monkeypatch.setattr(trials_module, "within", lambda *given: (100, "it has no room"))
    monkeypatch.setattr(trials_module, "fit_spec", lambda *given: fits.append(len(given[2])) or fitting(*given))
    result = trial(lake, models, run.id, spec.id, number=4, limits=Limits(1, 1))
    assert (result.rows, result.limited) == (100, "it has no room")
    assert len(fits) == 10
    assert max(fits) < 100, "every fold has the fewer rows"


def test_an_execution_that_is_started_again_decides_the_same(race):
    lake, models, run = race
    first = copied(models)
    told = searched(lake, models, run.id)

    again = Run(run.id, first)
    asked = search.ask(first, run.id, after=0)
    for spec in asked.trials[:2]:
        trial(lake, first, run.id, spec.id, number=1)
    with pytest.raises(TrainingError, match="left no result"):
        search.tell(first, run.id, number=1, began=datetime.now(UTC), now=datetime.now(UTC))
    retold = searched(lake, first, run.id)

    assert (retold.why, retold.best, retold.study) == (told.why, told.best, told.study)
    for one, other in zip(run.trials(), again.trials(), strict=True):
        assert one.model_dump(exclude={"seconds"}) == other.model_dump(exclude={"seconds"})


def test_a_race_that_is_run_again_computes_nothing(race):
    lake, models, run = race
    last = searched(lake, models, run.id)
    writes = list(models.writes)
    assert searched(lake, models, run.id) == last
    assert models.writes == writes


def test_the_trials_that_go_on_are_not_suggested_again_and_keep_their_parameters(race):
    lake, models, run = race
    last = searched(lake, models, run.id)
    screened = run.find(round_result_file(last.round - 1), RoundResult)
    assert (screened.status, last.status) == (CONTINUE, ENOUGH)
    assert [each.id for each in screened.promoted] == names(screened.promoted), "without the rows of the rung"
    by_id = {each.id: each for each in last.study}
    assert all(by_id[each.id].params == each.params for each in screened.promoted)
    assert len(last.study) == 6


def test_a_round_without_trials_ends_the_first_rung_and_not_the_race(race):
    lake, models, run = race
    first = search.ask(models, run.id, after=0)
    for spec in first.trials:
        trial(lake, models, run.id, spec.id, number=1)
    now = datetime.now(UTC)
    assert search.tell(models, run.id, number=1, began=now, now=now).status == CONTINUE
    run.write(round_trials_file(2), RoundTrials(run=run.id, round=2, trials=[]).to_json())
    told = search.tell(models, run.id, number=2, began=now, now=now)
    assert told.status == CONTINUE
    assert PLAIN in names(told.promoted)


def test_a_trial_whose_model_is_too_large_at_a_rung_did_not_end_early(race):
    lake, models, run = race
    asked = search.ask(models, run.id, after=0)
    large = next(spec for spec in asked.trials if not spec.baseline and spec.trial != PLAIN)
    why = {"status": "pruned", "metric": run.plan().metric, "why": "about 61.0 MB when exported"}
    run.write(trial_file(large.id), UnscoredTrial(**large.model_dump(), **why).to_json())
    searched(lake, models, run.id)
    result = run.find(trial_file(large.trial), TRIAL)
    assert (result.status, result.ended, result.why) == ("pruned", False, "about 61.0 MB when exported")


def test_a_trial_that_is_lost_at_a_rung_is_recorded_as_failed(race):
    lake, models, run = race
    asked = search.ask(models, run.id, after=0)
    gone = next(spec for spec in asked.trials if not spec.baseline and spec.trial != PLAIN)
    for spec in asked.trials:
        if spec is not gone:
            trial(lake, models, run.id, spec.id, number=1)
    lost = LostTrial(trial=gone.id, why="Sandbox.Timedout: timed out", own_fault=True)
    run.write(lost_file(gone.id), lost.to_json())
    now = datetime.now(UTC)
    search.tell(models, run.id, number=1, began=now, now=now)
    searched(lake, models, run.id)
    result = run.find(trial_file(gone.trial), TRIAL)
    assert (result.status, result.why) == ("failed", "Sandbox.Timedout: timed out")
    assert not [info for info in models.list(layout.RUNS) if info.key.endswith(f"{gone.trial}.npy")]
