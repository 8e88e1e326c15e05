"""A run from plan to evaluation: honest, repeatable, and stopped where a model cannot prove itself."""

import dataclasses
import json

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.columns import ColumnFile
from andamio.errors import TrainingError
from andamio.storage import layout
from tests.support.datasets import FRUIT_FOLDER, HEART_FOLDER, fruit_cells, heart_cells, publish, take
from tests.support.runs import LINEAR, WithoutHoldout, a_trial, copied, fitted, planned, scored
from training import export
from training.documents import UnscoredTrial
from training.evaluate.documents import Success
from training.evaluate.evaluate import evaluate, load_candidate, load_holdout
from training.families import sizes
from training.families.spaces import SPACES
from training.fit import fit, order
from training.npy import from_npy, to_npy
from training.plan import plan
from training.run import Run, scores_file
from training.trials import sample
from training.trials.trial import trial

HEART, FRUIT = Contract.load(HEART_FOLDER), Contract.load(FRUIT_FOLDER)
FAST = ("logistic_regression", "gradient_boosting")


@pytest.fixture(autouse=True)
def small_ensembles(monkeypatch):
    """How many trees there are makes no difference to what is promised here."""
    for name, space in SPACES.items():
        for size in {"n_estimators", "max_iter"} & set(space.defaults):
            few = {**space.defaults, size: 15 if name != "logistic_regression" else 2000}
            monkeypatch.setitem(SPACES, name, dataclasses.replace(space, defaults=few))


def buckets(contract=HEART, cells=None, **said):
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    version = publish(lake, contract, cells or heart_cells(), **said)
    return lake, models, version


def with_training(contract, **changed):
    return contract.model_copy(update={"training": contract.training.model_copy(update=changed)})


@pytest.fixture(scope="module")
def searched_once():
    """A lake, the models' bucket and the id of a run on the heart data, searched with one linear trial."""
    lake, models, version = buckets()
    return lake, models, version, planned(lake, models, HEART)


@pytest.fixture
def heart_run(searched_once):
    """A copy of `searched_once` that a test may change."""
    lake, models, version, run = searched_once
    return copied(lake), copied(models), version, run


def read(models, run, file):
    return json.loads(models.get(layout.run(run, file)).body)


# The plan


def test_planning_again_finds_the_same_run():
    lake, models, _ = buckets()
    first, writes = plan(lake, models, HEART), list(models.writes)
    assert plan(lake, models, HEART) == first
    assert models.writes == writes


def test_a_run_is_another_one_when_anything_that_decides_its_outcome_is():
    lake, models, version = buckets()
    older = publish(lake, HEART, take(heart_cells(), range(200)), current=False)
    runs = [
        plan(lake, models, HEART).run,
        plan(lake, models, HEART, families=["random_forest"]).run,
        plan(lake, models, HEART, version=older).run,
        plan(lake, models, with_training(HEART, seed=8)).run,
        plan(lake, models, with_training(HEART, metric="log_loss")).run,
        plan(lake, models, HEART, trials=3).run,
        plan(lake, models, HEART, budget_minutes=2).run,
    ]
    assert len(set(runs)) == len(runs)
    assert plan(lake, models, HEART, version=version).run == runs[0]


def test_families_that_are_not_built_are_skipped_with_a_note():
    lake, models, _ = buckets()
    written = plan(lake, models, HEART, families=["perceptron", "random_forest"])
    assert written.families == ["random_forest"]
    assert [skipped.family for skipped in written.skipped] == ["perceptron"]


def test_a_family_that_keeps_rows_is_skipped_where_a_feature_is_private():
    lake, models, _ = buckets()
    asked = ["svm", "random_forest"]
    assert plan(lake, models, HEART, families=asked).families == asked
    secret = HEART.hiding(["chol"])
    lake, models, _ = buckets(secret)
    written = plan(lake, models, secret, families=asked)
    assert written.families == ["random_forest"]
    assert [(skipped.family, "chol" in skipped.why) for skipped in written.skipped] == [("svm", True)]
    with pytest.raises(TrainingError, match="chol, which is private"):
        plan(lake, models, secret, families=["svm"])


def test_a_plan_without_a_family_that_is_built_says_which_are():
    lake, models, _ = buckets()
    with pytest.raises(TrainingError, match="logistic_regression"):
        plan(lake, models, HEART, families=["perceptron"])


def test_without_data_a_plan_says_where_to_put_some():
    with pytest.raises(TrainingError, match="raw/"):
        plan(MemoryObjects(), MemoryObjects(), HEART)


def test_data_that_were_checked_by_another_contract_are_not_trained_on():
    lake, models, _ = buckets()
    age = HEART.features["age"].model_copy(update={"max": 60.0})
    changed = HEART.model_copy(update={"features": {**HEART.features, "age": age}})
    with pytest.raises(TrainingError, match="Run ETL again"):
        plan(lake, models, changed)


# Trials


def test_a_trial_that_is_run_again_computes_nothing(heart_run):
    lake, models, version, run = heart_run
    result, writes = trial(lake, models, run, "logistic_regression"), list(models.writes)
    lake.delete(layout.dataset_rows(version, "train"))
    assert trial(lake, models, run, "logistic_regression") == result
    assert models.writes == writes


def test_out_of_fold_probabilities_are_kept_for_every_row_without_a_pickle():
    lake, models, _ = buckets(FRUIT, fruit_cells())
    run = planned(lake, models, FRUIT)
    kept = from_npy(models.get(layout.run(run, "trials/logistic_regression.npy")).body)
    assert kept.shape == (191, 3)
    assert np.allclose(kept.sum(axis=1), 1)
    assert models.get(layout.run(run, "trials/logistic_regression.npy")).body[:6] == b"\x93NUMPY"


def test_the_standard_error_is_that_of_the_folds_of_all_repeats_and_minds_that_they_overlap(heart_run):
    _, models, _, run = heart_run
    result = read(models, run, "trials/logistic_regression.json")
    scores = result["folds"]
    assert len(scores) == 5 * sample.REPEATS
    assert result["mean"] == pytest.approx(np.mean(scores))
    naive = np.std(scores, ddof=1) / np.sqrt(len(scores))
    corrected = np.std(scores, ddof=1) * np.sqrt(1 / len(scores) + 1 / 4)
    assert result["se"] == pytest.approx(corrected, rel=1e-3)
    assert result["se"] > 1.5 * naive


@pytest.mark.slow
def test_rows_of_one_patient_do_not_help_to_predict_each_other():
    rng = np.random.default_rng(7)
    marks = np.repeat(rng.normal(size=(40, 6)), 5, axis=0)  # five identical rows a patient, labels at random
    labels = np.repeat(rng.integers(0, 2, size=40), 5)
    contract = noise_contract(6)
    cells = {f"x{i}": [str(value) for value in marks[:, i]] for i in range(6)} | {"y": [str(v) for v in labels]}
    lake, models, _ = buckets(contract, cells, keys=[f"patient {row // 5}" for row in range(200)])
    run = planned(lake, models, contract, families=["gradient_boosting"])
    assert read(models, run, "trials/gradient_boosting.json")["mean"] < 0.75


def noise_contract(columns):
    features = "".join(f'[features.x{i}]\ntype = "number"\n' for i in range(columns))
    return Contract.from_toml(
        f'[problem]\nname = "noise"\ntarget = "y"\nlabels = {{ "0" = "no", "1" = "yes" }}\n{features}'
    )


# The fit


def test_nothing_before_the_evaluation_reads_the_holdout():
    lake, models = WithoutHoldout("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    run = planned(lake, models, HEART)
    assert fit(lake, models, run).status == "fitted"
    with pytest.raises(AssertionError, match="holdout"):
        evaluate(lake, models, run)


@pytest.mark.slow
def test_another_holdout_gives_the_very_same_model():
    train = [row for row in range(303) if row % 5]
    digests = set()
    for held in ([0, 5, 10, 15, 20, 25], [row for row in range(303) if row % 5 == 0]):
        rows = [*train, *held]
        said = [False] * len(train) + [True] * len(held)
        lake, models, _ = buckets(HEART, take(heart_cells(), rows), holdout=said)
        run, _ = fitted(lake, models, HEART)
        digests.add(read(models, run, "fit.json")["model"])
    assert len(digests) == 1


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_candidate_to_the_byte():
    def candidate():
        lake, models, _ = buckets()
        run, _ = fitted(lake, models, HEART, families=["gradient_boosting"])
        return read(models, run, "fit.json")["files"]

    assert candidate() == candidate()


@pytest.mark.slow
def test_a_fit_waits_for_every_trial():
    lake, models, _ = buckets()
    run = plan(lake, models, HEART, families=FAST).run
    with pytest.raises(TrainingError, match="step 'tell'"):
        fit(lake, models, run)
    run = planned(lake, models, HEART, families=FAST)
    models.delete(layout.run(run, "trials/gradient_boosting.json"))
    with pytest.raises(TrainingError, match="trial gradient_boosting"):
        fit(lake, models, run)


@pytest.mark.slow
def test_an_export_that_says_something_else_gives_way_to_the_next_best():
    lake, models, _ = buckets()
    run = planned(lake, models, HEART, families=FAST)

    def broken_for_linear_models(fitted):
        if hasattr(fitted.pipeline.named_steps["model"], "coef_"):
            fitted.pipeline.named_steps["model"].coef_ *= 1.001
            body = export.to_onnx(fitted)
            fitted.pipeline.named_steps["model"].coef_ /= 1.001
            return body
        return export.to_onnx(fitted)

    result = fit(lake, models, run, exporter=broken_for_linear_models)
    assert result.order == ["logistic_regression", "gradient_boosting"]
    assert (result.status, result.trial) == ("fitted", "gradient_boosting")
    assert [attempt.holds for attempt in result.attempts] == [False, True]
    assert result.attempts[0].parity.largest > export.TOLERANCE


@pytest.mark.slow
def test_a_run_whose_exports_all_fail_ends_without_a_model():
    lake, models, _ = buckets()
    run = planned(lake, models, HEART, families=["logistic_regression", "gradient_boosting", "random_forest"])

    def broken(fitted):
        raise RuntimeError("this operator cannot be converted")

    result = fit(lake, models, run, exporter=broken)
    assert result.status == "no_parity"
    assert len(result.attempts) == 3
    assert all("cannot be converted" in attempt.error for attempt in result.attempts)
    assert not list(models.list(layout.run(run, "candidate/")))
    with pytest.raises(TrainingError, match="no candidate"):
        evaluate(lake, models, run)


@pytest.mark.slow
def test_a_trial_that_grows_too_large_is_pruned_while_searching():
    small = HEART.model_copy(update={"gate": HEART.gate.model_copy(update={"max_size_mb": 0.01})})
    lake, models, _ = buckets(small)
    run, result = fitted(lake, models, small, families=FAST)
    pruned = read(models, run, "trials/gradient_boosting.json")
    assert pruned["status"] == "pruned"
    assert "max_size_mb = 0.01" in pruned["why"]
    assert result.order == ["logistic_regression"]


@pytest.mark.slow
def test_an_export_that_is_too_large_after_all_gives_way_to_the_next_best(monkeypatch):
    monkeypatch.setattr(sizes, "estimate", lambda fitted: 0)
    small = HEART.model_copy(update={"gate": HEART.gate.model_copy(update={"max_size_mb": 0.01})})
    lake, models, _ = buckets(small)
    run = planned(lake, models, small, families=FAST)
    small_one = read(models, run, "trials/logistic_regression.json")
    # As if it were far worse, in its metric and in its probabilities.
    scores = Run(run, models).write(
        scores_file(small_one["id"]), to_npy(np.full((sum(small_one["fold_rows"]) // 2, 2), 0.5))
    )
    small_one |= {"mean": 0.5, "folds": [0.5] * len(small_one["folds"]), "scores": scores}
    models.put(layout.run(run, "trials/logistic_regression.json"), json.dumps(small_one).encode())
    result = fit(lake, models, run)
    assert result.order[0] == "gradient_boosting"
    assert "max_size_mb" in result.attempts[0].error
    assert result.trial == "logistic_regression"


def test_a_family_that_cannot_be_fitted_leaves_the_others_in_the_race():
    done = scored("a")
    failed = UnscoredTrial(**a_trial("b"), metric="roc_auc", status="failed", why="ValueError: overflow")
    assert order([failed, done], "roc_auc", 1) == [done]
    with pytest.raises(TrainingError, match="b: ValueError: overflow"):
        order([failed], "roc_auc", 1)


def test_a_release_keeps_no_private_column_and_few_rows():
    lake, models, _ = buckets(FRUIT, fruit_cells())
    run, _ = fitted(lake, models, FRUIT)
    reference = read(models, run, "candidate/reference.json")
    assert set(reference["columns"]) == {"firmness", "sugar", "colour", "origin", "organic"}
    assert {len(column) for column in reference["columns"].values()} == {reference["rows"]} == {191}
    kept = read(models, run, "candidate/out_of_fold.json")
    assert kept["classes"] == ["unripe", "ripe", "over-ripe"]
    assert len(kept["labels"]) == len(kept["scores"]) == 191


def test_the_threshold_is_chosen_on_out_of_fold_scores_and_sealed():
    contract = with_training(HEART, threshold="f1")
    lake, models, _ = buckets(contract)
    _, result = fitted(lake, models, contract)
    assert 0 < result.threshold < 1
    assert result.threshold != 0.5


# The evaluation


@pytest.fixture(scope="module")
def evaluation(searched_once):
    lake, models, _, run = searched_once
    models = copied(models)
    fit(lake, models, run)
    return evaluate(lake, models, run)


def test_every_metric_is_said_with_its_interval(evaluation):
    assert set(evaluation.metrics) == {"roc_auc", "log_loss", "brier", "accuracy", "f1", "average_precision"}
    assert all(figure.low <= figure.value <= figure.high for figure in evaluation.metrics.values())
    assert evaluation.rows == sum(evaluation.classes.values()) == sum(map(sum, evaluation.confusion))
    assert evaluation.latency_ms > 0


def test_success_is_checked_as_the_contract_says_it(evaluation):
    value = evaluation.metrics["roc_auc"].value
    assert evaluation.success == Success(rule="roc_auc >= 0.85", value=value, holds=value >= 0.85)


def test_a_candidate_that_was_touched_is_not_evaluated(heart_run):
    lake, models, _, run = heart_run
    fit(lake, models, run)
    models.put(layout.run(run, "candidate/model.onnx"), b"something else")
    with pytest.raises(TrainingError, match="digest differs"):
        evaluate(lake, models, run)


# Tables as they come


def contract_of(features, labels='{ "0" = "no", "1" = "yes" }', training=""):
    return Contract.from_toml(f'[problem]\nname = "any"\ntarget = "y"\nlabels = {labels}\n{features}\n{training}')


NUMBER, CATEGORY = '[features.x]\ntype = "number"\nrequired = false\n', '[features.c]\ntype = "category"\n'


@pytest.mark.parametrize("families", [LINEAR, pytest.param(("gradient_boosting",), marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("features", "cells"),
    [
        (NUMBER, {"x": ["", *map(str, range(59))]}),
        (CATEGORY + "required = false\n", {"c": ["", "a", "b"] * 20}),
        (NUMBER + CATEGORY, {"x": [""] * 60, "c": ["only", "other"] * 30}),
        ('[features.b]\ntype = "boolean"\n', {"b": ["yes", "no", "yes"] * 20}),
        ('[features.d]\ntype = "date"\nrequired = false\n', {"d": ["2026-01-31", "2024-02-29", ""] * 20}),
        (CATEGORY + 'values = ["a"]\nunknown = "other"\n', {"c": ["a", "never listed"] * 30}),
        (CATEGORY, {"c": [f"place {row}" for row in range(60)]}),
    ],
    ids=["numbers", "categories", "an empty column", "booleans", "dates", "others", "all different"],
)
def test_any_table_that_a_contract_allows_becomes_a_model(features, cells, families):
    contract = contract_of(features)
    lake, models, version = buckets(contract, {**cells, "y": ["0", "1"] * 30})
    run, result = fitted(lake, models, contract, families=families)
    assert result.attempts[0].holds
    candidate = load_candidate(Run(run, models))
    holdout = load_holdout(lake, candidate.contract, version)
    assert candidate.model.predict(holdout.encoded).shape == (12, 2)


def test_features_that_are_all_empty_or_constant_stop_the_run_with_the_reason():
    contract = contract_of(NUMBER + CATEGORY)
    cells = {"x": [""] * 60, "c": ["only"] * 60, "y": ["0", "1"] * 30}
    lake, models, _ = buckets(contract, cells)
    with pytest.raises(TrainingError, match="every feature is empty or constant in the"):
        fitted(lake, models, contract)


def test_a_feature_without_information_is_named_in_the_fit():
    contract = contract_of(NUMBER + CATEGORY + "required = false\n")
    lake, models, _ = buckets(contract, {"x": [""] * 60, "c": ["a", "b", "b"] * 20, "y": ["0", "1"] * 30})
    _, result = fitted(lake, models, contract)
    assert result.ignored == ["x"]
    assert not [column for column in (*result.selected, *result.left_out) if column.startswith("x")]


def test_few_rows_are_enough_as_long_as_each_class_has_two():
    contract = contract_of(NUMBER)
    cells = {"x": ["1", "2", "3", "4", "1.5", "3.5"], "y": ["0", "0", "1", "1", "0", "1"]}
    lake, models, _ = buckets(contract, cells, holdout=[False] * 4 + [True] * 2)
    run, _ = fitted(lake, models, contract)
    assert len(read(models, run, "trials/logistic_regression.json")["folds"]) == 2 * sample.REPEATS


def test_a_class_without_rows_stops_the_run_with_its_name():
    contract = contract_of(NUMBER, '{ "0" = "no", "1" = "yes", "2" = "maybe" }')
    lake, models, _ = buckets(contract, {"x": [str(row) for row in range(60)], "y": ["0", "1"] * 30})
    with pytest.raises(TrainingError, match="'2' has 0"):
        planned(lake, models, contract)


def test_values_of_an_open_category_are_learned_from_train_alone():
    lake, models, _ = buckets(
        contract_of(CATEGORY),
        {"c": ["a", "b"] * 30 + ["held out"] * 6, "y": ["0", "1"] * 33},
        holdout=[False] * 60 + [True] * 6,
    )
    run, _ = fitted(lake, models, contract_of(CATEGORY))
    assert list(read(models, run, "candidate/contract.json")["features"]["c"]["values"]) == ["a", "b"]


def test_at_most_a_hundred_values_are_learned_the_most_frequent_ones():
    texts = [f"common {index:02d}" for index in range(30)] * 4 + [f"rare {index:03d}" for index in range(120)]
    contract = contract_of(CATEGORY)
    lake, models, _ = buckets(contract, {"c": texts, "y": ["0", "1"] * 120}, holdout=[False] * 228 + [True] * 12)
    run, _ = fitted(lake, models, contract)
    learned = read(models, run, "candidate/contract.json")["features"]["c"]["values"]
    assert len(learned) == 100
    assert {text for text in texts if text.startswith("common")} <= set(learned)


def test_a_plan_reads_the_keys_and_the_target_alone_and_no_text_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    read = []
    whole = ColumnFile.__getitem__
    monkeypatch.setattr(ColumnFile, "__getitem__", lambda file, name: read.append(name) or whole(file, name))
    assert plan(lake, models, HEART).rows == 242
    assert read == [HEART.problem.target]
