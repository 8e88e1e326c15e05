"""A problem with a number for a target, from its file to a release: nothing promised for classes is weaker here."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.svm import SVR

from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.dataset import version as dataset
from andamio.dataset.documents import DatasetManifest, DatasetProfile
from andamio.errors import TrainingError
from andamio.gate.decision import Figure
from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.release.pointer import read_pointer
from andamio.release.release import CARD, Release
from andamio.stats.conformal import Margins
from andamio.storage import documents, layout
from andamio.testing.tracker import MemoryTracker
from etl.publish import read_audit
from etl.report import report
from registry.card.wording import interval
from registry.news import News
from registry.record import Origin
from registry.register import promote, register
from tests.support.datasets import publish
from tests.support.etl import Lake
from tests.support.runs import copied, planned
from training import export, reference
from training.documents import FittedModel
from training.evaluate import guards, plots
from training.evaluate.decide import decide
from training.evaluate.documents import Evaluation, GateDecision, Success
from training.evaluate.evaluate import evaluate
from training.evaluate.slices import Slice, assess
from training.families import regression, sizes
from training.families.catalog import Family
from training.fit import fit
from training.rows import TrainingRows
from training.trials import folds, sample
from training.trials.loss_guard import loss_gap

FOLDER = Path(__file__).parents[3] / "problems" / "diabetes"
DIABETES = Contract.load(FOLDER)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
NEWS = News(MemoryEvents(), "diabetes")


@dataclasses.dataclass
class World:
    """A lake, the models' bucket, and a run on it."""

    lake: Lake
    models: MemoryObjects
    version: str
    run: str
    fit: FittedModel
    evaluation: Evaluation


def trained(contract: Contract, lake: Lake) -> World:
    models = MemoryObjects("models")
    version = dataset.current_version(lake)
    run = planned(lake, models, contract, families=("ridge",))
    found = fit(lake, models, run)
    assert isinstance(found, FittedModel)
    return World(lake, models, version, run, found, evaluate(lake, models, run))


@pytest.fixture(scope="module")
def once() -> World:
    lake = Lake(DIABETES)
    lake.run(lake.drop_bytes("diabetes.csv", (FOLDER / "diabetes.csv").read_bytes()))
    return trained(DIABETES, lake)


@pytest.fixture
def world(once: World) -> World:
    return dataclasses.replace(once, models=copied(once.models))


def test_out_of_fold_scores_are_kept_whatever_the_size_of_the_unit() -> None:
    scores = np.linspace(1.0, 2.0, 50)[:, None] * 1e-12
    train = TrainingRows(Encoded(scores, np.empty((50, 0))), scores[:, 0], tuple(map(str, range(50))), None)  # type: ignore[arg-type]

    kept = reference.out_of_fold(DIABETES, train, scores, 1)

    np.testing.assert_allclose(kept.scores, scores, rtol=1e-8, atol=0)


# Data


def test_a_data_version_keeps_numbers_and_counts_them_by_quarters(once: World) -> None:
    manifest = documents.read(once.lake, layout.dataset(once.version, "manifest.json"), DatasetManifest)
    profile = documents.read(once.lake, layout.dataset(once.version, "profile.json"), DatasetProfile)
    columns = dataset.read_columns(once.lake, once.version, "train")

    assert columns["progression"].dtype == np.float64
    assert manifest.classes == {}
    assert len(profile.classes.train) == 4
    assert max(profile.classes.train.values()) - min(profile.classes.train.values()) <= 4
    assert all(count > 0 for count in profile.classes.holdout.values())
    assert profile.target is not None
    assert profile.target.mean == pytest.approx(columns["progression"].mean())
    assert read_audit(once.lake, once.version).suspects == []


def test_the_report_shows_features_by_the_quarters_of_the_target(once: World) -> None:
    page = once.lake.get(report(once.lake, DIABETES, once.version)).body.decode()

    assert page.count("up to 8") > 3
    assert "What tells the label" in page


def test_a_column_that_gives_the_number_away_is_a_suspect() -> None:
    lines = (FOLDER / "diabetes.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    leaking = [lines[0], *(",".join([*row[:9], f"{float(row[10]) / 3 + index % 2:.3f}", row[10]])
                           for index, row in enumerate(rows))]  # fmt: skip
    text = (FOLDER / "problem.toml").read_text().replace("max         = 500\nrequired", "required")
    lake = Lake(Contract.from_toml(text))

    lake.run(lake.drop_bytes("diabetes.csv", "\n".join(leaking).encode()))

    suspects = read_audit(lake, dataset.current_version(lake)).suspects
    assert [(suspect.kind, suspect.feature) for suspect in suspects] == [("predicts_alone", "glu")]
    assert "'glu' alone tells the quarters of 'progression' apart" in suspects[0].message


def test_a_column_that_has_a_value_for_each_quarter_is_said_to_copy_quarters() -> None:
    contract = Contract.from_toml(
        '[problem]\nname = "steps"\ntask = "regression"\ntarget = "y"\nid = "n"\n'
        + "".join(f'[features.{name}]\ntype = "category"\n' for name in ("one", "two", "near"))
    )
    rows = [
        f"{n},{'abcd'[n % 4]},{'abcdefgh'[n % 8]},{'abcd'[(n + (n % 50 == 0)) % 4]},{n % 4 * 10}" for n in range(400)
    ]
    lake = Lake(contract)
    lake.run(lake.drop_bytes("steps.csv", "\n".join(["n,one,two,near,y", *rows]).encode()))
    said = {entry.feature: entry.message for entry in read_audit(lake, dataset.current_version(lake)).suspects}
    assert "'one' copies the label: its values and the quarters of 'y' are one to one" in said["one"]
    assert "'two' encodes the label: each of its 8 values has one quarter of 'y'" in said["two"]
    assert "'near' nearly copies the label: its values and the quarters of 'y' are one to one" in said["near"]


def test_too_few_numbers_are_refused_with_what_is_needed() -> None:
    lake = Lake(DIABETES)
    head = (FOLDER / "diabetes.csv").read_text().splitlines()[:12]

    said = lake.run(lake.drop("few.csv", *head))

    assert said["status"] == "rejected"
    assert "a regression needs 20 rows" in said["message"]


# Training


def a_table(rows: int = 400, seed: int = 1) -> tuple[Encoded, np.ndarray]:
    """Two numbers (one with gaps) and a category, and a positive number that depends on them."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 2)).astype(np.float32)
    kinds = rng.choice(np.array(["a", "b", "c"], dtype=object), size=(rows, 1))
    truth = np.exp(4 + 0.5 * numbers[:, 0] + 0.3 * (kinds[:, 0] == "a") + 0.2 * rng.normal(size=rows))
    numbers[rng.random(rows) < 0.1, 1] = np.nan
    return Encoded(numbers, kinds), truth.astype(np.float64)


@pytest.mark.parametrize("log", [False, True], ids=["linear", "log"])
@pytest.mark.parametrize("family", regression.REGRESSORS)
def test_the_graph_of_every_family_answers_what_was_fitted_in_the_target_s_unit(family: str, log: bool) -> None:
    encoded, truth = a_table()
    task = Regression(1.0, 200.0, "EUR", log, 0.9)
    few = {"n_estimators": 10} if "forest" in family or "trees" in family else {}
    fitted = regression.fit(family, encoded, truth, task, seed=3, params=few)

    body = export.to_onnx(fitted)

    graph = onnx.load_model_from_string(body).graph
    assert [output.name for output in graph.output] == ["value"]
    contract = Contract.from_toml(
        '[problem]\nname = "sales"\ntask = "regression"\ntarget = "y"\ntarget_min = 1\ntarget_max = 200\n'
        f'scale = "{"log" if log else "linear"}"\n[features.a]\ntype = "number"\n[features.b]\ntype = "number"\n'
        'required = false\n[features.c]\ntype = "category"\nvalues = ["a", "b", "c"]'
    )
    model = Model(contract, body)
    proof = export.parity(fitted.predict, model.predict, encoded, {0: (-50.0, 50.0)}, 1, export.Ruler.of(fitted))
    assert proof.holds, proof
    far = Encoded(np.full((2, 2), [[60.0], [-60.0]], dtype=np.float32), encoded.categories[:2])
    assert ((model.predict(far) >= 1) & (model.predict(far) <= 200)).all()
    assert np.corrcoef(model.predict(encoded)[:, 0], truth)[0, 1] > 0.5
    assert sizes.estimate(fitted) < 20 * len(body)


@pytest.mark.parametrize(("rows", "weight", "exact"), [(60, 1.0, True), (500, 100.0, False)])
def test_support_vectors_of_numbers_are_exact_on_few_rows_alone(
    rows: int, weight: float, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, truth = a_table(rows)
    family = Family("svm", True, lambda seed, params: SVR(C=weight))
    monkeypatch.setattr(regression, "REGRESSORS", {"svm": family})
    fitted = regression.fit("svm", encoded, truth, Regression(1.0, 200.0, "EUR", False, 0.9), seed=7, params={})
    session = onnxruntime.InferenceSession(export.to_onnx(fitted))
    ruler = export.Ruler.of(fitted)
    found = export.parity(fitted.predict, lambda each: session.run(["value"], each.feeds())[0], encoded, {}, 7, ruler)
    assert found.holds == exact, found
    assert exact or max(found.train, found.missing) > 3e-5


def test_a_graph_without_the_exponential_has_no_parity() -> None:
    encoded, truth = a_table(100)
    fitted = regression.fit("ridge", encoded, truth, Regression(1.0, None, "", True, 0.9), seed=3)
    other = dataclasses.replace(fitted, scale=dataclasses.replace(fitted.scale, spread=fitted.scale.spread * 1.001))

    proof = export.parity(fitted.predict, other.predict, encoded, {}, 1, export.Ruler.of(fitted))

    assert not proof.holds


@pytest.mark.parametrize("log", [False, True], ids=["linear", "log"])
def test_a_target_that_float32_cannot_tell_apart_has_no_parity_and_a_cure(log: bool) -> None:
    encoded, truth = a_table(100)
    far, near = (1e9 * (truth / truth.mean()) ** power for power in (1e-9, 0.01))
    task = Regression(1.0, None, "", log, 0.9)

    assert export.Ruler.of(regression.fit("ridge", encoded, near, task, seed=3)).tolerance < 0.01

    fitted = regression.fit("ridge", encoded, far, task, seed=3)
    with pytest.raises(TrainingError, match=r"0\.01 is allowed.*Subtract an offset from the target"):
        export.Ruler.of(fitted)


def test_rows_with_one_target_cannot_be_fitted() -> None:
    encoded, truth = a_table(50)

    with pytest.raises(TrainingError, match="have the same target"):
        regression.fit("ridge", encoded, np.full_like(truth, 3.0), Regression(None, None, "", False, 0.9), seed=1)


def test_every_fold_has_the_range_of_the_target_and_keys_stay_together() -> None:
    rng = np.random.default_rng(0)
    truth = rng.lognormal(size=500)
    keys = [f"{number // 2}" for number in range(500)]

    assigned = folds.repeated(truth, keys, (), 1, 2)

    assert (assigned[:, 0::2] == assigned[:, 1::2]).all()
    top = truth >= np.quantile(truth, 0.9)
    for repeat in assigned:
        assert sorted(np.bincount(repeat[top], minlength=5)) == pytest.approx([10] * 5, abs=2)


def test_a_target_that_varies_in_one_fold_alone_is_refused_with_what_to_do() -> None:
    truth, keys = np.zeros(60), [f"{number}" for number in range(60)]
    truth[7] = 4.0
    with pytest.raises(TrainingError, match=r"every row has the target 0: only 1 of 60 rows.*Add data"):
        folds.repeated(truth, keys, (), 1, 1)

    truth[8] = 4.0
    for assigned in folds.repeated(truth, keys, (), 1, 3):
        assert all(len(np.unique(truth[rows])) == 2 for rows, _ in folds.parts(assigned))


def test_samples_of_numbers_are_nested_and_have_the_range_of_the_target() -> None:
    rng = np.random.default_rng(0)
    truth = rng.lognormal(size=100_000)
    keys = rng.permutation(100_000).astype(np.uint64)
    assigned = folds.repeated(truth, keys, (), 1, 1)

    drawn = sample.places(truth, keys, assigned, rng)

    eighth, half = (sample.of(drawn, rung.rows) for rung in sample.rungs(truth, drawn, 5))
    assert not (eighth & ~half).any()
    for taken in (eighth, half):
        np.testing.assert_allclose(np.quantile(truth[taken], [0.1, 0.9]), np.quantile(truth, [0.1, 0.9]), rtol=0.02)


def test_the_guard_compares_the_losses_that_the_metric_sums_up() -> None:
    truth = np.arange(40.0)
    near, far = (truth + 1)[:, None], (truth + 3)[:, None]
    groups = np.arange(40)

    squared = loss_gap(far, near, truth, groups, 0.25, "rmse")
    absolute = loss_gap(far, near, truth, groups, 0.25, "mae")

    assert (squared.value, absolute.value) == (8.0, 2.0)
    assert squared.beyond_noise
    assert not loss_gap(near, far, truth, groups, 0.25, "rmse").beyond_noise


# Evaluation, gate and release


def test_the_evaluation_says_what_the_interval_held_and_what_the_median_would_have_done(once: World) -> None:
    found = once.evaluation

    assert set(found.metrics) == {"rmse", "mae", "r2"}
    assert found.numbers is not None
    assert found.numbers.coverage.pinball != pytest.approx(found.metrics["mae"].value / 2)  # of the intervals' ends
    assert set(found.baselines) == {"median", "ridge"}
    assert found.metrics["rmse"].low < found.metrics["rmse"].value < found.metrics["rmse"].high
    assert found.gains["median"]["rmse"].low > 0
    assert found.gains["ridge"]["rmse"].value == 0  # it is the plain ridge
    assert found.success is not None
    assert found.success.holds
    assert found.numbers is not None
    assert found.numbers.coverage.low < 0.9 < found.numbers.coverage.high
    assert found.calibration is None
    assert {"plots/predicted.svg", "plots/residuals.svg", "plots/importance.svg"} <= set(found.files)


def promoted(world: World) -> tuple[GateDecision, Release]:
    tracker = MemoryTracker()
    decision = decide(world.lake, world.models, world.run)
    origin = Origin("s3://lake/datasets/", lock="10c" * 21 + "1")
    register(world.lake, world.models, world.run, decision.decision, origin, tracker, NEWS, NOW)
    promote(world.models, world.run, decision.decision, lambda problem: tracker, NEWS, NOW)
    champion = read_pointer(world.models, "diabetes")[0].champion
    assert champion is not None
    return decision, Release.open(world.models, champion.release)


def test_a_model_that_beats_the_median_is_sealed_with_its_interval_and_a_card(world: World) -> None:
    decision, release = promoted(world)

    assert (decision.outcome, decision.rule, decision.against) == ("promoted", "median", "the median")
    assert decision.class_rows == []
    margins = release.margins()
    assert margins == Margins(
        0.9, **{key: getattr(world.fit.interval, key) for key in ("low", "high", "scale", "widths")}
    )
    assert len(margins.widths) == 5
    assert release.identity() != dataclasses.replace(release, info={**release.info, "interval": None}).identity()
    sealed = release.json("out_of_fold.json")
    assert sealed["classes"] == ["value"]
    truth, scores = np.array(sealed["labels"]), np.array(sealed["scores"])[:, 0]
    low, high = margins.around(scores)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.9, abs=0.02)
    card = release.read(CARD).decode()
    assert "Whether its intervals hold" in card
    assert "as wide for every row" not in card
    widest = max(factor for _, factor in margins.widths)
    assert f"to {margins.high * widest:+.4g} points around the prediction where it is widest" in card
    assert "better than always saying" not in card
    assert "answers with a number of points, with an interval that shall hold the truth in 90% of cases" in card
    assert "| metric | this model | median | plain ridge |" in card.replace(" --: |", "")
    assert re.search(r"the target \d+ to \d+ points", card)
    assert "-0.000" not in card
    assert "class" not in card.split("## Where it comes from")[0].replace("classes of", "")


def test_figures_in_the_target_s_unit_are_as_long_as_their_size_asks_for() -> None:
    small, near = Figure(value=2e-9, low=1e-9, high=3e-9), Figure(value=61234.5, low=61234.4, high=61234.6)

    assert interval(small, of="rmse") == "2e-09 (1e-09 to 3e-09)"
    assert interval(near, of="rmse") == "61234.5 (61234.4 to 61234.6)"
    assert interval(Figure(value=0.86, low=0.81, high=0.9), of="r2") == "0.860 (0.810 to 0.900)"

    contract = Contract.from_toml(
        '[problem]\nname = "parts"\ntask = "regression"\ntarget = "y"\nsuccess = "rmse <= 0.000001"\n'
        '[features.a]\ntype = "number"'
    )
    found = [(name, Figure(value=size, low=size, high=size), False) for name, size in (("a", 1e-9), ("b", 2e-9))]
    drawn = plots._intervals("importance", "rmse", found, 0.0, "", of="rmse").decode()
    assert "b: 2e-09 (2e-09 to 2e-09)" in drawn
    at = [float(x) for x in re.findall(r"<circle cx='([\d.]+)'", drawn)]
    assert at[1] - at[0] > 100

    (guard,) = guards._of_success(contract, Success(rule="rmse <= 0.000001", value=2e-6, holds=False))
    assert guard.message.endswith("and rmse is 2e-06")


def test_the_same_model_ties_with_itself(world: World) -> None:
    promoted(world)

    assert decide(world.lake, world.models, world.run).outcome == "tied"


def test_a_champion_in_another_unit_is_not_compared_with(world: World) -> None:
    promoted(world)
    text = (FOLDER / "problem.toml").read_text().replace('"points"', '"thousand points"')
    other = Contract.from_toml(text)
    run = planned(world.lake, world.models, other, families=("ridge",))
    fit(world.lake, world.models, run)
    evaluate(world.lake, world.models, run)

    decision = decide(world.lake, world.models, run)

    assert (decision.outcome, decision.rule) == ("rejected", "other_classes")
    assert "predicts a number of points, this model predicts a number of thousand points" in decision.reason


def test_a_slice_with_larger_errors_is_named_and_equal_ones_are_not() -> None:
    rng = np.random.default_rng(5)
    rows = 600
    truth = rng.normal(size=rows)
    bad = np.arange(rows) % 6 == 0
    predicted = truth + rng.normal(size=rows) * np.where(bad, 3.0, 1.0)
    keys = tuple(map(str, range(rows)))
    holdout = TrainingRows(Encoded(np.empty((rows, 0), np.float32), np.empty((rows, 0), object)), truth, keys, None)
    parts = [Slice("kind", "bad", bad), Slice("half", "one", np.arange(rows) % 12 >= 6)]

    found = assess(DIABETES, predicted[:, None], holdout, 0.5, parts)

    assert [part.worse for part in found] == [True, False]
    assert found[0].brier is None


def test_a_log_scale_trains_to_a_model_whose_intervals_are_ratios() -> None:
    rng = np.random.default_rng(2)
    size = rng.uniform(1, 100, 300)
    price = 50 * size * np.exp(0.3 * rng.normal(size=300))
    contract = Contract.from_toml(
        '[problem]\nname = "flats"\ntask = "regression"\ntarget = "price"\ntarget_min = 1\nscale = "log"\n'
        'unit = "EUR"\n[features.size]\ntype = "number"\n[training]\nmetric = "mae"\n'
    )
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    cells = {"size": [f"{value:.3f}" for value in size], "price": [f"{value:.2f}" for value in price]}
    publish(lake, contract, cells, holdout=[row % 5 == 0 for row in range(300)])
    run = planned(lake, models, contract, families=("gradient_boosting",))

    found = fit(lake, models, run)

    assert isinstance(found, FittedModel)
    assert found.interval is not None
    assert found.interval.scale == "log"
    assert 0.4 < found.interval.low < 1 < found.interval.high < 2.5
    assert {trial.id for trial in found.trials} == {"median", "ridge", "gradient_boosting"}
    evaluation = evaluate(lake, models, run)
    assert evaluation.numbers is not None
    assert evaluation.numbers.coverage.share == pytest.approx(0.9, abs=0.1)
