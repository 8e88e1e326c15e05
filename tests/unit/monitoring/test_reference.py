"""A reference is what a release sealed, typed as a window is."""

import json

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.documents import DatasetProfile
from andamio.errors import ReleaseError
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.release.release import FILES, Release, seal
from andamio.release.samples import OutOfFoldScores, ReferenceRows
from andamio.storage import documents
from etl.profile import profile
from monitoring import reference as references
from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits
from tests.unit.monitoring.references import calibrated
from training import reference as training
from training.rows import TrainingRows

VISITS = """
[problem]
name = "visits"
target = "ill"
labels = { no = "No", yes = "Yes" }
positive = "yes"

[features.weight]
type = "number"
required = false
[features.ward]
type = "category"
required = false
values = ["north", "south"]
[features.smokes]
type = "boolean"
[features.since]
type = "date"
required = false
[features.room]
type = "integer"
[features.shoe]
type = "number"
[features.name]
type = "category"
private = true
values = ["Ada", "Grace"]
"""
ROWS = 600
EVALUATION = {
    "metric": "roc_auc",
    "rows": 61,
    "metrics": {
        "roc_auc": {"value": 0.9, "low": 0.85, "high": 0.95},
        "brier": {"value": 0.1, "low": None, "high": None},
        "f1": {"value": None, "low": None, "high": None},
    },
}


def table_of(seed):
    rng = np.random.default_rng(seed)
    days = (np.datetime64("2020-01-01") + rng.integers(0, 900, ROWS).astype("timedelta64[D]")).astype(str)
    cells = {
        "weight": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(70, 9, ROWS)),
        "ward": np.where(rng.random(ROWS) < 0.1, "", rng.choice(["north", "south"], ROWS)).tolist(),
        "smokes": (rng.random(ROWS) < 0.3).astype(float),
        "since": np.where(rng.random(ROWS) < 0.1, "", days).tolist(),
        "room": rng.integers(1, 9, ROWS).astype(float),
        "shoe": rng.normal(size=ROWS),
        "name": ["Ada", "Grace"] * (ROWS // 2),
        "ill": rng.choice(["no", "yes"], ROWS).tolist(),
    }
    contract = Contract.from_toml(VISITS)
    table = parse(contract, cells, ROWS, text=False, training=True)
    assert not table.violations
    for name, column in table.coded.items():
        table.columns[name] = np.array([*column.values, ""], dtype=object)[column.codes]
    return contract, table


def files_of(ignored=()):
    """What a release holds of six hundred visits, as it is sealed."""
    contract, table = table_of(1)
    keys = tuple(map(str, range(ROWS)))
    train = TrainingRows(encode(contract, table), table.labels, keys, table)
    scores, _ = calibrated(np.random.default_rng(2), ROWS)
    held = dict.fromkeys(FILES, b"{}") | {
        "contract.json": contract.to_json(),
        "reference.json": training.reference(contract, train, 7).to_json(),
        "profile.json": profile(contract, table.columns, table.labels, np.zeros(ROWS, dtype=bool)).to_json(),
        "out_of_fold.json": training.out_of_fold(contract, train, scores, 7).to_json(),
        "evaluation.json": json.dumps(EVALUATION).encode(),
    }
    return held, {"threshold": 0.4, "ignored": list(ignored)}


@pytest.fixture
def objects():
    return MemoryObjects()


def read(objects, **options):
    return references.of_release(Release.open(objects, seal(objects, *files_of(**options))))


def test_a_window_of_the_same_visits_has_not_moved(objects):
    known = read(objects, ignored=["shoe"])
    assert (known.rows, known.sample, known.positive, known.threshold, known.metric) == (600, 600, 1, 0.4, "roc_auc")
    assert known.skipped == {"name": "private: it is never captured", "shoe": "the model does not use it"}
    _, window = table_of(1)
    scores = known.scores.probabilities
    found = compare(known, window.columns, scores, (scores[:, 1] >= 0.4).astype(np.int64), Limits())
    assert {one.feature: (one.test, one.statistic) for one in found.features} == {
        "weight": ("ks", 0.0),
        "ward": ("chi2", 0.0),
        "smokes": ("chi2", 0.0),
        "since": ("ks", 0.0),
        "room": ("ks", 0.0),
    }
    assert all(one.missing.reference == one.missing.window for one in found.features)


def test_other_visits_of_the_same_kind_are_silent_and_moved_ones_are_named(objects):
    known, (_, window) = read(objects), table_of(5)
    scores = known.scores.probabilities
    labels = (scores[:, 1] >= 0.4).astype(np.int64)
    assert compare(known, window.columns, scores, labels, Limits()).status == "ok"
    moved = window.columns | {"since": window.columns["since"] + np.timedelta64(500, "D")}
    found = compare(known, moved, scores, labels, Limits())
    assert found.drifted == ["since"]
    assert found.features[0].reasons == ["distribution", "out-of-range"]
    assert found.features[0].cells[-1].label.startswith("2022-")


def test_the_holdout_gives_a_figure_where_it_has_an_interval(objects):
    found = read(objects).holdout
    assert list(found) == ["roc_auc"]
    assert (found["roc_auc"].value, found["roc_auc"].rows) == (0.9, 61)
    assert found["roc_auc"].error == pytest.approx(0.1 / 2 / 1.96, rel=1e-3)


def documents_of():
    held, _ = files_of()
    return (
        Contract.from_json(held["contract.json"]),
        documents.parse(held["reference.json"], ReferenceRows, "reference.json"),
        documents.parse(held["profile.json"], DatasetProfile, "profile.json"),
        documents.parse(held["out_of_fold.json"], OutOfFoldScores, "out_of_fold.json"),
    )


def test_a_feature_that_the_release_does_not_keep_is_skipped():
    contract, rows, shown, scores = documents_of()
    fewer = ReferenceRows(rows.rows, {name: one for name, one in rows.columns.items() if name != "room"})
    known = references.build(contract, fewer, shown, scores, EVALUATION, release="x", threshold=0.5)
    assert known.skipped["room"] == "the release keeps no reference of it"


def test_scores_of_other_classes_are_refused():
    contract, rows, shown, scores = documents_of()
    other = OutOfFoldScores(scores.rows, ("x", "y"), scores.labels, scores.groups, scores.scores)
    with pytest.raises(ReleaseError, match="other classes"):
        references.build(contract, rows, shown, other, EVALUATION, release="x", threshold=0.5)


def test_a_feature_without_any_value_is_a_reference_of_missing_ones():
    contract, rows, shown, scores = documents_of()
    empty = dict(rows.columns) | {"weight": (None,) * rows.rows, "since": (None,) * rows.rows}
    features = {
        name: one.model_copy(update={"missing": one.count, "bins": None, "min": None, "max": None})
        if name in ("weight", "since")
        else one
        for name, one in shown.features.items()
    }
    known = references.build(
        contract,
        ReferenceRows(rows.rows, empty),
        shown.model_copy(update={"features": features}),
        scores,
        EVALUATION,
        release="x",
        threshold=0.5,
    )
    _, window = table_of(3)
    found = compare(known, window.columns, known.scores.probabilities, np.zeros(ROWS, dtype=np.int64), Limits())
    assert {"weight", "since"} <= set(found.drifted)
    assert all(one.reasons == ["missing"] for one in found.features if one.feature in ("weight", "since"))
