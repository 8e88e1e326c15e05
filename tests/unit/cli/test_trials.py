"""Progress by trial: a person sees each result once, as it comes, and where the search stands."""

import pytest
from typer.testing import CliRunner

from andamio.adapters.memory import MemoryObjects
from andamio.cli import main
from andamio.cli.models import pipeline
from andamio.cli.models.trials import TrialProgress
from andamio.storage import layout
from tests.support import cards
from tests.support.runs import a_trial, scored
from training.documents import TrainingPlan, UnscoredTrial

PLAN = TrainingPlan.model_validate(cards.PLAN | {"run": "r1", "search": cards.PLAN["search"] | {"trials": 12}})


class Account:
    """An execution that has planned its run, or has not yet."""

    output = None

    def state_output(self, arn, state):
        return self.output


@pytest.fixture
def progress():
    account, models = Account(), MemoryObjects("models")
    models.put(layout.run("r1", "plan.json"), PLAN.to_json())
    return TrialProgress(account, "arn", models)


def finish(progress, trial, mean=None, round_=1, **said):
    if mean is None:
        result = UnscoredTrial(**a_trial(trial) | {"round": round_, "metric": "roc_auc"} | said)
    else:
        result = scored(trial, mean, round=round_, seconds=1.25, **said)
    progress.models.put(layout.trial("r1", trial), result.to_json())
    progress.models.put(layout.run("r1", f"trials/{trial}.npy"), b"scores")


def test_before_the_run_has_a_name_nothing_is_said(progress, capsys):
    assert progress.update() == ""
    assert capsys.readouterr().err == ""


def test_each_result_is_said_once_and_the_best_is_marked(progress, capsys):
    progress.account.output = {"plan": {"run": "r1"}}
    finish(progress, "logistic_regression", 0.9)
    finish(progress, "majority_class", 0.99, baseline=True)
    assert progress.update() == "1 of 12 trials, round 1, best roc_auc 0.9000 (logistic_regression)"
    first = capsys.readouterr().err
    assert "1 of 12" in first
    assert "roc_auc 0.9000 ± 0.0100" in first
    assert first.count("best so far") == 1
    finish(progress, "mlp", 0.8, round_=2)
    assert progress.update() == "2 of 12 trials, round 2, best roc_auc 0.9000 (logistic_regression)"
    then = capsys.readouterr().err
    assert "mlp" in then
    assert "logistic_regression" not in then
    assert "best so far" not in then


def test_why_a_trial_failed_is_said(progress, capsys):
    progress.account.output = {"plan": {"run": "r1"}}
    finish(progress, "extra_trees", status="pruned", why="about 61.0 MB when exported")
    assert progress.update() == "1 of 12 trials, round 1"
    assert "pruned: about 61.0 MB when exported" in capsys.readouterr().err


def test_what_was_asked_for_on_the_command_line_is_what_training_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(main, "_deployed", lambda problem, stage: {})
    monkeypatch.setattr(pipeline, "train", lambda deployed, overrides, wait: told.append((overrides, wait)))
    words = ["train", "--trials", "3", "--families", "mlp", "--families", "extra_trees", "--budget", "1.5", "--no-wait"]
    assert CliRunner().invoke(main.app, words).exit_code == 0
    assert told == [({"families": ["mlp", "extra_trees"], "trials": 3, "budget_minutes": 1.5}, False)]
    assert CliRunner().invoke(main.app, ["train", "--trials", "0"]).exit_code != 0
