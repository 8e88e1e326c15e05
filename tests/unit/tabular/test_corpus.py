"""The corpus: one verdict a file and row, whoever reads it."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from andamio.contract import Contract
from andamio.records.parse import parse
from andamio.tabular.csv.request_body import read_csv_text
from andamio.tabular.json.record import json_record
from andamio.tabular.refused import RefusedFile
from tests.support.corpus import Verdict, batch_verdict, etl_verdict
from tests.support.readers import Reason, by_api, rows_of
from tests.support.releases import heart

CORPUS = Path(__file__).parents[2] / "corpus"
FILES: list[dict[str, Any]] = tomllib.loads((CORPUS / "verdicts.toml").read_text())["file"]

ABOUT_COLUMNS = ("lacks", "has the column '")


def _name(file: dict[str, Any]) -> str:
    return file["path"] + (f"-{Path(file['contract']).stem}" if "contract" in file else "")


def _contract(file: dict[str, Any]) -> Contract:
    return _contract_of(file.get("contract", ""))


@cache
def _contract_of(name: str) -> Contract:
    return Contract.from_toml((CORPUS / name).read_text()) if name else heart()


def _body(file: dict[str, Any]) -> bytes:
    return (CORPUS / file["path"]).read_bytes()


@cache
def _by_etl(index: int) -> Verdict:
    file = FILES[index]
    return etl_verdict(_contract(file), Path(file["path"]).name, _body(file))


def _is_plain_text(file: dict[str, Any], ending: str) -> bool:
    """Whether a request could hold the file: UTF-8 text, which it says or does not need to say."""
    body = _body(file)
    try:
        return bool(body.decode()) and b"\0" not in body and file["path"].endswith(ending)
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("index", range(len(FILES)), ids=map(_name, FILES))
def test_etl_has_the_verdict_of_the_table(index: int) -> None:
    file, found = FILES[index], _by_etl(index)
    if "refused" in file:
        assert found.refused.startswith(file["refused"])
        return
    assert (found.refused, len(found.values)) == ("", file["rows"])
    bad = found.bad
    assert len(bad) == file.get("rejected", len(file.get("bad", ())))
    for line, reason in file.get("bad", {}).items():
        assert bad[int(line)].startswith(reason)
    for name, decided in file.get("read_as", {}).items():
        assert found.read_as[name] == decided
    if "like" in file:
        same = next(number for number, other in enumerate(FILES) if other["path"] == file["like"])
        assert found.values == _by_etl(same).values


@pytest.mark.parametrize("shard_bytes", [150, 2_000, 1 << 20])
@pytest.mark.parametrize("index", range(len(FILES)), ids=map(_name, FILES))
def test_batch_has_the_same_however_the_file_is_cut(index: int, shard_bytes: int) -> None:
    file, expected = FILES[index], _by_etl(index)
    found = batch_verdict(_contract(file), Path(file["path"]).name, _body(file), shard_bytes=shard_bytes)
    if expected.refused:
        # Which of the columns are named first is each one's own.
        words = ABOUT_COLUMNS if expected.refused.startswith(ABOUT_COLUMNS) else expected.refused[:70]
        assert found.refused.startswith(words)
        return
    assert (found.refused, found.rows) == ("", expected.rows)
    assert found.read_as.items() <= expected.read_as.items()


@pytest.mark.parametrize(
    "index", [at for at, file in enumerate(FILES) if _is_plain_text(file, "sv")], ids=lambda at: _name(FILES[at])
)
def test_a_request_of_csv_has_the_same(index: int) -> None:
    file, expected = FILES[index], _by_etl(index)
    contract = _contract(file)
    if expected.refused.startswith(ABOUT_COLUMNS):
        pytest.skip("what a request may leave out is another question")
    if expected.refused:
        with pytest.raises(RefusedFile):
            read_csv_text(_body(file).decode(), contract)
        return
    found = read_csv_text(_body(file).decode(), contract)
    table = parse(contract, found.columns, len(found.lines), text=True, decimal=found.decimal)
    rows = dict(zip(found.lines, rows_of(contract, table), strict=True))
    rows |= {broken.line: {"": Reason(broken.reason)} for broken in found.broken}
    assert dict(sorted(rows.items())) == expected.rows


@pytest.mark.parametrize(
    "index", [at for at, file in enumerate(FILES) if _is_plain_text(file, "jsonl")], ids=lambda at: _name(FILES[at])
)
def test_a_request_of_json_has_the_same(index: int) -> None:
    expected = _by_etl(index)
    if expected.refused:
        pytest.skip("no file of objects")
    contract = _contract(FILES[index])
    names = set(contract.inputs)
    for line, text in enumerate(_body(FILES[index]).decode("utf-8-sig").split("\n"), start=1):
        if line not in expected.rows:
            assert not text.strip()
        elif "" in expected.rows[line]:
            with pytest.raises(ValueError, match=r"."):
                json_record(text)
        else:
            record = {name: cell for name, cell in json.loads(text).items() if name in names}
            assert by_api(contract, [record]) == {1: expected.rows[line]}
