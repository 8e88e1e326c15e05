"""The proof of a release: from raw cells, by another process's reading and code, to the model's answer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from andamio.contract import Contract
from andamio.dataset.documents import SampleRecords
from andamio.dataset.version import SAMPLES, open_columns
from andamio.errors import ReleaseError
from andamio.prepare.samples import disguised, disguises, private_columns
from andamio.records import columns
from andamio.release.model import Model
from andamio.release.proof import Proof, prove
from andamio.storage import documents, layout
from tests.support.etl import Lake
from tests.support.own_code import PREPARE, TOML, problem
from tests.support.releases import linear_onnx
from training.proof import proof_of
from training.rows import encode_rows

ROWS = [
    f"{10 * n};{n % 90}%;{1950 + n % 70}-05-05;{n % 9};{('flat', 'room')[n % 2]};2026-01-01;{n % 40},5"
    for n in range(200)
]
WITH_AREA = TOML + '\n[features.area]\ntype = "number"\nmin = 0\nmax = 500\n'
PRIVATE = WITH_AREA.replace("[raw.built]\n", "[raw.built]\nprivate = true\n").replace(
    "[features.beds]\n", "[features.beds]\nprivate = true\n"
)
REFUSING = """def prepare(columns):
    if (columns["beds"] > 9).any():
        raise ValueError("expected fewer beds")
"""


@dataclass(frozen=True)
class World:
    """A data version of a problem, and the proof of a model that a fit makes."""

    toml: str
    contract: Contract
    samples: SampleRecords
    proof: Proof
    model: Model

    def prove(self, code: str = PREPARE) -> None:
        prove("7", self.contract, problem(code, self.toml)[1], self.proof, self.model.predict)


def world(toml: str, source: str = PREPARE) -> World:
    contract, code = problem(source, toml)
    lake = Lake(contract, code)
    lake.drop("lets.csv", "price;rate;built;beds;kind;seen;area", *ROWS)
    version = lake.run()["version"]
    samples = documents.read(lake, layout.dataset(version, SAMPLES), SampleRecords)
    onnx = linear_onnx(contract, scale=0.3)
    with open_columns(lake, version, "train") as rows:
        train = encode_rows(contract, rows, version=version)
    proof = proof_of(lake, version, contract, onnx, train)
    assert proof is not None
    return World(toml, contract, samples, proof, Model(contract, onnx))


def test_records_are_kept_as_a_request_and_as_the_file_has_them() -> None:
    made = world(WITH_AREA)
    assert len(made.proof.records) == len(made.proof.cells) > 20
    record, texts = made.proof.records[1], made.proof.cells[1]
    assert texts is not None
    assert record["rate"] == texts.cells["rate"]
    assert f"{record['area']:.1f}".replace(".", ",") == texts.cells["area"]
    assert {"price", "dear"}.isdisjoint(texts.cells)
    assert not made.samples.features
    made.prove()


def test_a_file_that_is_read_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(WITH_AREA)
    monkeypatch.setattr(columns, "number_written", lambda cell, decimal: float(cell.replace(decimal, "")))
    with pytest.raises(ReleaseError, match="the same record has another probability here than in training"):
        made.prove()


def test_no_private_value_is_kept_and_what_is_made_of_the_column_is_proved_all_the_same() -> None:
    made = world(PRIVATE)
    assert set(private_columns(made.contract)) == {"built", "beds"}
    assert len(made.proof.records) > 20
    assert not made.samples.cells
    real = {(f"{1950 + n % 70}-05-05", n % 9) for n in range(200)}
    kept = {(record.get("built", ""), record["beds"]) for record in made.proof.records}
    assert kept.isdisjoint(real)
    assert len({beds for _, beds in kept}) > 5
    made.prove()
    for planted in ("+ 1", "+ 2"), ("2000-01-01", "1985-01-01"):
        with pytest.raises(ReleaseError, match="the same record has another probability here than in training"):
            made.prove(PREPARE.replace(*planted))


def test_a_column_is_as_private_as_the_feature_of_its_name() -> None:
    made = world(WITH_AREA.replace("[features.rate]\n", "[features.rate]\nprivate = true\n"))
    assert private_columns(made.contract) == ("rate",)
    assert len(made.proof.records) > 20
    for kept in made.proof.records, made.samples.records.values():
        assert {record.get("rate") for record in kept} == {None, "85%"}  # the example's
    made.prove()


def test_a_private_feature_that_follows_from_real_values_leaves_out_the_record() -> None:
    hidden = WITH_AREA.replace("[features.old]\n", "[features.old]\nprivate = true\n")
    of_built = world(hidden.replace("[raw.built]\n", "[raw.built]\nprivate = true\n"))
    assert len(of_built.proof.records) > 20
    of_beds = world(hidden.replace("[features.beds]\n", "[features.beds]\nprivate = true\n"))
    assert not of_beds.samples.records
    assert not of_beds.samples.features
    older, code = problem(toml=WITH_AREA)
    older = older.hiding(["old"])
    assert disguises(older)
    assert disguised(older, code, {"beds": 3, "kind": "flat", "seen": "2026-01-01", "area": 40}, 1) is None


def test_made_up_values_that_prepare_refuses_leave_out_the_record() -> None:
    refusing = PREPARE.replace("def prepare(columns):\n", REFUSING)
    contract, code = problem(refusing, PRIVATE)
    found = [
        disguised(contract, code, {"rate": "5%", "kind": "flat", "seen": "2026-01-01", "area": 40}, seed)
        for seed in range(60)
    ]
    kept = [one[0]["beds"] for one in found if one is not None]
    assert 0 < len(kept) < 60
    assert max(kept) <= 9


def test_made_up_values_at_which_prepare_fails_leave_out_the_record() -> None:
    failing = PREPARE.replace(
        "def prepare(columns):\n",
        "def prepare(columns):\n    [dict.fromkeys(range(10))[int(n)] for n in columns['beds']]\n",
    )
    made = world(PRIVATE, failing)
    assert 0 < len(made.proof.records) < len(ROWS)
    assert max(record["beds"] for record in made.proof.records) <= 9
    made.prove(failing)


def test_records_that_made_up_values_leave_out_take_no_room() -> None:
    refusing = PREPARE.replace("def prepare(columns):\n", REFUSING)
    made = world(PRIVATE, refusing)  # half of the beds that are drawn are too many
    assert len(made.samples.records) > 30
    made.prove(refusing)
