"""A leak of each kind is found in data that come in as files do; honest data, and noise, raise nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from andamio.contract import Contract
from andamio.dataset.documents import AuditEntry, DatasetAudit
from andamio.storage import layout
from etl.audit import KINDS, MAX_ROWS, stop_message
from etl.audit.evidence import aucs, lowest_auc, lowest_share
from etl.audit.features import within_train
from etl.audit.train import Train
from etl.publish import read_audit
from tests.support.datasets import FRUIT_FOLDER, HEART_FOLDER
from tests.support.etl import Lake

ROWS = 240

PLAIN = """
[problem]
name = "planted"
target = "kind"
labels = { a = "A", b = "B" }
time = "at"
ROLE
[features.size]
type = "number"
[features.colour]
type = "category"
"""


def contract(role: str = "", features: str = "") -> Contract:
    return Contract.from_toml(PLAIN.replace("ROLE", role) + features)


class Rows:
    """Rows of an honest table: a weak feature, a colour that says nothing, a label, a time; more is planted."""

    def __init__(self, seed: int = 1, rows: int = ROWS) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = self.rng.random(rows) < 0.4
        days = np.datetime64("2026-01-01") + self.rng.permutation(rows)
        self.columns: dict[str, list[Any]] = {
            "size": (self.rng.normal(size=rows) + 0.7 * self.b).round(6).tolist(),
            "colour": self.rng.choice(["red", "blue", "green"], rows).tolist(),
            "at": days.astype(str).tolist(),
            "kind": np.where(self.b, "b", "a").tolist(),
        }

    def plant(self, name: str, values: Any) -> Rows:
        self.columns[name] = list(values)
        return self

    def lines(self) -> list[str]:
        return [",".join(self.columns), *(",".join(map(str, row)) for row in zip(*self.columns.values(), strict=True))]


def audited(lake: Lake, rows: Rows | None = None) -> list[dict[str, Any]]:
    if rows is not None:
        lake.drop("rows.csv", *rows.lines())
    said = lake.run()
    assert said["status"] == "published", said
    content = read_audit(lake, said["version"])
    assert lake.manifest(said["version"])["suspects"] == said["suspects"] == len(content.suspects)
    assert said["warnings"] == [suspect.message for suspect in content.suspects][:5]
    assert {suspect.kind for suspect in content.suspects} <= set(content.checked) <= set(KINDS)
    return [suspect.model_dump() for suspect in content.suspects]


def only(suspects: list[dict[str, Any]]) -> dict[str, Any]:
    (suspect,) = suspects
    return suspect


# Planted leaks


def test_a_copy_of_the_label_is_found_whatever_it_is_called() -> None:
    rows = Rows()
    lake = Lake(contract(features='[features.outcome]\ntype = "category"\n[features.code]\ntype = "number"\n'))
    rows.plant("outcome", np.where(rows.b, "ill", "well")).plant("code", np.where(rows.b, 7.5, -3.25))
    found = audited(lake, rows)
    assert [(suspect["kind"], suspect["feature"]) for suspect in found] == [
        ("copies_target", "outcome"),
        ("copies_target", "code"),
    ]
    assert found[0]["evidence"]["one_to_one"] == 1
    assert "'outcome' copies the label: its values and the classes are one to one in 100.0%" in found[0]["message"]
    assert "available_at_prediction = false" in found[0]["message"]


def test_an_encoding_in_several_values_and_with_a_few_mistakes_is_found() -> None:
    rows = Rows()
    ward = np.where(rows.b, rows.rng.choice(["w1", "w2", "w3"], ROWS), rows.rng.choice(["w4", "w5"], ROWS))
    ward[0] = "w4" if rows.b[0] else "w1"
    suspect = only(audited(Lake(contract(features='[features.ward]\ntype = "category"\n')), rows.plant("ward", ward)))
    assert (suspect["kind"], suspect["evidence"]["one_to_one"]) == ("copies_target", 0)
    assert "encodes the label: each of its 5 values has one class" in suspect["message"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_predicts_alone_is_found_in_either_direction(sign: int) -> None:
    rows = Rows()
    paid = sign * (rows.rng.normal(size=ROWS) + 5 * rows.b)
    suspect = only(audited(Lake(contract(features='[features.paid]\ntype = "number"\n')), rows.plant("paid", paid)))
    assert (suspect["kind"], suspect["feature"]) == ("predicts_alone", "paid")
    assert suspect["evidence"]["auc"] >= 0.98
    assert suspect["evidence"]["low"] >= 0.9


def test_a_number_that_predicts_alone_without_an_order_is_found() -> None:
    rows = Rows(rows=600)
    place = rows.rng.normal(scale=0.3, size=600) + np.where(rows.b, 0, rows.rng.choice([-5, 5], 600))
    suspect = only(audited(Lake(contract(features='[features.place]\ntype = "number"\n')), rows.plant("place", place)))
    assert suspect["kind"] == "predicts_alone"


def test_a_value_that_is_there_for_one_class_alone_is_found() -> None:
    rows = Rows()
    refund = np.where(rows.b & (rows.rng.random(ROWS) < 0.5), rows.rng.integers(1, 90, ROWS).astype(str), "")
    lake = Lake(contract(features='[features.refund]\ntype = "number"\nrequired = false\n'))
    suspect = only(audited(lake, rows.plant("refund", refund)))
    assert (suspect["kind"], suspect["feature"], suspect["evidence"]["known"]) == ("missing_tells", "refund", 1)
    assert "100.0% are 'B'" in suspect["message"]


def test_a_date_after_the_event_is_found_and_one_of_the_same_day_is_not() -> None:
    rows = Rows()
    at = np.array(rows.columns["at"], dtype="datetime64[D]")
    features = '[features.closed]\ntype = "date"\n[features.opened]\ntype = "date"\n'
    rows.plant("closed", (at + rows.rng.integers(2, 30, ROWS)).astype(str)).plant("opened", at.astype(str))
    suspect = only(audited(Lake(contract(features=features)), rows))
    assert (suspect["kind"], suspect["feature"]) == ("after_event", "closed")
    assert suspect["evidence"]["later"] == suspect["evidence"]["rows"]


def test_a_column_known_only_afterwards_is_no_suspect_once_the_contract_says_so() -> None:
    rows = Rows()
    features = '[features.outcome]\ntype = "category"\navailable_at_prediction = false\n'
    assert audited(Lake(contract(features=features)), rows.plant("outcome", rows.columns["kind"])) == []


def test_identifiers_are_found_by_their_distinct_values_and_by_their_order() -> None:
    rows = Rows()
    features = (
        '[features.name]\ntype = "category"\n[features.row]\ntype = "integer"\n[features.ticket]\ntype = "integer"\n'
    )
    rows.plant("name", [f"n{number:05}" for number in rows.rng.permutation(ROWS)])
    rows.plant("row", np.cumsum(rows.rng.integers(1, 90, ROWS))).plant("ticket", 7000 + rows.rng.permutation(ROWS))
    found = audited(Lake(contract(features=features)), rows)
    assert [(suspect["kind"], suspect["feature"]) for suspect in found] == [
        ("identifier", "name"),
        ("identifier", "row"),
        ("identifier", "ticket"),
    ]
    assert "grow with the row's place" in found[1]["message"]
    assert "without gaps" in found[2]["message"]


def test_an_amount_that_differs_in_every_row_is_no_identifier() -> None:
    rows = Rows().plant("income", np.random.default_rng(3).integers(0, 10**6, ROWS))
    assert audited(Lake(contract(features='[features.income]\ntype = "integer"\n')), rows) == []


def test_records_that_came_twice_under_new_ids_are_found_across_the_split() -> None:
    rows = Rows()
    rows.columns = {name: [*column, *column] for name, column in rows.columns.items()}
    rows.plant("visit", range(2 * ROWS))
    suspect = only(audited(Lake(contract('id = "visit"')), rows))
    assert suspect["kind"] == "duplicates"
    assert suspect["evidence"]["rows"] == suspect["evidence"]["same_label"] > 0.5 * suspect["evidence"]["holdout"]


def test_equal_records_are_no_surprise_where_columns_have_few_values() -> None:
    rows = Rows(rows=900).plant("size", np.random.default_rng(5).integers(0, 4, 900)).plant("visit", range(900))
    assert audited(Lake(contract('id = "visit"')), rows) == []


def test_a_group_on_both_sides_is_found_when_it_was_named_after_the_split_was_sealed() -> None:
    rows = Rows().plant("patient", [f"p{row // 6}" for row in range(ROWS)])
    lake = Lake(contract())
    assert audited(lake, rows) == []
    lake.contract = contract('group = "patient"')
    suspect = only(audited(lake))
    assert (suspect["kind"], suspect["feature"]) == ("group_overlap", "patient")
    assert suspect["evidence"]["groups"] > 10
    fresh = Lake(lake.contract)
    assert audited(fresh, rows) == [], "sealed by the group, no group is ever on both sides"


def test_a_holdout_older_than_train_is_found_when_the_split_was_sealed_by_hash() -> None:
    by_time = contract(features='[training]\nsplit = "time"\n')
    lake = Lake(contract())
    audited(lake, Rows())
    lake.contract = by_time
    lake.drop("one.csv", *Rows(seed=2).lines()[:2])
    suspect = only(audited(lake))
    assert (suspect["kind"], suspect["feature"]) == ("time_overlap", "at")
    assert 0.3 < suspect["evidence"]["pairs_in_wrong_order"] < 0.7
    assert audited(Lake(by_time), Rows()) == [], "sealed by time, the holdout is the newest share"


# Honest data


@pytest.mark.parametrize("folder", [HEART_FOLDER, FRUIT_FOLDER], ids=["heart", "fruit"])
def test_the_sample_data_raise_none(folder: Any) -> None:
    lake = Lake(Contract.load(folder))
    for file in lake.contract.data.files:
        lake.drop_bytes(file, (folder / file).read_bytes())
    assert audited(lake) == []


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_wine])
def test_strong_features_of_well_known_honest_data_raise_none(load: Any) -> None:
    data = load()
    columns = {f"x{index}": data.data[:, index] for index in range(data.data.shape[1])}
    assert within_train(table(columns, data.target.astype(np.int64), dict.fromkeys(columns, "number")))[0] == []


def test_noise_raises_hardly_ever_anything() -> None:
    raised = [suspect.message for seed in range(150) for suspect in within_train(noise(seed))[0]]
    assert raised == [], "of 1,500 columns that know nothing of the label"


def test_a_few_rows_that_happen_to_be_told_apart_raise_none() -> None:
    rng = np.random.default_rng(7)
    for rows in range(8, 40, 2):
        labels = np.arange(rows) % 2
        assert within_train(table({"x": rng.normal(size=rows) + 9 * labels}, labels, {"x": "number"}))[0] == []


def test_a_rare_class_is_not_enough_to_suspect_what_agrees_with_the_common_one() -> None:
    labels = (np.arange(1000) < 8).astype(np.int64)
    same = table({"x": np.full(1000, "v", dtype=object)}, labels, {"x": "category"})
    assert within_train(same)[0] == []
    gone = np.where(np.arange(1000) > 900, np.nan, np.random.default_rng(0).normal(size=1000))
    assert within_train(table({"x": gone}, labels, {"x": "number"}))[0] == []


# What follows


def test_a_suspect_stops_the_run_when_the_contract_says_so_and_all_evidence_is_there() -> None:
    stop = contract(features='[features.outcome]\ntype = "category"\n[training]\nleakage = "stop"\n')
    rows = Rows()
    lake = Lake(stop)
    lake.drop("rows.csv", *rows.plant("outcome", rows.columns["kind"]).lines())
    said = lake.run()
    assert said["status"] == "rejected"
    assert "found 1 suspect" in said["message"]
    assert "'outcome' copies the label" in said["message"]
    assert 'set leakage = "warn"' in said["message"]
    assert layout.CURRENT_DATASET not in {info.key for info in lake.list("")}, "nothing trains on it"
    version = said["message"].split("andamio report ")[1][:16]
    assert only(read_audit(lake, version).suspects).feature == "outcome"
    lake.contract = contract(features='[features.outcome]\ntype = "category"\n')
    again = lake.run()
    assert (again["status"], again["version"], again["suspects"]) == ("published", version, 1)


def test_an_objection_names_five_and_counts_the_rest() -> None:
    suspects = [
        AuditEntry(kind="copies_target", feature=f"x{index}", evidence={}, message=f"'x{index}' copies the label.")
        for index in range(8)
    ]
    said = stop_message(DatasetAudit(suspects=suspects, checked=[], findings=[]), "0" * 16)
    assert "found 8 suspects" in said
    assert "'x4'" in said
    assert "'x5'" not in said
    assert "And 3 more." in said


def test_clean_data_pass_where_suspects_would_stop() -> None:
    lake = Lake(contract(features='[training]\nleakage = "stop"\n'))
    assert audited(lake, Rows()) == []


# The measures


def test_an_auc_is_what_counting_pairs_gives() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 5, 60).astype(float), rng.integers(0, 3, 60)
    for index in range(3):
        mine, others = scores[labels == index], scores[labels != index]
        pairs = (mine[:, None] > others).mean() + 0.5 * (mine[:, None] == others).mean()
        assert aucs(scores, labels, 3)[index] == pytest.approx(pairs)


def test_the_lower_ends_mind_how_few_rows_there_are() -> None:
    assert lowest_auc(1.0, 20, 20) < 0.9 < lowest_auc(1.0, 40, 40) < lowest_auc(1.0, 4000, 4000) < 1
    assert lowest_share(20, 20) == pytest.approx(20 / (20 + 2.5758**2))
    assert lowest_share(0, 20) == pytest.approx(0, abs=1e-12)


def table(columns: dict[str, Any], labels: Any, types: dict[str, str]) -> Train:
    classes = ", ".join(f'"{index}" = "c{index}"' for index in range(max(int(labels.max()) + 1, 2)))
    features = "".join(f'[features.{name}]\ntype = "{kind}"\nrequired = false\n' for name, kind in types.items())
    said = Contract.from_toml(f'[problem]\nname = "table"\ntarget = "y"\nlabels = {{ {classes} }}\n{features}')
    keys = np.random.default_rng(1).integers(0, 2**62, len(labels)).astype(np.uint64)
    assert len(labels) < MAX_ROWS
    return Train(said, columns, labels.astype(np.int64), keys, np.arange(len(labels)))


def noise(seed: int) -> Train:
    """Ten columns of every type, from two values to one a row, some missing, and labels that they know nothing of."""
    rng = np.random.default_rng(seed)
    rows, classes = int(rng.choice([40, 80, 300])), int(rng.choice([2, 2, 3, 5]))
    types = dict(zip("abcdefghij", ["number", "integer", "category", "boolean", "category"] * 2, strict=True))
    columns: dict[str, Any] = {}
    for name, kind in types.items():
        lacking = rng.random(rows) < rng.choice([0, 0.05, 0.5])
        if kind == "category":
            column = rng.integers(rng.choice([2, 10, rows // 2]), size=rows).astype(str).astype(object)
            column[lacking] = ""
        else:
            many = {"boolean": 2, "integer": int(rng.choice([5, 100, 10**6]))}.get(kind)
            column = rng.normal(size=rows) if many is None else rng.integers(many, size=rows).astype(float)
            column[lacking] = np.nan
        columns[name] = column
    rare = float(rng.choice([0.5, 0.1, 0.03]))
    labels = rng.choice(classes, size=rows, p=[*[(1 - rare) / (classes - 1)] * (classes - 1), rare])
    labels[:classes] = np.arange(classes)
    return table(columns, labels, types)
