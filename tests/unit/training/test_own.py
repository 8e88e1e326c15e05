"""pipeline.py: one's own model is searched, proven and exported as every family is, or refused in plain words."""

import re
from functools import cache, partial

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.check.families import trained
from andamio.cli.models.own_code import check_pipeline
from andamio.contract import Contract
from andamio.errors import InputFileError, TrainingError
from andamio.release.model import Model
from tests.support.datasets import HEART_FOLDER, csv_cells, heart_cells, publish
from tests.support.runs import copied
from tests.support.runs import fitted as run_fitted
from training import export
from training.documents import FittedModel, ScoredTrial, UnscoredTrial
from training.families.spaces import OneOf, Real, Space, Whole
from training.fit import fit as fit_run
from training.own import fit as own_fit
from training.own.code import load
from training.own.fit import OwnPipeline
from training.own.proof import differs, prove
from training.own.space import explore
from training.own.trial import PipelineError
from training.plan import plan
from training.rows import TrainingRows
from training.run import Run
from training.trials.trial import load_train

HEART = Contract.load(HEART_FOLDER)
DIABETES_FOLDER = HEART_FOLDER.parent / "diabetes"
DIABETES = Contract.load(DIABETES_FOLDER)

HEADER = """
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, SplineTransformer
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.svm import SVC, SVR, LinearSVC
import numpy as np

def columns(trial, numbers, categories=None):
    return ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), *numbers), trial.numbers),
        ("categories", categories or OneHotEncoder(handle_unknown="ignore", sparse_output=False), trial.categories),
    ])

def pipeline(trial):
"""


def code(body):
    lines = body.strip("\n").splitlines()
    return load((HEADER + "\n".join(f"    {line}" for line in lines) + "\n").encode())


def of(model, numbers="StandardScaler()", categories="None"):
    """A pipeline of the heart columns with this model."""
    return code(f'return Pipeline([("columns", columns(trial, [{numbers}], {categories})), ("model", {model})])')


@cache
def heart() -> tuple[Contract, TrainingRows]:
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    run = Run(plan(lake, models, HEART, families=["logistic_regression"]).run, models)
    return load_train(lake, run, run.plan().dataset)


def fitted(of_code, params=None, contract=None):
    sealed, train = heart()
    sealed = contract or sealed
    space = explore(of_code, sealed.task, sealed.number_columns, sealed.category_columns, 7)
    return own_fit.fit(OwnPipeline(of_code, space), sealed, train.encoded, train.labels, space.params(params), 7)


def proven(of_code, contract=None):
    sealed, train = heart()
    again = partial(fitted, of_code, None, contract)
    return prove(contract or sealed, again(), train.encoded, again, 7)


EXPORTING = {
    "target encoding": of("LogisticRegression()", categories="TargetEncoder()"),
    "splines": of("LogisticRegression()", "SplineTransformer(n_knots=4), StandardScaler()"),
    "splines of degree 2": of("LogisticRegression()", "SplineTransformer(degree=2, include_bias=False)"),
    "svm, calibrated": of("CalibratedClassifierCV(SVC(), ensemble=False, cv=3)"),
    "linear svm, calibrated": of("CalibratedClassifierCV(LinearSVC(), ensemble=False, cv=3)"),
    "stacking": of(
        "StackingClassifier([('svc', CalibratedClassifierCV(SVC(), cv=2, ensemble=False)), "
        "('line', LogisticRegression())], cv=2)"
    ),
    "neighbours, where no two rows are as far": of("KNeighborsClassifier(5)"),
    "boosted trees": of("HistGradientBoostingClassifier(max_iter=10)", ""),
    "forest": of("RandomForestClassifier(n_estimators=10, max_depth=5)", ""),
    "numbers alone": code(
        "return make_pipeline(ColumnTransformer([('n', SimpleImputer(), trial.numbers)]), LogisticRegression())"
    ),
    "categories alone": code(
        "only = OneHotEncoder(handle_unknown='ignore', sparse_output=False)\n"
        "return make_pipeline(ColumnTransformer([('c', only, trial.categories)]), LogisticRegression())"
    ),
}


@pytest.mark.parametrize("name", EXPORTING)
def test_what_the_standard_families_lack_is_exported_and_matches(name):
    assert proven(EXPORTING[name]) > 0


@pytest.mark.parametrize("name", ["target encoding", "stacking"])
def test_features_may_be_called_as_tensors_of_the_graph_are(name):
    sealed, _ = heart()
    names = dict(zip(sealed.features, ["numbers", "categories", "probabilities", "label", "variable"], strict=False))
    renamed = sealed.model_copy(update={"features": {names.get(key, key): it for key, it in sealed.features.items()}})
    renamed = Contract.from_json(renamed.to_json())
    assert proven(EXPORTING[name], renamed)


def test_ends_of_ranges_that_no_row_has_are_compared_too():
    sealed, _ = heart()
    far = {name: it.model_copy(update={"max": 1e30}) for name, it in sealed.features.items() if it.type == "number"}
    wide = Contract.from_json(sealed.model_copy(update={"features": {**sealed.features, **far}}).to_json())
    overflowing = of("LogisticRegression()", "PolynomialFeatures(2)")
    assert proven(overflowing) > 0
    with pytest.raises(PipelineError, match=r"every row that the contract accepts.*Input X contains infinity"):
        prove(wide, fitted(overflowing), heart()[1].encoded, lambda: fitted(overflowing), 7)


REFUSED = {
    "a function": (
        of("LogisticRegression()", "FunctionTransformer(np.log1p)"),
        r"step columns > numbers > functiontransformer \(FunctionTransformer of log1p\) cannot be.*prepare\.py",
    ),
    "a class of one's own": (
        code(
            "class Mine(StandardScaler):\n    pass\n"
            "return Pipeline([('columns', columns(trial, [Mine()])), ('model', LogisticRegression())])"
        ),
        r"step columns > numbers > mine \(Mine\) cannot be exported.*prepare\.py",
    ),
    "a setting": (
        of("LogisticRegression()", "SplineTransformer(extrapolation='linear')"),
        r"splinetransformer \(SplineTransformer\) cannot be exported: extrapolation = .linear.*leave it out",
    ),
    "missing values": (
        code("return make_pipeline(ColumnTransformer([('n', 'passthrough', trial.numbers)]), "
             "RandomForestClassifier(n_estimators=10))"),
        r"where a value is missing: put SimpleImputer\(\) before",
    ),
    "neighbours that are as far": (
        code("only = OneHotEncoder(handle_unknown='ignore', sparse_output=False)\n"
             "return make_pipeline(ColumnTransformer([('c', only, trial.categories)]), KNeighborsClassifier(3))"),
        r"by 0\.(33|67).*in step kneighborsclassifier \(KNeighborsClassifier\): of rows of train that are as far",
    ),
    "neighbours by distance": (
        of("KNeighborsClassifier(15, weights='distance')"),
        r"by 0\.93,.*in step model \(KNeighborsClassifier\).*weights by distance magnify.*Take a forest",
    ),
    "unseeded randomness": (
        of("RandomForestClassifier(n_estimators=3, random_state=np.random.RandomState())", ""),
        r"two fits on the same rows differ.*trial\.seed",
    ),
    "no fit": (of("LogisticRegression(C=-1.0)"), r"pipeline\.py: the pipeline cannot be fitted: InvalidParameter"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_with_what_to_do_instead(name):
    of_code, message = REFUSED[name]
    with pytest.raises(PipelineError, match=message):
        proven(of_code)


@pytest.mark.parametrize(
    ("different", "whole", "message"),
    [
        ({"train": 0.2, "missing": 0.2}, 0.2, "by 0.2.*on rows of train.*Before trees, leave scalers"),
        ({"train": 0.2, "missing": 0.2}, 0.0, "where a value is missing: put SimpleImputer"),
        ({"missing": np.nan}, 0.0, "one of the two is not a number.*where a value is missing"),
        ({"unknown": 0.2}, 0.0, "where a category was never seen"),
        ({"range_ends": 0.2}, 0.0, "at the ends of the contract's ranges"),
    ],
)
def test_a_difference_is_explained_by_the_rows_that_show_it(different, whole, message):
    differences = {"train": 0.0, "missing": 0.0, "unknown": 0.0, "range_ends": 0.0, **different}
    assert re.search(message, differs(export.Parity(rows=9, **differences), whole))


def test_a_number_is_predicted_in_its_unit_by_a_pipeline_of_ones_own():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, DIABETES, csv_cells(DIABETES_FOLDER / "diabetes.csv"))
    stack = "StackingRegressor([('svr', SVR()), ('ridge', Ridge())], cv=3)"
    own = of(stack, "SplineTransformer(n_knots=3), StandardScaler()", "TargetEncoder()")
    run, result = run_fitted(lake, models, DIABETES, families=["pipeline"], code=own)
    assert isinstance(result, FittedModel)
    sealed, train = load_train(lake, Run(run, models), result.dataset)
    values = Model(sealed, models.get(f"runs/{run}/candidate/model.onnx").body).predict(train.encoded)[:, 0]
    assert np.corrcoef(values, train.labels)[0, 1] > 0.6
    assert abs(values.mean() - train.labels.mean()) < 0.1 * train.labels.std()


# What pipeline.py says


def test_a_check_of_the_folder_says_beforehand_what_a_trial_would():
    sealed, train = heart()
    good, bad = (
        OwnPipeline(each, explore(each, sealed.task, sealed.number_columns, sealed.category_columns, 7))
        for each in (SEARCHED, of("LogisticRegression()", "FunctionTransformer(np.log1p)"))
    )
    assert (trained(sealed, train, "pipeline", good).why, trained(sealed, train, "pipeline").why != "") == ("", True)
    assert "FunctionTransformer of log1p" in trained(sealed, train, "pipeline", bad).why


def test_a_deploy_says_what_is_wrong_with_it_first(tmp_path):
    check_pipeline(tmp_path, HEART)
    (tmp_path / "pipeline.py").write_text("def pipeline(trial):\n    return trial.nothing\n")
    with pytest.raises(InputFileError, match=r"pipeline\.py, line 2: AttributeError.*nothing"):
        check_pipeline(tmp_path, HEART)


def test_a_file_that_is_too_long_for_the_definition_of_a_task_is_refused_before_a_deploy(tmp_path):
    values = np.random.default_rng(1).random(3000).tolist()
    (tmp_path / "pipeline.py").write_text(f"TABLE = {values}\n\ndef pipeline(trial):\n    return None\n")
    with pytest.raises(InputFileError, match=r"pipeline\.py: has 6\d,\d+ bytes, and [34]\d,\d+ as it is sent to tasks"):
        check_pipeline(tmp_path, HEART)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def pipeline(trial:\n", r"pipeline\.py, line 1: is not Python"),
        ("import nothing_of_this_name\n", r"pipeline\.py, line 1: cannot be loaded: ModuleNotFoundError"),
        ("def model(trial): ...\n", r"expected def pipeline\(trial\)"),
        ("def pipeline(trial):\n    x = 1\n    return x / 0\n", r"pipeline\.py, line 3: ZeroDivisionError"),
        ("def pipeline(trial):\n    return 3\n", r"returned a int; expected a sklearn\.pipeline\.Pipeline"),
        (HEADER + "    return Pipeline([('m', LinearSVC())])\n", r"LinearSVC, which gives no prob.*CalibratedC"),
        (HEADER + "    return Pipeline([('m', StandardScaler())])\n", "a StandardScaler.*needs a classifier"),
        (
            "def pipeline(trial):\n    trial.suggest_int('a', 1, 2)\n    trial.suggest_int('a', 1, 3)\n",
            r"line 3: parameter 'a' is asked for twice.*int 1 to 2, and int 1 to 3",
        ),
        ("def pipeline(trial):\n    trial.suggest_categorical('a', [(1, 2)])\n", "line 2.*a choice is a tuple"),
        ("def pipeline(trial):\n    trial.suggest_float('a', 0, 2, log=True)\n", "line 2.*log needs a low above 0"),
        ("def pipeline(trial):\n    trial.suggest_float('a', 2, 1)\n", "line 2.*low must be at most high"),
    ],
)
def test_what_is_no_pipeline_is_refused_by_file_and_line(text, message):
    with pytest.raises(PipelineError, match=f"(?s){message}"):
        explore(load(text.encode()), HEART.task, ["a"], ["b"], 7)


SEARCHED = code("""
kind = trial.suggest_categorical("kind", ["line", "trees"])
if kind == "trees":
    model = HistGradientBoostingClassifier(max_iter=trial.suggest_int("trees", 5, 15, step=5))
else:
    model = LogisticRegression(C=trial.suggest_float("C", 0.01, 100, log=True))
return Pipeline([("columns", columns(trial, [])), ("model", model)])
""")


def test_parameters_that_are_asked_for_under_a_condition_are_found():
    space = explore(SEARCHED, HEART.task, HEART.number_columns, HEART.category_columns, 7)
    assert space.varied == {
        "kind": OneOf(("line", "trees")),
        "C": Real(0.01, 100.0, log=True),
        "trees": Whole(5, 15, step=5),
    }
    assert space.defaults == {"kind": "line", "C": pytest.approx(1.0), "trees": 10}


def test_a_parameter_that_was_not_found_is_refused_by_its_name():
    space = explore(SEARCHED, HEART.task, HEART.number_columns, HEART.category_columns, 7)
    sealed, train = heart()
    few = Space(7, {"kind": "trees"}, {"kind": space.varied["kind"]})
    with pytest.raises(PipelineError, match="parameter 'trees' was not asked for when the space was looked for"):
        own_fit.fit(OwnPipeline(SEARCHED, few), sealed, train.encoded, train.labels, {"kind": "trees"}, 7)


def test_a_private_feature_refuses_a_model_that_keeps_rows():
    sealed, _ = heart()
    first = next(iter(sealed.inputs))
    private = {first: sealed.features[first].model_copy(update={"private": True})}
    secret = sealed.model_copy(update={"features": {**sealed.features, **private}})
    with pytest.raises(PipelineError, match=f"columns?.* keeps rows of train.*{first}|model.*keeps rows.*{first}"):
        fitted(of("CalibratedClassifierCV(SVC(), ensemble=False, cv=3)"), contract=secret)
    fitted(of("LogisticRegression()"), contract=secret)


# A run


@pytest.fixture(scope="module")
def run_once():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    run, result = run_fitted(lake, models, HEART, families=["pipeline"], trials=4, code=SEARCHED)
    return lake, models, run, result


def test_a_run_searches_ones_own_space_and_offers_its_best(run_once):
    lake, models, run, result = run_once
    assert isinstance(result, FittedModel)
    own = [each for each in result.trials if each.family == "pipeline"]
    assert own[0].id == "pipeline"
    assert len(own) == 4
    assert all(isinstance(each, ScoredTrial) and each.selection == "none" for each in own)
    assert len({str(each.params) for each in own}) == 4
    assert (result.family, result.parity.largest <= 1e-5) == ("pipeline", True)
    assert result.selected == [*HEART.number_columns, *HEART.category_columns]
    sealed, train = load_train(lake, Run(run, models), result.dataset)
    model = Model(sealed, models.get(f"runs/{run}/candidate/model.onnx").body)
    assert model.predict(train.encoded).shape == (len(train.labels), 2)


def test_the_code_is_part_of_what_decides_a_run():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    other = of("LogisticRegression()")
    runs = {
        plan(lake, models, HEART, families=["pipeline", "logistic_regression"], code=each).run
        for each in (SEARCHED, other, None)
    }
    assert len(runs) == 3
    ignored = [plan(lake, models, HEART, families=["logistic_regression"], code=each) for each in (SEARCHED, None)]
    assert ignored[0] == ignored[1]
    assert ignored[0].own is None


def test_a_pipeline_is_tried_where_nobody_chose_families_and_skipped_where_there_is_none():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    default = HEART.model_copy(
        update={"training": HEART.training.model_copy(update={"families": HEART.task.default_families})}
    )
    assert plan(lake, models, default, code=SEARCHED).families[-1] == "pipeline"
    assert "pipeline" not in plan(lake, models, default).families
    asked = plan(lake, models, HEART, families=["logistic_regression", "pipeline"])
    assert [(each.family, each.why) for each in asked.skipped] == [
        ("pipeline", "there is no pipeline.py beside problem.toml: write one, and deploy")
    ]
    with pytest.raises(TrainingError, match="line 3: ZeroDivisionError"):
        plan(lake, models, default, code=load(b"def pipeline(trial):\n\n    return 1 / 0\n"))


def test_code_that_was_deployed_after_the_plan_is_not_used(run_once):
    lake, models, run, _ = run_once
    models = copied(models)
    models.delete(f"runs/{run}/fit.json")
    with pytest.raises(TrainingError, match=r"planned with another pipeline\.py than the deployed one\. Train again"):
        fit_run(lake, models, run, code=of("LogisticRegression()"))


def test_a_trial_that_cannot_be_exported_fails_and_the_others_go_on():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    bad = of("LogisticRegression()", "FunctionTransformer(np.log1p)")
    _, result = run_fitted(lake, models, HEART, families=["logistic_regression", "pipeline"], code=bad)
    assert result.status == "fitted"
    (failed,) = [each for each in result.trials if each.family == "pipeline"]
    assert isinstance(failed, UnscoredTrial)
    assert "FunctionTransformer of log1p" in failed.why
