"""prepare.py before it is deployed: what it may be, and whether each row's answer is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from andamio.cli.models.own_code import check_prepare
from andamio.contract import Contract
from andamio.errors import InputFileError, PrepareError
from andamio.prepare.check import check_example, check_rows
from andamio.prepare.code import load
from andamio.records.parse import parse
from tests.support.own_code import PREPARE, RAW, TOML, problem

GOOD = {name: [cells[row] for row in (0, 2, 3, 0, 5)] for name, cells in RAW.items()}


def checked(code: str) -> None:
    contract, own = problem(code)
    check_rows(contract, own, parse(contract.sent, GOOD, 5, text=True, training=True), training=True)


def test_a_prepare_of_single_rows_passes() -> None:
    checked(PREPARE)


@pytest.mark.parametrize(
    ("before", "after", "column"),
    [
        ('columns["beds"] + 1', 'columns["beds"] - columns["beds"].mean() + 30', "more"),
        ('columns["beds"] + 1', "np.arange(len(rate)) + 0.0", "more"),
        ('columns["beds"] + 1', 'np.argsort(columns["beds"]) + 0.0', "more"),
        ('columns["beds"] + 1', "np.cumsum(np.ones(len(rate)))", "more"),
        ('"rate": rate', '"rate": rate / np.nanmax(rate)', "rate"),
        ('columns["price"] > 100', 'columns["price"] > np.median(columns["price"])', "target"),
        ('columns["beds"] < 10', 'np.arange(len(columns["beds"])) != 1', "keep"),
    ],
)
def test_a_prepare_that_looks_at_other_rows_is_refused_by_the_column(before: str, after: str, column: str) -> None:
    assert before in PREPARE
    with pytest.raises(PrepareError) as caught:
        checked(PREPARE.replace(before, after))
    assert f"'{column}' of row" in str(caught.value)


def test_a_column_that_is_changed_and_sent_as_it_is_is_refused() -> None:
    with pytest.raises(PrepareError, match="prepare changes 'beds'"):
        checked(PREPARE.replace('return {"rate"', 'return {"beds": columns["beds"] * 2, "rate"'))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def prepare(columns:\n", "line 1: is not Python"),
        ("import pandas\ndef prepare(columns): return columns", "line 1: imports pandas: only NumPy"),
        ("from .other import x\ndef prepare(columns): return columns", "line 1: imports .other"),
        ("x = 1", "defines none of prepare, target, keep"),
        ("import numpy\nx = numpy.nothing", "line 2: cannot be loaded: AttributeError"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(source: str, message: str) -> None:
    with pytest.raises(PrepareError) as caught:
        load(source.encode())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "code", "message"),
    [
        (TOML, PREPARE.replace("def target", "def aim"), "expected def target(columns)"),
        (TOML.replace('target_from = "prepare"\n', ""), PREPARE, 'say target_from = "prepare"'),
        (TOML, PREPARE.replace("def prepare", "def prepared"), "expected def prepare(columns)"),
    ],
)
def test_code_and_contract_must_fit(toml: str, code: str, message: str) -> None:
    with pytest.raises(PrepareError) as caught:
        problem(code, toml)
    assert message in str(caught.value)


def test_an_example_that_cannot_be_prepared_is_refused() -> None:
    contract, code = problem(toml=TOML.replace('example = "85%"', 'example = "850%"'))
    with pytest.raises(PrepareError, match=r"rate as prepare[.]py makes it, must be between 0 and 1"):
        check_example(contract, code)


NONE_LEFT = '    assert columns["rate"][0] or not np.isnat(columns["built"][0])\n    rate = '


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("if text is None", "if text is ..."), "no value in 'rate', which the contract allows"),
        (("    rate = ", NONE_LEFT), "no value in 'rate', 'built', which the contract allows"),
        (("raise ValueError", "raise TypeError"), "\"[?]\" in 'rate', which the contract allows"),
    ],
)
def test_what_the_contract_lets_a_client_send_must_be_prepared(
    folder: Path, edit: tuple[str, str], message: str
) -> None:
    assert edit[0] in PREPARE
    (folder / "prepare.py").write_text(PREPARE.replace(*edit))
    with pytest.raises(InputFileError, match=message):
        check_prepare(folder, Contract.load(folder))


def test_a_record_that_prepare_refuses_is_well_answered(folder: Path) -> None:
    refusing = PREPARE.replace("        return np.nan", '        raise ValueError("expected a rate")')
    (folder / "prepare.py").write_text(refusing)
    check_prepare(folder, Contract.load(folder))


def test_the_folder_is_checked_before_it_is_deployed(folder: Path) -> None:
    rows = [",".join(GOOD), *(",".join(map(str, cells)) for cells in zip(*GOOD.values(), strict=True))]
    (folder / "some.csv").write_text("\n".join(rows) + "\n")
    (folder / "problem.toml").write_text(TOML.replace("[data]", '[data]\nfiles = ["some.csv"]'))
    check_prepare(folder, Contract.load(folder))
    (folder / "prepare.py").write_text(PREPARE.replace('columns["beds"] + 1', "np.arange(len(rate)) + 0.0"))
    with pytest.raises(InputFileError, match="'more' of row"):
        check_prepare(folder, Contract.load(folder))


def test_the_problem_of_the_repository_fits_and_its_data_are_what_its_generator_writes(tmp_path: Path) -> None:
    folder = Path("problems/listings")
    check_prepare(folder, Contract.load(folder))
    made: dict[str, object] = {"__name__": "generate"}
    exec((folder / "generate.py").read_text(), made)
    made["write"](tmp_path / "listings.csv")  # type: ignore[operator]
    assert (tmp_path / "listings.csv").read_bytes() == (folder / "listings.csv").read_bytes()
