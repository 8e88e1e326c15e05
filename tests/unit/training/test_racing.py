"""A race: who is behind by more than its noise ends early and is recorded so; the rest gets every row."""

from datetime import UTC, datetime

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.storage import layout
from benchmarks.racing import SHARES, Rule
from benchmarks.racing import race as replayed
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.runs import scored, searched
from training.documents import TRIAL, LostTrial, RoundResult, RoundTrials, ScoredTrial, UnscoredTrial
from training.families.spaces import PLAIN
from training.fit import fit
from training.npy import from_npy
from training.plan import plan
from training.run import (
    CONTINUE,
    ENOUGH,
    PLACES_FILE,
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
from training.trials.trial import trial


def at_a_rung(name, mean, simplicity=3, noise=0.001, **more):
    apart = np.random.default_rng(sum(map(ord, name))).normal(0, noise, 5)
    folds = list(mean + apart - apart.mean())
    fields = {"folds": folds, "fold_rows": [1_000] * 5, "rows": 1_250, "simplicity": simplicity, **more}
    return scored(f"{name}.1250", mean, **fields)


def names(trials):
    return [each.trial for each in trials]


def test_a_quarter_goes_on_and_the_others_are_told_why():
    results = [at_a_rung(f"mlp-{place:04d}", 0.9 - place / 1000, noise=0.01) for place in range(12)]
    verdict = racing.judge(results, "roc_auc", 20_000)
    assert names(verdict.promoted) == ["mlp-0000", "mlp-0001", "mlp-0002"]
    assert set(verdict.ended) == {each.id for each in results[3:]}
    assert "1,250 of 20,000 rows: roc_auc 0.8890, behind mlp-0000 by 0.0110" in verdict.ended["mlp-0011.1250"]


def test_who_is_behind_by_more_than_its_noise_does_not_go_on_for_its_rank_alone():
    results = [at_a_rung("mlp-0001", 0.9), at_a_rung("mlp-0002", 0.7), *(at_a_rung(f"m{n}", 0.6) for n in range(6))]
    assert names(racing.judge(results, "roc_auc", 20_000).promoted) == ["mlp-0001"]


def test_the_simplest_within_noise_goes_on_whatever_its_rank():
    results = [at_a_rung(f"mlp-{place:04d}", 0.9 - place / 1e6, noise=0.01 * (1 + place % 2)) for place in range(8)]
    results.append(at_a_rung("extra_trees", 0.899, simplicity=2, noise=0.01))
    assert "extra_trees" in names(racing.judge(results, "roc_auc", 20_000).promoted)


def test_plain_logistic_regression_always_gets_every_row():
    results = [at_a_rung("mlp-0001", 0.9), at_a_rung("mlp-0002", 0.899), at_a_rung("logistic_regression", 0.5, 0)]
    assert names(racing.judge(results, "roc_auc", 20_000).promoted)[-1] == "logistic_regression"


def test_of_a_loss_less_is_better():
    results = [at_a_rung(f"mlp-{place:04d}", 0.3 + place / 100) for place in range(4)]
    assert names(racing.judge(results, "log_loss", 20_000).promoted)[0] == "mlp-0000"


def test_a_rung_without_a_score_promotes_nobody():
    assert racing.judge([], "roc_auc", 20_000) == racing.Verdict([], {})


def measured(name, first, last):
    """A trial as the benchmark notes it: `first` is its score on all shares but the whole, a second of CPU a share."""
    at = [
        {
            "share": share,
            "rows": int(8_000 * share),
            "fit": share,
            "predict": 0.0,
            "columns": 3.0,
            "size_bytes": 9,
            "folds": {f"{more}": [last if share == 1 else first] * 5 for more in SHARES if more >= share},
        }
        for share in SHARES
    ]
    spec = {"id": name, "family": "mlp", "params": {}, "simplicity": 5, "round": 1}
    return {"spec": spec, "metric": "roc_auc", "loads": [0.0] * len(SHARES), "at": at}


def test_a_replayed_race_that_ends_the_best_trial_is_behind_and_cheaper():
    trials = [measured("mlp-1", 0.9, 0.9), measured("mlp-2", 0.8, 0.8), measured("mlp-3", 0.7, 0.95)]
    found = replayed(trials, Rule((1 / 8,), (5,), kept=4, noise=2.0))
    assert found.behind == pytest.approx(0.05)
    assert found.cost == pytest.approx((3 / 8 + 1) / 3)
    fewer = replayed(trials, Rule((1 / 8,), (2,), kept=4, noise=2.0))
    assert fewer.cost == pytest.approx((3 / 8 * 2 / 5 + 1) / 3)


@pytest.fixture
def race(monkeypatch):
    """A planned run on fruit that races, though it is small: six trials, three a round, one rung before all rows."""
    monkeypatch.setattr(sample, "SAMPLED_FROM", 100)
    monkeypatch.setattr(sample, "RACED_FROM", 100)
    monkeypatch.setattr(sample, "FEWEST_OF_CLASS", 10)
    monkeypatch.setattr(sample, "SHARES", (1 / 3,))
    monkeypatch.setattr(racing, "NOISE", 50.0)  # of so few rows: two go on by their rank
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    fruit = Contract.load(FRUIT_FOLDER)
    publish(lake, fruit, fruit_cells())
    written = plan(lake, models, fruit, families=["logistic_regression"], trials=6)
    assert len(written.rungs) == 1
    return lake, models, Run(written.run, models)


def test_every_trial_of_a_race_ends_with_one_result_and_the_best_get_every_row(race):
    lake, models, run = race
    told = searched(lake, models, run.id)
    places = from_npy(run.read(PLACES_FILE, run.plan().places, "plan"))
    rung = run.plan().rungs[0]
    assert int(sample.of(places, rung).sum()) == rung
    trials = [each for each in run.trials() if not each.baseline]
    assert len(trials) == 6
    full = [each for each in trials if isinstance(each, ScoredTrial)]
    ended = [each for each in trials if isinstance(each, UnscoredTrial)]
    assert told.why == f"the race is over: {len(full)} of 6 trials got every row"
    assert 2 <= len(full) < 6
    assert "logistic_regression" in names(full)
    assert told.best.id in names(full)
    for each in full:
        assert each.rows is None
        assert sum(each.fold_rows) == run.plan().rows, "folds are drawn once"
        assert from_npy(run.read(scores_file(each.id), each.scores, "trial")).shape == (run.plan().rows, 3)
    for each in ended:
        assert (each.status, each.rows, each.ended) == ("pruned", rung, True)
        assert each.why.startswith(f"ended early, on {rung} of {run.plan().rows} rows")
        at_rung = run.find(trial_file(f"{each.id}.{rung}"), TRIAL)
        assert [score is not None for score in at_rung.folds] == [True, True, True, False, False]
        assert at_rung.mean == pytest.approx(np.mean(at_rung.folds[:3]))
        assert sum(at_rung.fold_rows) == run.plan().rows, "of one repeat, the folds that are left out among them"
    assert fit(lake, models, run.id).trial in names(full)


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
