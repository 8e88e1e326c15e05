"""What a profile says: of train alone, in bins that every value has a place in, and nothing of what is private."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.storage import layout
from etl.profile import BINS, quantile_bins
from tests.support.etl import Lake

HEART = Path(__file__).parents[3] / "problems" / "heart"

CONTRACT = Contract.from_toml("""
[problem]
name = "kinds"
target = "kind"
labels = { a = "A", b = "B" }
[features.size]
type = "number"
required = false
[features.colour]
type = "category"
required = false
[features.old]
type = "boolean"
required = false
[features.seen]
type = "date"
required = false
[features.nurse]
type = "category"
private = true
[features.outcome]
type = "category"
available_at_prediction = false
""")


def place(value: float, edges: list[float]) -> int:
    """The rule as the docstring says it: above edge i-1 and up to edge i."""
    return sum(edge < value for edge in edges)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300))
def test_every_value_is_counted_in_its_bin(values: list[float]) -> None:
    bins = quantile_bins(np.array(values))
    edges, counts = bins.edges, bins.counts
    assert len(counts) == len(edges) + 1 <= BINS
    assert edges == sorted(set(edges))
    assert counts == [sum(place(value, edges) == index for value in values) for index in range(len(counts))]
    assert all(counts)


@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_few_distinct_values_have_a_bin_each_when_none_is_rare(values: list[int]) -> None:
    rare = min(values.count(value) for value in set(values)) * BINS < 2 * len(values)
    bins = quantile_bins(np.array(values, dtype=float))
    if not rare:
        assert bins.counts == [values.count(value) for value in sorted(set(values))]


@given(seed=st.integers(0, 99), rows=st.integers(640, 2000))
def test_bins_of_a_continuous_column_hold_about_equal_counts(seed: int, rows: int) -> None:
    counts = quantile_bins(np.random.default_rng(seed).normal(size=rows)).counts
    assert len(counts) == BINS
    assert max(counts) - min(counts) <= 1


def published(*lines: str) -> tuple[Lake, dict[str, object], str]:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,colour,old,seen,nurse,outcome,kind", *lines)
    version = lake.run()["version"]
    return lake, lake.read(layout.dataset(version, "profile.json")), version


def test_features_are_described_on_train_alone() -> None:
    lake, profile, version = published(
        *[
            f"{n},{'red' if n % 4 else ''},{'yes' if n % 3 else ''},2026-01-{n % 28 + 1:02},Ann{n},died,{'ab'[n % 2]}"
            for n in range(100)
        ]
    )
    train = lake.side(version, "train")
    rows = len(train["size"])
    assert profile["features_of"] == "train"
    assert profile["rows"] == {"all": 100, "train": rows, "holdout": 100 - rows}
    features = profile["features"]
    assert features["size"]["count"] == rows
    assert features["size"]["min"] == train["size"].min()
    assert sum(features["size"]["bins"]["counts"]) == rows
    assert features["colour"]["missing"] == int((train["colour"] == "").sum())
    assert features["colour"]["frequencies"] == {"red": rows - features["colour"]["missing"]}
    assert features["old"]["frequencies"] == {"true": rows - features["old"]["missing"]}
    assert features["seen"]["min"] == str(min(train["seen"]))
    assert len(features["seen"]["bins"]["edges"]) == len(set(train["seen"])) - 1
    assert features["outcome"]["available_at_prediction"] is False
    assert sum(profile["classes"]["train"].values()) == rows


def test_nothing_of_a_private_feature_is_in_the_profile_but_how_often_it_is_there() -> None:
    _, profile, _ = published(*[f"{n},red,,,Ann{n % 3},,{'ab'[n % 2]}" for n in range(40)])
    assert profile["features"]["nurse"].keys() == {"type", "count", "missing", "private"}
    assert "Ann" not in json.dumps(profile)


def test_the_most_frequent_values_are_listed_and_the_rest_counted() -> None:
    rows = [f"{n},colour{n % 150:03},,,Ann,,{'ab'[n % 2]}" for n in range(600)]
    _, profile, _ = published(*rows, *[f"{n},colour007,,,Ann,,{'ab'[n % 2]}" for n in range(600, 650)])
    colour = profile["features"]["colour"]
    assert len(colour["frequencies"]) == 100
    assert next(iter(sorted(colour["frequencies"].items(), key=lambda item: -item[1])))[0] == "colour007"
    assert sum(colour["frequencies"].values()) + colour["other"] == colour["count"]


def test_rows_that_agree_in_every_input_and_not_in_the_label_are_counted() -> None:
    torn = ["1,red,,,Ann,x,a", "1.0,red,,,Ann,y,b", "1,red,,,Ann,x,b", "2,,,,Ann,x,a", "2,,,,Ann,x,b"]
    same = ["3,red,,,Ann,x,a", "3,red,,,Ann,x,a", "4,,,,Ann,x,a", "4,red,,,Ann,x,b", "4,,yes,,Ann,x,b"]
    _, profile, _ = published(*torn, *same, *[f"{n},red,,,Ann,,{'ab'[n % 2]}" for n in range(100, 140)])
    assert profile["conflicts"] == {"of": "all", "groups": 2, "rows": 5}


def test_heart_disease() -> None:
    lake = Lake(Contract.load(HEART))
    lake.drop_bytes("heart.csv", (HEART / "heart.csv").read_bytes())
    said = lake.run()
    assert said["rows"] == {
        "read": 303, "valid": 303, "rejected": 0, "replaced": 0,
        "train": 303 - said["rows"]["holdout"], "holdout": said["rows"]["holdout"],
    }  # fmt: skip
    assert 59 <= said["rows"]["holdout"] <= 63
    profile = lake.read(layout.dataset(said["version"], "profile.json"))
    assert sum(profile["classes"][side]["1"] for side in ("train", "holdout")) == 139
    missing = sum(int((lake.column(said["version"], name) == "").sum()) for name in ("thal",))
    missing += int(np.isnan(lake.column(said["version"], "ca")).sum())
    assert missing == 6
