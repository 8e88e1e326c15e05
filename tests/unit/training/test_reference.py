"""The rows that a release keeps: enough to explain against, and nothing that is private."""

import numpy as np

from andamio.contract import Contract
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.release.explain import read_reference
from andamio.release.samples import ReferenceRows
from andamio.storage import documents
from training.reference import REFERENCE_ROWS, reference
from training.rows import TrainingRows

TEXT = """
[problem]
name = "visits"
target = "y"
labels = { no = "No", yes = "Yes" }
TIME
[features.name]
type = "category"
values = ["Ada", "Grace"]
private = true
[features.born_on]
type = "date"
[features.weight]
type = "number"
required = false
[features.smokes]
type = "boolean"
[features.outcome]
type = "number"
required = false
available_at_prediction = false
"""
BORN = np.datetime64("1950-01-01") + np.arange(1200)


def made(time=True, rows=1200):
    contract = Contract.from_toml(TEXT.replace("TIME", 'time = "at"' if time else ""))
    cells = {
        "name": ["Ada", "Grace"] * (rows // 2),
        "born_on": BORN[:rows].astype(str).tolist(),
        "weight": np.where(np.arange(rows) % 7 == 0, np.nan, np.arange(rows, dtype=float)),
        "smokes": np.arange(rows) % 2.0,
        "outcome": np.ones(rows),
        "at": [f"2020-05-17T{row % 24:02}:00:00" for row in range(rows)],
        "y": ["no", "yes"] * (rows // 2),
    }
    table = parse(contract, cells, rows, text=False, training=True)
    return contract, TrainingRows(encode(contract, table), table.labels, tuple(map(str, range(rows))), table)


def again(kept):
    """The rows as they are read from a release."""
    return documents.parse(kept.to_json(), ReferenceRows, "reference.json")


def test_what_is_read_back_is_what_the_model_was_trained_on():
    contract, train = made(rows=400)
    read = read_reference(contract, again(reference(contract, train, seed=1)))
    assert read.held == ("name",)
    assert np.array_equal(read.encoded.numbers, train.encoded.numbers, equal_nan=True)


def test_dates_that_people_write_in_a_format_of_their_own_are_read_back_too():
    plain, train = made(rows=400)
    text = TEXT.replace("TIME", 'time = "at"\ntime_format = "%d.%m.%Y %H:%M"')
    written = Contract.from_toml(text.replace('type = "date"', 'type = "date"\nformat = "%d/%m/%Y"'))
    kept = again(reference(written, train, seed=1))
    assert kept == again(reference(plain, train, seed=1)), "a release keeps ISO 8601"
    read = read_reference(written, kept)
    assert np.array_equal(read.encoded.numbers, train.encoded.numbers, equal_nan=True)
    assert "born_on" in read.features


def test_nothing_private_and_nothing_known_afterwards_is_kept():
    contract, train = made()
    kept = reference(contract, train, seed=1)
    assert b"Grace" not in kept.to_json()
    assert set(kept.columns) == {"born_on", "weight", "smokes"}
    assert kept.rows == REFERENCE_ROWS


def test_a_time_is_kept_as_a_day_and_only_where_ages_count_up_to_it():
    contract, train = made()
    assert set(reference(contract, train, seed=1).time) == {"2020-05-17"}
    contract, train = made(time=False)
    assert reference(contract, train, seed=1).time is None
