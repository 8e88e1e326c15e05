"""From columns that are sent to features: what prepare is given, what it may return, and what its errors cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from andamio.contract import Contract
from andamio.errors import ContractError, InvalidRecord, PrepareError
from andamio.prepare.rows import prepared, prepared_for_training
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from tests.support.own_code import PREPARE, RAW, TOML, problem

RECORD = {"rate": "85%", "built": "1990-01-01", "beds": 2, "kind": "flat"}


def one(code: str, record: dict[str, Any] = RECORD) -> Any:
    contract, own = problem(code)
    return prepared(contract, own, parse_records(contract.sent, [record]))


def test_a_contract_without_raw_columns_is_what_is_sent() -> None:
    contract = Contract.load(Path("problems/heart"))
    assert contract.sent is contract
    assert not {b'"raw"', b'"prepare"', b'"derived"', b'"target_from"'} & set(contract.to_json().split(b":"))
    table = parse_records(contract, [{"age": 50, "sex": 1, "cp": 1}])
    assert prepared(contract, None, table) is table


def test_what_is_sent_are_raw_columns_and_features_as_they_are() -> None:
    contract, _ = problem()
    assert list(contract.sent.inputs) == ["rate", "beds", "kind", "built"]
    assert list(contract.sent.features) == ["rate", "beds", "kind", "price", "built"]
    assert contract.made == ("rate", "more", "old")


def test_training_reads_labels_keeps_rows_and_rejects_bad_ones_with_a_reason() -> None:
    contract, code = problem()
    sent = parse(contract.sent, RAW, 6, text=True, training=True)
    found = prepared_for_training(contract, code, sent)
    assert found.left_out.tolist() == [False] * 5 + [True]
    table = found.table
    assert table.labels is not None
    assert table.labels[[0, 2, 3, 4]].tolist() == [1, 1, 0, 0]
    assert [(each.row, each.field, each.code) for each in table.violations] == [
        (1, "", "not-prepared"),
        (4, "rate", "out-of-range"),
    ]
    assert table.violations[0].reason == "prepare.py, line 8: expected a share such as 85%"
    np.testing.assert_array_equal(table.columns["rate"][[0, 2, 3]], [0.85, np.nan, 0.05])
    np.testing.assert_array_equal(table.columns["more"][[0, 2, 3, 4]], [2, 4, 5, 6])


def test_a_record_and_a_row_of_a_coded_column_are_prepared_alike() -> None:
    contract, code = problem()
    rows = 4
    texts = {name: [cells[0]] * rows for name, cells in RAW.items() if name != "price"}
    table = prepared(contract, code, parse(contract.sent, texts, rows, text=True))
    alone = one(PREPARE, RECORD | {"beds": 1, "seen": "2026-01-01"})
    for name, column in alone.columns.items():
        assert column.tolist() * rows == table.columns[name].tolist(), name


def test_what_means_no_value_does_so_after_prepare_too() -> None:
    contract, code = problem(PREPARE.replace('columns["beds"] + 1', 'columns["beds"] - 3'))
    table = prepared(contract, code, parse_records(contract.sent, [RECORD]))
    assert [(each.field, each.code) for each in table.violations] == [("more", "missing-value")]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (PREPARE.replace('"more": ', '"less": '), "returned no column 'more'"),
        (PREPARE.replace('columns["beds"] + 1', "np.zeros(7)"), "a value for each of 1 rows, got shape (7,)"),
        (PREPARE.replace('columns["beds"] + 1', "3.0"), "got shape ()"),
        (PREPARE.replace('columns["beds"] + 1', 'columns["bed"] + 1'), "line 13: KeyError (row 1 of those given"),
        (PREPARE.replace("+ 1,", '+ "x",'), "prepare.py, line 13: "),
        (
            PREPARE.replace("    rate = np", '    columns["beds"][:] = 1\n    rate = np'),
            "take a copy first",
        ),
    ],
)
def test_a_fault_of_the_code_names_line_and_column(code: str, message: str) -> None:
    with pytest.raises(PrepareError) as caught:
        one(code)
    assert message in str(caught.value)


def test_what_python_says_of_a_value_is_not_in_the_message() -> None:
    found = one(
        PREPARE.replace('raise ValueError("expected a share such as 85%")', "float(text)"), RECORD | {"rate": "secret"}
    )
    assert [each.reason for each in found.violations] == ["prepare.py cannot read this record (line 8)"]
    with pytest.raises(PrepareError) as caught:
        one(PREPARE.replace('columns["beds"] + 1', '{}[columns["kind"][0]]'))
    assert "flat" not in str(caught.value)
    assert "flat" in caught.value.detail


def test_raw_columns_for_the_label_alone_need_no_prepare_and_reach_no_model() -> None:
    toml = TOML[: TOML.index("[raw.rate]")] + TOML[TOML.index("[features.beds]") : TOML.index("[features.more]")]
    contract, code = problem(PREPARE[: PREPARE.index("def prepare")] + PREPARE[PREPARE.index("def target") :], toml)
    assert not contract.prepares
    assert list(contract.sent.inputs) == ["beds", "kind"]
    cells = {name: RAW[name] for name in ("price", "beds", "kind", "seen")}
    table = prepared_for_training(contract, code, parse(contract.sent, cells, 6, text=True, training=True)).table
    assert list(table.columns) == ["beds", "kind"]
    assert table.labels is not None
    assert table.labels[:5].tolist() == [1, 0, 1, 0, 0]
    alone = prepared(contract, None, parse_records(contract.sent, [{"beds": 1, "kind": "flat"}]))
    assert list(alone.columns) == ["beds", "kind"]


def test_a_record_that_breaks_what_is_sent_is_never_prepared() -> None:
    contract, _ = problem()
    with pytest.raises(InvalidRecord):
        parse_records(contract.sent, [RECORD | {"beds": "many"}])


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (TOML.replace('type = "text"\n', 'type = "text"\nderived = true\n'), "[raw.rate] derived: only a feature"),
        (TOML.replace('example = "85%"\n', ""), "[raw.rate] example: a text needs one"),
        (TOML.replace("[raw.built]", "[raw.dear]"), "'dear' is the target of [problem]"),
        (TOML.replace("[features.rate]\n", "[features.rate]\nderived = true\n"), "leave it out"),
        (
            TOML.replace('example = "85%"\n', 'example = "85%"\nprivate = true\n'),
            "[features.rate] private: [raw.rate] is private",
        ),
        (
            TOML.replace("[features.old]\n", "[features.old]\nprivate = true\n"),
            "[features.old] private: prepare makes it, and no column that is sent is private",
        ),
        ('prepare = "x"\n' + TOML, "is found by itself"),
    ],
)
def test_a_contract_that_does_not_fit_says_where(toml: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        Contract.from_toml(toml)
    assert message in str(caught.value)


def test_a_sealed_contract_whose_private_feature_has_no_private_source_is_still_read() -> None:
    sealed = problem()[0].hiding(["old"])
    assert Contract.from_json(sealed.to_json()).private == ("old",)


def test_a_folder_that_needs_a_prepare_and_has_none_says_so(folder: Path) -> None:
    (folder / "prepare.py").unlink()
    with pytest.raises(ContractError, match="beside the file, and there is none"):
        Contract.load(folder)


def test_the_digest_is_of_the_code_and_not_of_its_line_ends(folder: Path) -> None:
    before = Contract.load(folder)
    (folder / "prepare.py").write_bytes(PREPARE.replace("\n", "\r\n").encode())
    assert Contract.load(folder).data_digest == before.data_digest
    (folder / "prepare.py").write_text(PREPARE.replace("+ 1", "+ 2"))
    changed = Contract.load(folder)
    assert changed.data_digest != before.data_digest
    assert changed.served_digest != before.served_digest


def test_a_number_can_be_made_to_be_predicted_as_a_class_can() -> None:
    toml = TOML.replace('labels = { "no" = "Cheap", "yes" = "Dear" }', 'task = "regression"\ntarget_max = 600')
    contract, code = problem(
        PREPARE.replace('np.where(columns["price"] > 100, "yes", "no")', 'columns["price"] / 2'), toml
    )
    cells = RAW | {"price": ["500", "50", "", "20", "1400", "9"], "rate": ["5%"] * 6}
    found = prepared_for_training(contract, code, parse(contract.sent, cells, 6, text=True, training=True))
    assert found.table.labels is not None
    np.testing.assert_array_equal(found.table.labels[[0, 1, 3]], [250, 25, 10])
    assert {each.row for each in found.table.violations} == {2, 4}
