"""The model card: who opens it knows whether to trust the model, and every figure is the run's own."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from andamio.contract import Contract
from andamio.dataset.documents import AuditEntry, DatasetAudit
from andamio.gate.decision import Figure
from registry.card import Card, Facts, make
from registry.card.markdown import escaped
from registry.card.page import MOST_PLOTS
from registry.card.wording import interval
from tests.support.cards import (
    DECISION,
    EVALUATION,
    FIT,
    IMPORTANCE,
    MANIFEST,
    PLAN,
    PROFILE,
    TRIALS,
    attempt,
    every,
    facts,
)
from tests.support.datasets import FRUIT_FOLDER, a_source
from training.documents import ScoredTrial
from training.families.spaces import PLAIN
from training.trials.selection import Score, error_of_difference

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def first_paragraph(card: Card) -> str:
    return card.markdown.split("\n\n")[1]


def section(card: Card, title: str) -> str:
    (found,) = re.findall(rf"## {title}\n\n(.*?)(?=\n\n## |\Z)", card.markdown, re.DOTALL)
    return str(found)


# The verdict


def test_a_good_model_on_enough_rows_can_be_relied_on() -> None:
    good = {"slices": [{**item, "worse": False} for item in EVALUATION["slices"]]}
    card = make(facts(good))
    assert card.verdict.level == "yes"
    assert first_paragraph(card).startswith("**This model can be relied on within its limits.**")
    assert "0.901 (95% interval 0.871 to 0.931)" in first_paragraph(card)
    assert "500 rows that no training run saw" in first_paragraph(card)
    assert "`roc_auc >= 0.85`, and that is met" in first_paragraph(card)


def test_a_success_rule_that_fails_is_not_met_in_the_first_paragraph_and_forbids() -> None:
    missed = {"success": {"rule": "roc_auc >= 0.95", "value": 0.9011, "holds": False}}
    card = make(facts(missed))
    assert card.verdict.level == "no"
    assert first_paragraph(card).startswith("**Do not rely on this model.**")
    assert "`roc_auc >= 0.95`, and that is **not met**" in first_paragraph(card)
    assert "**not met**: the figure is 0.901" in section(card, "How good it is")


def test_low_evidence_is_in_the_first_paragraph_and_the_figure_is_the_cross_validated_one() -> None:
    few = {
        "low_evidence": True,
        "rows": 23,
        "classes": {"0": 17, "1": 6},
        "cross_validated": every({"roc_auc": {"value": 0.8861, "low": 0.8162, "high": 0.9563}}),
    }
    card = make(facts(few))
    assert card.verdict.level == "care"
    assert "**The evidence is low**: only 23 rows were held out, 6 of one class" in first_paragraph(card)
    assert "in repeated cross-validation is 0.886 (95% interval 0.816 to 0.956)" in first_paragraph(card)
    assert "that no training run saw" not in first_paragraph(card)
    assert "| 0.886 (0.816 to 0.956) |" in section(card, "How good it is")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows": 61}, "The holdout is small"),
        ({"calibration": {"error": 0.21, "by_chance": 0.03, "by_chance_high": 0.05, "bins": []}},
         "off by 0.210 on average"),
        ({"success": {"rule": "roc_auc >= 0.85", "value": 0.9, "holds": True},
          "metrics": EVALUATION["metrics"] | {"roc_auc": {"value": 0.9, "low": 0.84, "high": 0.95}}},
         "lies inside the interval"),
        ({}, "worse than elsewhere for cp: asymptomatic"),
    ],
)  # fmt: skip
def test_what_asks_for_care_is_said_first(changed: dict[str, object], words: str) -> None:
    card = make(facts(changed))
    assert card.verdict.level == "care"
    assert words in first_paragraph(card)


def test_a_model_no_better_than_the_majority_class_is_not_to_be_relied_on() -> None:
    chance = EVALUATION["metrics"] | {"roc_auc": {"value": 0.55, "low": 0.48, "high": 0.62}}
    card = make(facts({"metrics": chance, "gains": gains("majority_class", 0.05, -0.02, 0.12), "success": None}))
    assert card.verdict.level == "no"
    assert "not provably better than always saying the most frequent class" in first_paragraph(card)


def gains(baseline: str, value: float, low: float, high: float, metric: str = "roc_auc") -> dict[str, object]:
    found = {"value": value, "low": low, "high": high}
    return {**EVALUATION["gains"], baseline: {**EVALUATION["gains"][baseline], metric: found}}


FOREST = FIT | {"trial": "t1", "attempts": [attempt("t1")], "family": "random_forest", "selection": "univariate"}


def test_a_model_that_a_plain_regression_may_equal_on_the_same_rows_says_so_first() -> None:
    card = make(facts({"gains": gains("logistic_regression", 0.012, -0.009, 0.033)}, fit=FOREST))
    assert "It is not provably better than a plain logistic regression: on the same rows" in first_paragraph(card)
    assert "gains 0.012 (-0.009 to 0.033)" in first_paragraph(card)
    assert "these rows show no difference" in section(card, "How good it is")


@pytest.mark.parametrize("fit", [FIT, FOREST])
def test_a_plain_regression_that_is_better_is_said_of_any_model(fit: dict[str, object]) -> None:
    card = make(facts({"gains": gains("logistic_regression", -0.031, -0.052, -0.011)}, fit=fit))
    assert "**A plain logistic regression is better**" in first_paragraph(card)


def test_a_regression_with_every_column_is_not_compared_with_itself() -> None:
    card = make(facts({"gains": gains("logistic_regression", 0.0, -0.004, 0.004)}, fit=FIT | {"selection": "none"}))
    assert "provably" not in first_paragraph(card)


def test_another_metric_in_which_the_plain_regression_is_better_is_named() -> None:
    worse = gains("logistic_regression", -0.057, -0.101, -0.014, metric="log_loss")
    text = section(make(facts({"gains": worse})), "How good it is")
    assert "Beyond chance it is worse than that in log loss by 0.057 (0.014 to 0.101)." in text


@pytest.mark.parametrize(("high", "care"), [(0.14, False), (0.09, True)])
def test_a_calibration_error_that_chance_would_bring_is_no_evidence(high: float, care: bool) -> None:
    measured = {"error": 0.107, "by_chance": 0.08, "by_chance_high": high, "bins": EVALUATION["calibration"]["bins"]}
    card = make(facts({"calibration": measured}))
    assert ("use its ranking, not their size" in first_paragraph(card)) == care
    text = section(card, "Whether its probabilities can be taken at their word")
    assert ("this is no evidence against it" if not care else "so this is not chance") in text


def test_a_suspect_of_the_leakage_audit_is_in_the_first_paragraph_and_named_below() -> None:
    suspect = AuditEntry(kind="copy", feature="cp", evidence={"share": 1}, message="cp tells the label")
    card = make(facts(audit=DatasetAudit(suspects=[suspect], checked=[], findings=[])))
    assert card.verdict.level == "care"
    assert "1 suspect for leakage" in first_paragraph(card)
    assert "cp tells the label" in section(card, "What it was trained on")


def test_an_audit_without_a_suspect_says_what_it_looked_for_and_on_how_many_rows() -> None:
    audit = DatasetAudit(suspects=[], checked=["identifier"], findings=[], rows=100_000)
    text = section(make(facts(audit=audit)), "What it was trained on")
    assert "Looked for: identifier. Features were checked on 100,000 training rows." in text


def test_a_challenger_that_was_not_promoted_says_so_first() -> None:
    card = make(facts(None, {"outcome": "rejected", "rule": "champion", "against": "release 0123456789abcdef"}))
    assert "did **not promote**" in first_paragraph(card)
    assert "release 0123456789abcdef stands" in first_paragraph(card)


# The figures


def numbers(value: object) -> set[float]:
    if isinstance(value, dict | list | tuple):
        return set().union(set(), *(numbers(item) for item in (value.values() if isinstance(value, dict) else value)))
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def test_every_figure_is_one_that_the_run_wrote_down() -> None:
    card = make(facts())
    own = numbers([EVALUATION, FIT, TRIALS, DECISION, MANIFEST.model_dump(), IMPORTANCE, PLAN])
    width = EVALUATION["metrics"]["roc_auc"]["high"] - EVALUATION["metrics"]["roc_auc"]["low"]
    gained = TRIALS[0]["mean"] - TRIALS[1]["mean"]
    trials = [Score.of(ScoredTrial(**trial), 2) for trial in TRIALS[:2]]
    own |= {width, gained, error_of_difference(*trials)}
    allowed = {f"{value:.{digits}f}" for value in own for digits in (2, 3, 4)} | {"0.85", "0.05"}
    text = re.sub(r"`[^`]*`|\d+\.\d+\.\d+", "", card.markdown)  # digests and versions
    text = re.sub(r"\([^()]*(?:perfect|threshold)\)", "", text)  # what a metric means
    shown = set(re.findall(r"(?<![\w.])\d+\.\d{2,}(?![\w.])", text))
    assert len(shown) > 30
    assert shown <= allowed


def test_figures_stand_beside_the_baselines() -> None:
    lines = section(make(facts()), "How good it is").splitlines()
    assert "| metric | this model | majority class | plain logistic regression |" in lines
    (row,) = [line for line in lines if line.startswith("| **ROC AUC**")]
    assert row.endswith("| 0.901 (0.871 to 0.931) | 0.500 (0.500 to 0.500) | 0.862 (0.823 to 0.903) |")


def test_the_confusion_is_told_in_words() -> None:
    text = section(make(facts()), "Where it draws the line")
    assert "from a probability of 0.427 on" in text
    assert "Of 210 rows that are “Heart disease detected” it finds 179 and misses 31." in text
    assert "gets 251 right and raises 39 false alarms" in text


def test_more_than_two_classes_are_told_class_by_class() -> None:
    contract = Contract.load(FRUIT_FOLDER)
    evaluation = {
        "classes": dict.fromkeys(contract.classes, 20),
        "confusion": [[18, 2, 0], [1, 16, 3], [0, 5, 15]],
        "success": None,
    }
    text = section(
        make(facts(evaluation, contract=contract, fit=FIT | {"class_rows": [9, 9, 9]})), "Where it draws the line"
    )
    assert "It says the most probable class." in text
    assert (
        "- 20 rows that are “Ready to eat”: 16 right, 3 predicted as “Too late”, 1 predicted as “Not ripe yet”" in text
    )


def test_a_single_row_of_a_class_is_one() -> None:
    contract = Contract.load(FRUIT_FOLDER)
    evaluation = {
        "classes": dict(zip(contract.classes, (20, 20, 1), strict=True)),
        "confusion": [[18, 2, 0], [1, 16, 3], [0, 0, 1]],
        "success": None,
    }
    fitted = FIT | {"class_rows": [9, 9, 9]}
    text = section(make(facts(evaluation, contract=contract, fit=fitted)), "Where it draws the line")
    assert "- 1 row that is “Too late”: 1 right" in text


def test_folds_are_counted_once_and_repeats_beside_them() -> None:
    once = {"search": PLAN["search"] | {"repeats": 1}}
    assert "(2 folds, repeated 2 times, stratified by class" in section(make(facts()), "How it was chosen")
    assert "(4 folds, stratified by class" in section(make(facts(plan=PLAN | once)), "How it was chosen")


def test_both_ends_of_a_bin_are_told_apart() -> None:
    (item,) = EVALUATION["calibration"]["bins"]
    bins = [{**item, "low": low, "high": high} for low, high in ((0.99612, 0.99987), (0.0, 0.0004), (1.0, 1.0))]
    text = make(facts({"calibration": {**EVALUATION["calibration"], "bins": bins}})).markdown
    for shown in ("| 0.9961 to 0.9999 |", "| 0.0000 to 0.0004 |", "| 1 |"):
        assert shown in text
    assert "1.00 to 1.00" not in text


def test_slices_begin_with_the_worse_ones_and_hide_private_features() -> None:
    rows = [line for line in section(make(facts()), "Where it is worse").splitlines() if line.startswith("| ")][2:]
    assert rows[0].startswith("| cp: asymptomatic | 122 | 0.704 (0.604 to 0.804) | 0.220 | 0.140 | **worse** |")
    contract = facts().contract
    features = {**contract.features, "cp": contract.features["cp"].model_copy(update={"private": True})}
    tables = {name: getattr(contract, name) for name in Contract.model_fields}
    card = make(facts(contract=Contract(**{**tables, "features": features})))
    assert "asymptomatic" not in card.markdown


def test_it_says_how_it_was_chosen() -> None:
    text = section(make(facts()), "How it was chosen")
    assert "4 trials (2 scored, 1 pruned, 1 failed)" in text
    assert "Within one standard error of the difference to it: 2 trials; the simplest of these is taken: **t2**" in text
    assert "Runner-up: t1, 0.934 ± 0.014" in text
    assert "| t2 | all | 0.924 ± 0.014 | 0.0098 ± 0.0201 | **chosen** |" in text
    assert "| t1 | selected one by one | 0.934 ± 0.014 | best |" in text
    assert "Guard" not in text
    assert "it did not converge" in text
    assert "differs from what was trained by at most 1.5e-07" in text


def test_it_says_which_trials_ended_early_and_which_did_not_fit_into_their_function() -> None:
    early = {**TRIALS[3], "rows": 1250, "ended": True, "why": "ended early, on 1,250 of 20,000 rows"}
    limited = {**TRIALS[1], "rows": 1500, "limited": "all rows would take about 2,000 s, and its function has 900 s"}
    text = section(make(facts(fit=FIT | {"trials": [TRIALS[0], limited, TRIALS[2], early]})), "How it was chosen")
    assert "(2 scored, 1 ended early, on 1,250 rows or more, 1 failed)" in text
    folds = {**early, "first_folds": 2}
    of_all = {**early, "rows": None, "first_folds": 3}
    raced = section(make(facts(fit=FIT | {"trials": [*TRIALS[:3], folds, of_all]})), "How it was chosen")
    assert "2 ended early, on 1,250 rows and 2 folds or more" in raced
    raced = section(make(facts(fit=FIT | {"trials": [*TRIALS[:3], of_all]})), "How it was chosen")
    assert "1 ended early, on 2,000 rows and 3 folds or more" in raced
    large = {**TRIALS[3], "rows": 1250}
    too_large = section(make(facts(fit=FIT | {"trials": [*TRIALS[:3], large]})), "How it was chosen")
    assert "(2 scored, 1 pruned, 1 failed)" in too_large, "its model is too large, on however many rows"
    assert "Fitted on fewer than the 2,000 rows of train: t2 on 1,500 (all rows would take about 2,000 s, and" in text


def test_the_simplest_is_taken_within_the_error_of_the_difference_not_of_the_best_alone() -> None:
    close = {**TRIALS[1], "folds": [each - 0.0098 for each in TRIALS[0]["folds"]]}
    text = section(make(facts(fit=FOREST | {"trials": [TRIALS[0], close]})), "How it was chosen")
    assert "Within one standard error of the difference to it: 1 trial" in text
    assert "| t2 | all | 0.924 ± 0.014 | 0.0098 ± 0.0000 |" in text


@pytest.mark.parametrize(
    ("fit", "holdout", "cursed"),
    [
        (FOREST, 0.9011, True),
        (FOREST, 0.9411, False),  # the holdout says more than cross-validation did
        (FIT, 0.9011, False),  # the simplest within the error, not the best one
        (FOREST | {"trials": TRIALS[:1]}, 0.9011, False),  # there was no choice
    ],
)
def test_only_the_best_of_several_that_falls_on_the_holdout_is_cursed(
    fit: dict[str, object], holdout: float, cursed: bool
) -> None:
    figures = EVALUATION["metrics"] | {"roc_auc": {"value": holdout, "low": 0.8712, "high": 0.9613}}
    text = section(make(facts({"metrics": figures}, fit=fit)), "How it was chosen")
    assert ("Winner's curse" in text) == cursed
    assert ("Believe the second" in text) == cursed
    assert f"on the holdout, which had no part in the choice, {holdout:.3f} (0.871 to 0.961)." in text


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ((1.0, 0.99962, 1.0), "1.0000 (0.9996 to 1.0000)"),
        ((0.9, 0.87, 0.93), "0.900 (0.870 to 0.930)"),
        ((0.0, 0.0, 0.0), "0.000 (0.000 to 0.000)"),
        ((0.5, 0.49999999, 0.50000001), "0.500000 (0.500000 to 0.500000)"),
    ],
)
def test_an_interval_has_decimals_enough_to_tell_its_ends_apart(figure: tuple[float, ...], text: str) -> None:
    value, low, high = figure
    assert interval(Figure(value=value, low=low, high=high)) == text


def test_a_slice_that_an_earlier_version_wrote_is_read() -> None:
    old = {"feature": "cp", "slice": "a", "rows": 9, "overall": 0.9, "value": 0.8, "low": None, "high": None}
    slices = [{**old, "worse": False, "enough": False}]
    text = section(make(facts({"slices": slices})), "Where it is worse")
    assert "| cp: a | 9 | 0.800 | undefined | undefined | too few rows |" in text


def guarded(trial: str, passed: bool) -> dict[str, object]:
    return {"trial": trial, "loss_gap": 0.0571, "error": 0.0212, "passed": passed}


def test_the_guard_names_what_it_kept_out() -> None:
    text = section(make(facts(fit=FIT | {"guarded": [guarded("t1", False), guarded("t2", True)]})), "How it was chosen")
    assert "the simplest of these that passes the guard is taken: **t2**" in text
    assert "It kept out t1 (+0.057 ± 0.021)." in text
    assert "It kept out none." in section(
        make(facts(fit=FIT | {"guarded": [guarded("t1", True)]})), "How it was chosen"
    )


def test_where_nothing_near_the_best_passes_the_guard_it_says_that_another_was_taken() -> None:
    close = {**TRIALS[1], "folds": [each - 0.0098 for each in TRIALS[0]["folds"]]}
    text = section(
        make(facts(fit=FIT | {"trials": [TRIALS[0], close], "guarded": [guarded("t1", False), guarded("t2", True)]})),
        "How it was chosen",
    )
    assert "1 trial; none of these passes the guard, and the best one that does is taken: **t2**" in text


def test_a_chosen_trial_that_did_not_pass_the_guard_says_so() -> None:
    text = section(
        make(facts(fit=FIT | {"guarded": [guarded("t1", False), guarded("t2", False)]})), "How it was chosen"
    )
    assert "**No trial that was tried passed it**, this one neither" in text
    assert "none that was tried passes the guard, and the simplest of these is taken: **t2**" in text


def test_a_chosen_trial_that_did_not_pass_the_guard_where_another_did_says_so() -> None:
    both = [guarded("t1", True), guarded("t2", False)]
    text = section(make(facts(fit=FIT | {"guarded": both, "order": ["t1", "t2"]})), "How it was chosen")
    assert "**This one did not pass it**; the exports of those that did failed. Did not pass: t2" in text
    assert "No trial" not in text


def test_plain_regression_passes_the_guard_without_being_asked() -> None:
    plain = {**TRIALS[1], "id": PLAIN}
    fit = FIT | {"trials": [TRIALS[0], plain], "order": [PLAIN, "t1"], "guarded": [guarded("t1", False)]}
    text = section(make(facts(fit=fit)), "How it was chosen")
    assert "the simplest of these that passes the guard is taken" in text
    assert "No trial" not in text


def test_what_was_left_out_and_what_that_cost_or_gained() -> None:
    text = section(make(facts()), "What feature selection left out")
    assert "The model has 2 of 3 columns. Features that it does not use at all: chol." in text
    assert "Leaving columns out gained 0.0098, less than one standard error of the difference" in text
    assert "no difference that could be told" in text


def test_a_difference_that_the_holdout_tells_is_told() -> None:
    pruned = {**TRIALS[1], "id": "t5", "selection": "univariate", "mean": 0.9302, "folds": [0.95, 0.92, 0.92, 0.9308]}
    fit = FIT | {"trial": "t5", "attempts": [attempt("t5")], "selection": "univariate", "trials": [*TRIALS, pruned]}
    worse = gains("logistic_regression", -0.0571, -0.1011, -0.0142, metric="log_loss")
    worse["logistic_regression"]["roc_auc"] = {"value": 0.0041, "low": -0.0012, "high": 0.0093}
    text = section(make(facts({"gains": worse}, fit=fit)), "What feature selection left out")
    assert (
        "Leaving columns out gained 0.0059, less than one standard error of the difference. The holdout tells" in text
    )
    assert "with all columns: worse in log loss by 0.057 (0.014 to 0.101)." in text
    assert "no difference that could be told" not in text


def test_features_without_information_are_named() -> None:
    text = section(make(facts(fit={**FIT, "ignored": ["chol", "thal"]})), "What feature selection left out")
    assert "Ignored, because empty or constant in train: chol, thal. What fills them later changes no answer." in text
    assert "Ignored" not in section(make(facts()), "What feature selection left out")


def test_what_was_left_out_is_told_in_the_texts_of_the_contract_and_compared_within_the_family() -> None:
    whole = {**TRIALS[0], "id": "t5", "selection": "none", "mean": 0.9402, "folds": [0.93, 0.95, 0.94, 0.9408]}
    fit = FOREST | {
        "trials": [*TRIALS, whole],
        "selected": ["age", "cp=4"],
        "left_out": ["chol", "cp=1", "sex=0", "sex=1", "thal=(missing)"],
    }
    text = section(make(facts(fit=fit)), "What feature selection left out")
    assert "The model has 2 of 7 columns." in text
    assert "does not use at all: sex, chol, thal." in text
    assert "In part: cp (only “asymptomatic”)." in text
    assert "of the best random forest with all columns: 0.940 ± 0.014; of this one: 0.934 ± 0.014." in text
    assert "Leaving columns out cost 0.0061, less than one standard error" in text


@pytest.mark.parametrize(("proved", "told"), [(None, False), (50, False), (0, True)])
def test_limits_say_where_no_record_proves_what_prepare_does(proved: int | None, told: bool) -> None:
    card = make(facts(fit=FIT | {"proved": proved}))
    assert ("No record proves that prepare.py" in section(card, "Its limits")) is told


def test_data_say_who_is_out_and_limits_say_where_it_extrapolates() -> None:
    card = make(facts())
    text = section(card, "What it was trained on")
    assert "`raw/heart.csv` (2,500 rows)" in text
    assert "10 rows that broke the contract: age: above 120 (10 rows)" in text
    assert "age 29 to 77 years" in section(card, "Its limits")


def test_it_can_be_looked_up() -> None:
    text = section(make(facts()), "Where it comes from")
    for digest in ("4e57000000000001", "da7a5e7000000001", "ab" * 32, "10c" * 21 + "1"):
        assert f"`{digest}`" in text


# Data without an audit, and texts that are not meant well


def test_a_run_whose_data_were_not_audited_has_a_card_too() -> None:
    card = make(facts(manifest=None, profile=None, audit=None, lock="", decision_day=""))
    assert "not audited for leakage" in card.markdown
    for absent in ("None", "nan"):
        assert absent not in card.markdown


def test_undefined_figures_are_called_undefined() -> None:
    undefined = {name: {"value": None, "low": None, "high": None} for name in EVALUATION["metrics"]}
    card = make(facts({"metrics": undefined, "success": None, "slices": []}))
    assert card.verdict.level == "no"
    assert "undefined" in first_paragraph(card)


HOSTILE = "<script>alert(1)</script>|**x**\n# y [z](javascript:alert(1)) ![i](http://evil.example/i.svg) `c` http://a.b"


def hostile() -> Facts:
    contract = facts().contract
    problem = contract.problem
    labels = {key: label.model_copy(update={"text": HOSTILE}) for key, label in problem.labels.items()}
    tables = {name: getattr(contract, name) for name in Contract.model_fields}
    tables["problem"] = problem.model_copy(
        update={"labels": labels, "title": HOSTILE, "description": HOSTILE, "objective": HOSTILE}
    )
    slices = [{**EVALUATION["slices"][1], "feature": HOSTILE, "slice": HOSTILE}]
    odd = AuditEntry(kind="x", feature=HOSTILE, evidence={}, message=HOSTILE)
    age = PROFILE.features["age"].model_copy(update={"min": HOSTILE, "max": HOSTILE})
    return facts(
        {"slices": slices},
        {"reason": HOSTILE, "against": HOSTILE},
        contract=Contract.model_construct(**tables),
        importance=IMPORTANCE | {"features": [{"feature": HOSTILE, "value": 0.1, "low": 0.0, "high": 0.2}]},
        audit=DatasetAudit(suspects=[odd], checked=[], findings=[odd]),
        fit=FIT
        | {
            "left_out": [HOSTILE],
            "trials": [{**trial, "why": HOSTILE} if "why" in trial else trial for trial in TRIALS],
        },
        manifest=MANIFEST.model_copy(update={"files": [a_source(HOSTILE, valid=1)], "coerced": {HOSTILE: 1}}),
        profile=PROFILE.model_copy(update={"features": {"age": age}}),
        lock=HOSTILE,
        report=HOSTILE,
    )


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_that_a_text_holds_becomes_markup() -> None:
    card = make(hostile(), {"roc": SVG})
    page = Tags(card.html)
    ours = "html head meta title style body main h1 div nav a section h2 p strong table thead tbody tr th td ul li code"
    assert {tag for tag, _ in page.tags} <= {*ours.split(), "figure", "img", "em"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "a":
            assert str(attributes["href"]).startswith("#")
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/svg+xml;base64,")
    assert page.text.count("<script>alert(1)</script>") > 5  # shown as it is
    assert "<script>" not in re.sub(r"\\<script\\>|`[^`]*`", "", card.markdown)
    assert len([line for line in card.markdown.splitlines() if line.startswith("# ")]) == 1


@pytest.mark.parametrize(
    "text", ["a|b", "<b>", "*x*", "_x_", "a\nb", "`x`", "[x](y)", "\u202eevil", "&lt;", "~~x~~", "\\"]
)
def test_a_text_stays_a_text_in_a_table(text: str) -> None:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page = Tags(markdown.render(f"| a | b |\n|---|---|\n| {escaped(text)} | end |\n"))
    assert [tag for tag, _ in page.tags if tag not in ("table", "thead", "tbody", "tr", "th", "td")] == []
    shown = re.sub(r"[\n\u202e]", " ", text).strip()
    assert shown in page.text
    assert len([tag for tag, _ in page.tags if tag == "td"]) == 2


def test_ordinary_names_are_not_disfigured() -> None:
    assert escaped("max_heart_rate (beats/min), 3.5%") == "max_heart_rate (beats/min), 3.5%"


# The page


def test_the_page_needs_nothing_else() -> None:
    html = make(facts(), {"roc": SVG, "importance": SVG}).html
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", html)
    assert "default-src &#39;none&#39;" in html
    assert "<script" not in html
    assert html.count(base64.b64encode(SVG).decode()) == 2
    assert '<div class="verdict care">' in html


def test_plots_that_are_too_large_to_be_served_are_left_out() -> None:
    html = make(facts(), {"roc": b"<svg/>" + b" " * MOST_PLOTS}).html
    assert "<img" not in html


def test_the_same_run_has_the_same_card() -> None:
    assert make(facts()) == make(facts())


def test_the_summary_fits_where_there_is_little_room() -> None:
    summary = make(facts()).summary
    assert summary.startswith("**Use this model with care.**")
    assert "| ROC AUC | 0.901 (0.871 to 0.931) |" in summary
    assert len(summary) < 2000
