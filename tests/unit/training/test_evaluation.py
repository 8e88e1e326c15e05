"""An evaluation says what the model is worth, against what, for whom, and how sure that is; its plots show it."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset import columns
from andamio.dataset import version as dataset
from andamio.pages import theme
from andamio.stats.metrics import METRICS
from andamio.storage import layout
from andamio.storage.documents import find
from tests.support.datasets import FRUIT_FOLDER, HEART_FOLDER, fruit_cells, heart_cells, publish
from tests.support.runs import evaluated
from training import rows
from training.evaluate import curves, recent, slices
from training.evaluate.decide import decide
from training.evaluate.documents import Importance
from training.evaluate.plots import plots

HEART, FRUIT = Contract.load(HEART_FOLDER), Contract.load(FRUIT_FOLDER)
SVG = "{http://www.w3.org/2000/svg}"


def world(contract, cells, **said):
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, contract, cells, **said)
    run, evaluation = evaluated(lake, models, contract)
    return lake, models, run, evaluation


@pytest.fixture(scope="module")
def heart():
    return world(HEART, heart_cells())


@pytest.fixture(scope="module")
def fruit():
    return world(FRUIT, fruit_cells())


def read(models, run, file):
    return json.loads(models.get(layout.run(run, file)).body)


def test_served_probabilities_are_the_calibrated_ones_and_out_of_fold_scores_too(heart):
    _, models, run, _ = heart
    fit = read(models, run, "fit.json")
    kept = read(models, run, "candidate/out_of_fold.json")
    assert fit["calibration"]["kind"] == "platt"
    assert fit["attempts"][0]["parity"]["largest"] <= 1e-5
    labels, scores = np.array(kept["labels"]), np.array(kept["scores"])
    # Platt's fit leaves the mean where it was: what is said on average is what happened, out of fold.
    assert scores[:, HEART.positive_index].mean() == pytest.approx(np.mean(labels == HEART.positive_index), abs=0.005)
    assert set(np.bincount(kept["groups"])) == {1}


@pytest.mark.parametrize("which", ["heart", "fruit"])
def test_the_baselines_are_scored_on_the_same_rows_and_the_gain_over_each_is_paired(which, request):
    evaluation = request.getfixturevalue(which)[3]
    for baseline in ("majority_class", "logistic_regression"):
        assert set(evaluation.baselines[baseline]) == set(evaluation.gains[baseline]) == set(METRICS)
        for metric, gain in evaluation.gains[baseline].items():
            sign = -1 if metric in ("log_loss", "brier") else 1
            apart = evaluation.metrics[metric].value - evaluation.baselines[baseline][metric].value
            assert gain.value == pytest.approx(sign * apart)
            assert gain.low <= gain.high
    assert evaluation.baselines["majority_class"]["roc_auc"].value == 0.5
    assert evaluation.gains["majority_class"]["roc_auc"].low > 0
    for figure in evaluation.metrics.values():
        assert figure.low <= figure.value <= figure.high


def test_the_confusion_matrix_is_in_the_order_that_is_said(fruit):
    _, _, _, evaluation = fruit
    assert evaluation.class_order == list(FRUIT.classes)
    assert [sum(row) for row in evaluation.confusion] == [evaluation.classes[name] for name in evaluation.class_order]


def test_slices_part_the_holdout_by_each_feature_and_leave_private_ones_out(fruit):
    _, _, _, evaluation = fruit
    features = {part.feature for part in evaluation.slices}
    assert features == {name for name, feature in FRUIT.inputs.items() if not feature.private}
    for feature in features:
        assert sum(part.rows for part in evaluation.slices if part.feature == feature) == evaluation.rows
    for part in evaluation.slices:
        assert part.enough == (part.rows >= 20)
        assert (part.excess.low is None) == (not part.enough)


def planted_slices(metric):
    """Two hundred holdout rows, whose half "b" is answered at random, and with as much certainty as half "a"."""
    text = f"""
[problem]
name = "planted"
target = "y"
labels = {{ "0" = "no", "1" = "yes" }}
[features.part]
type = "category"
[features.x]
type = "number"
[training]
metric = "{metric}"
"""
    contract = Contract.from_toml(text)
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 1000)
    part = np.where(np.arange(1000) % 2 == 0, "a", "b")
    right = (part == "a") | (rng.random(1000) < 0.5)
    sure = np.where(right == (labels == 1), 0.8, 0.2) + rng.uniform(-0.08, 0.08, 1000)
    cells = {"part": part.tolist(), "x": [str(row % 7) for row in range(1000)], "y": [str(label) for label in labels]}
    lake = MemoryObjects("lake")
    version = publish(lake, contract, cells)
    train = dataset.read_columns(lake, version, "train")
    sealed = rows.seal(contract, train)
    held = rows.encode_rows(sealed, dataset.read_columns(lake, version, "holdout"), version=version)
    index = [row for label in (0, 1) for row in np.flatnonzero(labels == label)[::5]]
    positive = sure[sorted(index)]
    return slices.assess(
        sealed,
        np.column_stack([1 - positive, positive]),
        held,
        0.5,
        slices.slices(sealed, rows.typed_table(sealed, train, version=version).columns, held.table),
    )


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier", "accuracy"])
def test_a_slice_that_is_served_worse_is_named_whichever_way_the_metric_goes(metric):
    found = {(part.feature, part.slice): part.worse for part in planted_slices(metric)}
    assert found["part", "b"]
    assert not found["part", "a"]


def test_a_slice_where_a_strong_feature_is_fixed_is_not_worse_for_that():
    """Within each half of the feature that decides, ROC AUC is that of the rest alone."""
    rng = np.random.default_rng(8)
    side = np.where(np.arange(1000) % 2, 3.0, -3.0)
    positive = 1 / (1 + np.exp(-side - rng.normal(size=1000)))
    labels = (rng.random(1000) < positive).astype(np.int64)
    held = rows.TrainingRows(None, labels, [str(row) for row in range(1000)], {})
    parts = [slices.Slice("side", str(value), side == value) for value in (-3.0, 3.0)]
    found = slices.assess(HEART, np.column_stack([1 - positive, positive]), held, 0.5, parts)
    assert all(part.value < part.overall - 0.1 and not part.worse for part in found)


@pytest.mark.slow
def test_of_many_slices_that_are_all_alike_hardly_one_is_called_worse():
    """Forty slices of noise, forty times: each alone would be worse beyond its own interval once in forty."""
    contract, rng, marked = HEART, np.random.default_rng(5), 0
    for _ in range(40):
        positive = 1 / (1 + np.exp(-2 * rng.normal(size=400)))
        labels = (rng.random(400) < positive).astype(np.int64)
        held = rows.TrainingRows(None, labels, [str(row) for row in range(400)], {})
        parts = [slices.Slice("x", str(number), rng.random(400) < 0.15) for number in range(40)]
        found = slices.assess(contract, np.column_stack([1 - positive, positive]), held, 0.5, parts)
        marked += any(part.worse for part in found)
    assert marked <= 6


def test_quartiles_are_those_of_train_and_fewer_where_values_repeat():
    said = [part.slice for part in planted_slices("accuracy") if part.feature == "x"]
    assert said == ["up to 1", "above 1 up to 3", "above 3 up to 5", "above 5"]


def test_an_honest_forecaster_is_calibrated_and_an_overconfident_one_is_not():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=5000)
    labels = (rng.random(5000) < p).astype(np.int64)
    sure = np.clip(0.5 + (p - 0.5) * 1.8, 0, 1)
    honest, too_sure = (curves.calibration(HEART, labels, np.column_stack([1 - s, s]), 7) for s in (p, sure))
    assert honest.error < 2 * honest.by_chance
    assert too_sure.error > 5 * too_sure.by_chance
    assert honest.by_chance < honest.by_chance_high < too_sure.error
    assert sum(part.rows for part in honest.bins) == 5000
    assert all(part.observed_low <= part.observed <= part.observed_high for part in honest.bins)


def test_curves_end_where_they_must_and_stay_small():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 3000)
    p = np.clip(labels * 0.3 + rng.uniform(size=3000) * 0.7, 0, 1)
    found = curves.curves(HEART, labels, np.column_stack([1 - p, p]))
    assert (found.roc[0], found.roc[-1]) == ([0, 0], [1, 1])
    assert found.precision_recall[-1][0] == 1
    assert all(len(points) <= curves.POINTS for points in (found.roc, found.precision_recall))
    one = curves.curves(HEART, np.zeros(5, dtype=np.int64), np.full((5, 2), 0.5))
    assert (one.roc, one.precision_recall) == ([], [])


# A holdout that says too little


@pytest.fixture(scope="module")
def scarce():
    """Nine ill patients held out."""
    cells = heart_cells()
    ill = [row for row, value in enumerate(cells[HEART.problem.target]) if value == "1"]
    well = [row for row, value in enumerate(cells[HEART.problem.target]) if value == "0"]
    held = {*ill[:9], *well[:30]}
    return world(HEART, cells, holdout=[row in held for row in range(303)])


def test_a_holdout_with_nine_rows_of_a_class_is_low_evidence_and_judged_out_of_fold(scarce):
    lake, models, run, evaluation = scarce
    assert evaluation.low_evidence is True
    assert evaluation.success.value == evaluation.cross_validated["roc_auc"].value
    decision = decide(lake, models, run)
    assert (decision.low_evidence, decision.evidence) == (True, "cross_validation")
    assert decision.outcome == "promoted"
    assert "30, 9 rows by class" in decision.reason
    assert "evidence is low" in decision.reason


def test_a_larger_holdout_is_not_marked(heart):
    assert heart[3].low_evidence is False
    assert heart[3].cross_validated is None


# Rows since the champion's data


def grown(contract, cells, extra, **said):
    lake = MemoryObjects("lake")
    before = publish(lake, contract, {name: column[:-extra] for name, column in cells.items()}, **said)
    after = publish(lake, contract, cells, **said)
    return lake, before, dataset.read_columns(lake, after, "holdout")


def test_rows_that_the_champions_data_did_not_hold_are_the_recent_ones():
    lake, before, holdout = grown(HEART, heart_cells(), 60)
    new = recent.since(lake, before, holdout)
    assert 5 <= new.sum() <= 20
    assert new.sum() == len(holdout["_row"]) - sum(
        row in set(map(str, dataset.read_columns(lake, before, "holdout")["_row"])) for row in map(str, holdout["_row"])
    )


def test_the_same_rows_in_a_new_file_are_not_new():
    lake, before, holdout = grown(HEART, heart_cells(), 60)
    renamed = {
        **holdout,
        "_row": np.array([f"of another file {row}" for row in range(len(holdout["_row"]))], dtype=object),
    }
    as_before, as_renamed = recent.since(lake, before, holdout), recent.since(lake, before, renamed)
    assert as_renamed.sum() == as_before.sum()


def side(rows):
    """Rows `(identity, age, chest pain)` as columns."""
    identities, ages, pains = zip(*rows, strict=True)
    texts = {"_row": identities, "_key": identities, "cp": pains}
    return {name: np.array(cells, dtype=object) for name, cells in texts.items()} | {"age": np.array(ages, dtype=float)}


def kept(**sides):
    lake = MemoryObjects("lake")
    for name, kept_rows in sides.items():
        lake.put(layout.dataset_rows("v1", name), columns.to_bytes(side(kept_rows)))
    return lake


def test_of_equal_rows_as_many_are_new_as_there_are_more_of_them():
    nan = float("nan")
    lake = kept(
        train=[("a1", 50, "x"), ("a2", 50, "x"), ("a3", nan, ""), ("a4", 60, "x"), ("stays", 70, "x")],
        holdout=[("a5", 50, "y")],
    )
    again = [("b1", 50, "x"), ("b2", 50, "x"), ("b3", 50, "x"), ("b4", nan, ""), ("b5", 60, "y"), ("b6", 50, "y")]
    again += [("stays", 70, "x"), ("b7", 70, "x"), ("b8", 61, "x")]
    new = recent.since(lake, "v1", side(again))
    assert [row[0] for row, is_new in zip(again, new, strict=True) if is_new] == ["b3", "b5", "b7", "b8"]


def test_a_column_that_has_another_type_now_is_compared_by_its_text():
    lake = kept(train=[("a1", 50, "x")], holdout=[("a2", 60, "x")])
    texts = {**side([("b1", 50, "x"), ("b2", 50, "x")]), "age": np.array(["50.0", "50"], dtype=object)}
    assert recent.since(lake, "v1", texts).tolist() == [False, True]


def test_of_the_champions_data_only_identities_are_read_where_none_is_new(monkeypatch):
    lake = kept(train=[("a1", 50, "x")], holdout=[("a2", 60, "x")])
    read_column, read = columns.ColumnFile.__getitem__, []
    monkeypatch.setattr(
        columns.ColumnFile, "__getitem__", lambda file, name: read.append(name) or read_column(file, name)
    )
    assert not recent.since(lake, "v1", side([("a2", 60, "x")])).any()
    assert read == ["_row", "_row"]


def test_when_the_champions_data_are_gone_nobody_knows_what_is_new():
    lake, _, holdout = grown(HEART, heart_cells(), 60)
    assert recent.since(lake, "0123456789abcdef", holdout) is None


# Plots


@pytest.mark.parametrize("which", ["heart", "fruit"])
def test_every_plot_is_drawn_kept_in_the_run_and_a_picture(which, request):
    _, models, run, evaluation = request.getfixturevalue(which)
    for name in ("roc", "precision_recall", "calibration", "confusion", "slices", "importance"):
        assert f"plots/{name}.svg" in evaluation.files
        picture = ElementTree.fromstring(models.get(layout.run(run, f"plots/{name}.svg")).body)
        assert picture.tag == SVG + "svg"
        assert picture.find(SVG + "title").text
        assert "nan" not in models.get(layout.run(run, f"plots/{name}.svg")).body.decode().lower()


def test_plots_are_drawn_again_to_the_byte_from_what_was_written(heart):
    _, models, run, evaluation = heart
    importance = find(models, layout.run(run, "importance.json"), Importance)
    for name, body in plots(evaluation, importance).items():
        assert models.get(layout.run(run, name)).body == body


def test_a_plot_says_what_data_say_without_obeying_it(heart):
    first, *others = heart[3].slices
    hostile = first.model_copy(update={"slice": "<script>alert('x')</script>"})
    evaluation = heart[3].model_copy(update={"slices": [hostile, *others]})
    drawn = plots(evaluation)
    assert b"<script" not in drawn["plots/slices.svg"]
    ElementTree.fromstring(drawn["plots/slices.svg"])


def test_slices_of_a_handful_of_rows_are_counted_and_not_drawn(heart):
    evaluation = heart[3]
    few = sum(not part.enough for part in evaluation.slices)
    drawn = plots(evaluation)["plots/slices.svg"].decode()
    assert few > 0
    assert f"{few} slices with too few rows are not drawn" in drawn
    assert drawn.count("<circle") == len(evaluation.slices) - few


def test_the_slices_of_a_plot_are_the_worst_ones_first(heart):
    parts = [part.model_copy(update={"worse": False}) for part in heart[3].slices]
    at = max(range(1, len(parts)), key=lambda index: parts[index].rows)
    parts[at] = parts[at].model_copy(update={"worse": True, "enough": True, "slice": "the worst"})
    drawn = plots(heart[3].model_copy(update={"slices": parts}))["plots/slices.svg"].decode()
    labels = [text.text or "" for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    names = [label for label in labels if ": " in label and "(" in label]
    assert "the worst" in names[0]


def test_no_two_curves_of_a_plot_have_one_colour(heart):
    keys = [f"c{number}" for number in range(11)]
    curve = {key: [[0.0, 0.0], [0.5, 0.7], [1.0, 1.0]] for key in keys}
    evaluation = heart[3].model_copy(
        update={
            "curves": heart[3].curves.model_copy(update={"roc": curve}),
            "classes": {key: 10 + number for number, key in enumerate(keys)},
            "texts": {},
            "positive": None,
        }
    )
    drawn = plots(evaluation)["plots/roc.svg"].decode()
    lines = [line.get("stroke") for line in ElementTree.fromstring(drawn).iter(f"{SVG}polyline")]
    coloured = [colour for colour in lines if colour in theme.SERIES]
    assert len(coloured) == len(set(coloured)) == len(theme.SERIES)
    assert f"{11 - len(theme.SERIES)} classes with more rows are not drawn" in drawn


def test_the_confusion_matrix_names_classes_as_people_know_them(heart):
    drawn = plots(heart[3])["plots/confusion.svg"].decode()
    assert "Healthy patient" in drawn
    assert "Heart disease detected" in drawn
