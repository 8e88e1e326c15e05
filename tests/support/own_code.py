"""A small problem with code of its own."""

from __future__ import annotations

from andamio.contract import Contract
from andamio.contract.own_code import prepare_digest
from andamio.prepare.code import OwnCode, load_for

TOML = """
[problem]
name = "lets"
target = "dear"
target_from = "prepare"
labels = { "no" = "Cheap", "yes" = "Dear" }
time = "seen"

[data]
missing = ["", "-1"]

[raw.price]
type = "number"
required = false
available_at_prediction = false

[raw.rate]
type = "text"
required = false
example = "85%"

[raw.built]
type = "date"
required = false

[features.rate]
type = "number"
min = 0
max = 1
required = false

[features.beds]
type = "integer"
min = 0
max = 20

[features.kind]
type = "category"
values = ["flat", "room"]

[features.more]
type = "number"
derived = true

[features.old]
type = "boolean"
derived = true
"""
PREPARE = """
import numpy as np

def share(text):
    if text is None:
        return np.nan
    if not text.endswith("%"):
        raise ValueError("expected a share such as 85%")
    return float(text[:-1]) / 100

def prepare(columns):
    rate = np.array([share(text) for text in columns["rate"]])
    return {"rate": rate, "more": columns["beds"] + 1, "old": columns["built"] < np.datetime64("2000-01-01")}

def target(columns):
    return np.where(columns["price"] > 100, "yes", "no")

def keep(columns):
    return columns["beds"] < 10
"""
RAW: dict[str, list[object]] = {
    "price": ["500", "50", "200", "20", "70", "900"],
    "rate": ["85%", "50", "", "5%", "900%", "7%"],
    "built": ["1990-01-01", "2020-05-05", "", "1999-12-31", "2000-01-01", "1980-02-02"],
    "beds": ["1", "2", "3", "4", "5", "12"],
    "kind": ["flat", "room", "flat", "flat", "room", "flat"],
    "seen": ["2026-01-01"] * 6,
}


def problem(prepare: str = PREPARE, toml: str = TOML) -> tuple[Contract, OwnCode]:
    """A contract and its code, as a folder with both gives them."""
    contract = Contract.from_toml(toml, prepare=prepare_digest(prepare.encode()))
    code = load_for(contract, prepare.encode())
    assert code is not None
    return contract, code
