"""Raw files and captured records of a problem with code of its own, as ETL reads them."""

from __future__ import annotations

import numpy as np
import pytest

from andamio.dataset.version import KEY, ROW
from etl import collect, publish, samples
from rollout.retraining.records import LabelledRecords, keep
from tests.support.etl import Lake
from tests.support.own_code import TOML, problem

ROWS = [f"{10 * n},{n % 100}%,{1950 + n % 70}-05-05,{n % 15},{('flat', 'room')[n % 2]},2026-01-01" for n in range(200)]
COUNT = 30


def captured() -> LabelledRecords:
    """Records as features, the way they are captured: with what prepare made, and no raw column."""
    count = np.arange(COUNT, dtype=np.float64)
    return LabelledRecords(
        ids=[f"p{number}" for number in range(COUNT)],
        own_ids=[None] * COUNT,
        times=np.datetime64("2026-11-27T10", "ms") + np.arange(COUNT).astype("timedelta64[ms]"),
        labels=["yes", "no"] * (COUNT // 2),
        columns={
            "rate": count / 100,
            "beds": np.full(COUNT, 3.0),
            "kind": np.array(["flat"] * COUNT, dtype=object),
            "more": np.full(COUNT, 1000.0),
            "old": count % 2,
        },
    )


def lake() -> Lake:
    contract, code = problem(toml=TOML)
    made = Lake(contract, code)
    made.drop("lets.csv", "price,rate,built,beds,kind,seen", *ROWS)
    return made


def test_a_data_version_holds_features_and_labels_and_no_raw_column() -> None:
    made = lake()
    version = made.run()["version"]
    rows = made.manifest(version)["rows"]
    assert (rows["read"], rows["left_out"], rows["rejected"]) == (200, 200 // 15 * 5 + 0, 0)
    assert set(made.column(version, "dear")) == {"yes", "no"}
    assert set(made.column(version, "more")) == {float(beds + 1) for beds in range(10)}


def test_captured_records_are_taken_as_features_and_never_prepared() -> None:
    made = lake()
    before = made.manifest(made.run()["version"])["rows"]["valid"]
    keep(made, made.contract, captured())
    version = made.run()["version"]
    assert made.manifest(version)["rows"]["valid"] == before + COUNT
    more, keys = list(made.column(version, "more")), list(made.column(version, KEY))
    ours = [key for key, value in zip(keys, more, strict=True) if value == 1000.0]
    assert len(set(ours)) == COUNT  # one key would put them all on one side


def test_a_row_never_moves_to_another_side_when_data_are_added() -> None:
    made = lake()
    first = made.run()["version"]
    sides = made.sides(first, ROW)
    made.drop("more.csv", "price,rate,built,beds,kind,seen", "500,7%,1990-01-01,3,flat,2026-02-02")
    second = made.run()["version"]
    assert second != first
    assert sides.items() <= made.sides(second, ROW).items()
    assert made.read("datasets/split.json")["columns"] == list(made.contract.sent.inputs)


def test_samples_with_real_values_of_before_are_not_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    contract, code = problem(toml=TOML.replace("[raw.built]\n", "[raw.built]\nprivate = true\n"))
    made = Lake(contract, code)
    made.drop("lets.csv", "price,rate,built,beds,kind,seen", *ROWS)
    with monkeypatch.context() as before:
        for room in (collect, publish):
            before.setattr(room, "recipe", lambda contract: {})
        before.setattr(samples, "disguises", lambda contract: False)
        old = made.run()
    new = made.run()
    assert new["version"] != old["version"]

    real = {row.split(",")[2] for row in ROWS}

    def kept(version: str) -> set[str]:
        records = made.read(f"datasets/{version}/samples.json")["records"].values()
        return {record["built"] for record in records if "built" in record}

    assert kept(old["version"]) <= real
    assert kept(new["version"]) - real
