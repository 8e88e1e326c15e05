"""What the audit finds about values: columns without information, numbers that float32 merges, look-alike texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from andamio.contract import Contract
from andamio.storage import layout
from etl.audit.values import ALIKE, FLOAT32, INVISIBLE, NO_INFORMATION, Finding, findings
from tests.support.etl import Lake

HEAD = '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n'
ZERO_WIDTH = "\u200b"


def found(feature: str, values: list[Any]) -> list[Finding]:
    contract = Contract.from_toml(f"{HEAD}[features.x]\n{feature}\n")
    kind = object if contract.inputs["x"].type == "category" else np.float64
    if contract.inputs["x"].type == "date":
        kind = "datetime64[D]"
    return findings(contract, {"x": np.array(values, dtype=kind)})


NUMBER, CATEGORY = 'type = "number"\nrequired = false', 'type = "category"\nrequired = false'


@pytest.mark.parametrize(
    ("feature", "values", "message"),
    [
        (NUMBER, [np.nan] * 5, "'x' has no value in train"),
        (NUMBER, [3.0, np.nan, 3.0], "'x' has one value in 2 of 3 rows of train"),
        ('type = "boolean"', [1.0, 1.0], "'x' has one value in 2 of 2 rows of train"),
        ('type = "date"\nrequired = false', ["NaT", "NaT"], "'x' has no value in train"),
        (CATEGORY, ["", ""], "'x' has no value in train"),
        (CATEGORY, ["k", "k"], "'x' has one value in 2 of 2 rows of train"),
    ],
)
def test_a_column_that_is_empty_or_constant_is_named(feature: str, values: list[Any], message: str) -> None:
    (finding,) = found(feature, values)
    assert finding.kind == NO_INFORMATION
    assert message in finding.message
    assert not finding.refused


@pytest.mark.parametrize(
    ("feature", "values"), [(NUMBER, [1.0, 2.0, np.nan]), (CATEGORY, ["k", ""]), ('type = "boolean"', [0.0, 1.0])]
)
def test_a_column_that_tells_rows_apart_is_not(feature: str, values: list[Any]) -> None:
    assert found(feature, values) == []


def test_numbers_that_float32_merges_are_counted_and_refused_where_most_are_lost() -> None:
    epoch = [1.76e9 + second for second in range(41)]
    (finding,) = found(NUMBER, epoch)
    assert (finding.kind, finding.refused) == (FLOAT32, True)
    assert finding.evidence == {"distinct": 41, "kept": len(set(np.array(epoch, dtype=np.float32)))}
    assert "Subtract an offset" in finding.message
    (some,) = found(NUMBER, [*range(100), *(1e9 + second for second in range(10))])
    assert (some.kind, some.refused) == (FLOAT32, False)
    assert found(NUMBER, list(range(41))) == []
    assert found(NUMBER, [0.1 * step for step in range(100)]) == []


def test_epoch_seconds_make_no_data_version_and_the_cure_is_said() -> None:
    lake = Lake(Contract.from_toml(f"{HEAD}[features.epoch]\n{NUMBER}\n"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [f"{(start + timedelta(seconds=n)).timestamp():.0f},{'ab'[n % 2]}" for n in range(60)]
    lake.drop("a.csv", "epoch,y", *rows)
    said = lake.run()
    assert said["status"] == "rejected"
    assert "'epoch': of 60 distinct values float32" in said["message"]
    assert "Subtract an offset such as the smallest value" in said["message"]
    assert not list(lake.list(layout.DATASETS))


def test_look_alikes_and_invisible_characters_are_named_with_both_spellings() -> None:
    values = ["Córdoba"] * 3 + ["córdoba", f"Cór{ZERO_WIDTH}doba", "New York", "New  York", "Lima"]
    invisible, alike = found(CATEGORY, values)
    assert (invisible.kind, alike.kind) == (INVISIBLE, ALIKE)
    assert "1 value with invisible characters: 'Cór\\u200bdoba'" in invisible.message
    assert "'Córdoba' and 'Cór\\u200bdoba' and 'córdoba'; 'New  York' and 'New York'" in alike.message
    assert alike.evidence == {"groups": 2, "rows": 3}


def test_values_of_a_private_feature_are_counted_and_not_named() -> None:
    for finding in found(f"{CATEGORY}\nprivate = true", ["Ann", "ann", f"An{ZERO_WIDTH}n"]):
        assert "ann" not in finding.message.lower()


def test_a_value_that_looks_like_a_listed_one_is_named_and_listed_ones_are_not() -> None:
    listed = 'type = "category"\nvalues = ["Red", "red", "blue"]\nunknown = "other"'
    assert found(listed, ["Red", "red", "blue"]) == []
    (finding,) = found(listed, ["red", "Blue"])
    assert "'Blue' and 'blue'" in finding.message


def test_findings_are_in_the_audit_the_manifest_and_what_the_machine_says() -> None:
    lake = Lake(Contract.from_toml(f"{HEAD}[features.size]\n{NUMBER}\n[features.empty]\n{NUMBER}\n"))
    lake.drop("a.csv", "size,empty,y", *[f"{n},,{'ab'[n % 2]}" for n in range(40)])
    said = lake.run()
    assert said["status"] == "published"
    (message,) = said["findings"]
    assert message.startswith("'empty' has no value in train: no model can learn from it, so it is ignored")
    assert lake.manifest(said["version"])["findings"] == 1
    audit = lake.read(layout.dataset(said["version"], "audit.json"))
    assert [finding["kind"] for finding in audit["findings"]] == [NO_INFORMATION]
