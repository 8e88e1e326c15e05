"""`andamio feedback`: true labels of a file or of one prediction, sent to the API; wrong rows are told by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from andamio.cli import main
from andamio.cli.models import api, feedback
from andamio.contract import Contract
from andamio.errors import InputFileError
from andamio.feedback import read
from andamio.storage import layout
from tests.support.api import Api
from tests.support.releases import heart, serve

ID = "0123456789abcdef" * 2


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Api:
    """An API in this process, which the command asks instead of a deployed one."""
    served = Api()
    serve(served.objects, heart())

    def call(deployed: dict[str, Any], method: str, path: str, body: Any = None) -> Any:
        assert (method, path) == ("POST", "/feedback")
        answer = served.post(path, body)
        assert answer.status == 202, answer.text
        return answer.json

    monkeypatch.setattr(api, "call", call)
    monkeypatch.setattr(main, "_deployed", lambda problem, stage: {"problem": "heart"})
    monkeypatch.setattr(feedback, "champion_contract", lambda deployed: heart())
    return served


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main.app, ["feedback", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def kept(served: Api) -> list[tuple[str | None, str | None, str]]:
    keys = [info.key for info in served.lake.list(layout.FEEDBACK)]
    return [
        (one.prediction_id, one.record_id, one.label) for key in keys for one in read(key, served.lake.get(key).body)
    ]


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "truth.csv"
    file.write_text(text, encoding=encoding)
    return file


def test_one_label_is_sent(served: Api) -> None:
    run("--prediction", ID, "--label", "1")
    assert kept(served) == [(ID, None, "1")]


def test_a_scored_file_with_the_target_says_the_truth_and_not_what_was_predicted(served: Api, tmp_path: Path) -> None:
    target = heart().problem.target
    run(written(tmp_path, f"prediction_id,label,label_text,{target}\n{ID},1,Ill,0\n"))
    assert kept(served) == [(ID, None, "0")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_of_records_is_sent_a_thousand_at_a_time(served: Api, tmp_path: Path, delimiter: str) -> None:
    rows = "".join(f"visit-{number}{delimiter}{number % 2}.0\n" for number in range(2500))
    run(written(tmp_path, f"record_id{delimiter}{heart().problem.target}\n{rows}", "utf-8-sig"))
    assert len(served.lake.writes) == 3
    assert sorted(kept(served), key=str) == sorted(
        ((None, f"visit-{number}", str(number % 2)) for number in range(2500)), key=str
    )


def test_the_column_of_the_problem_s_id_names_the_record(tmp_path: Path) -> None:
    text = '[problem]\nname = "small"\ntarget = "y"\nid = "patient"\nlabels = { a = "A", b = "B" }\n'
    contract = Contract.from_toml(text + '[features.age]\ntype = "number"\n')
    found = feedback.read(written(tmp_path, "patient,y\n17,b\n"), contract)
    assert found.entries == [{"record_id": "17", "label": "b"}]


def test_wrong_rows_are_told_by_line_and_the_others_are_sent(served: Api, tmp_path: Path) -> None:
    target = heart().problem.target
    file = written(tmp_path, f"prediction_id,{target}\n{ID},1\nx,1\n{ID},9\n{ID},\n{'f' * 32},0\n")
    with pytest.raises(InputFileError) as caught:
        feedback.send_file({}, file)
    said = str(caught.value)
    assert "2 rows cannot be used" in said
    assert "line 3: prediction_id is no id of a prediction" in said
    assert f"line 4: {target} is none of 0, 1" in said
    assert kept(served) == [(ID, None, "1"), ("f" * 32, None, "0")]


@pytest.mark.parametrize("character", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_ends_with_a_line_and_not_with_what_looks_like_one(tmp_path: Path, character: str, end: str) -> None:
    rows = ["note,prediction_id,num", f"a{character}b,{ID},1", f'"two{end}lines",{"f" * 32},0', f"c,{ID},9"]
    text = '[problem]\nname = "small"\ntarget = "num"\nlabels = { 0 = "A", 1 = "B" }\n[features.age]\ntype = "number"\n'
    (tmp_path / "truth.csv").write_bytes((end.join(rows) + end).encode())
    found = feedback.read(tmp_path / "truth.csv", Contract.from_toml(text))
    assert [entry["label"] for entry in found.entries] == ["1", "0"]
    assert (found.waiting, found.wrong) == (0, [(5, "num is none of 0, 1")])


@pytest.mark.parametrize("text", ["", "prediction_id,label\n" + ID + ",1\n", "num\n1\n"])
def test_a_file_without_the_two_columns_is_told_what_is_expected(served: Api, tmp_path: Path, text: str) -> None:
    with pytest.raises(InputFileError, match="expected CSV with a header"):
        feedback.send_file({}, written(tmp_path, text))
    assert served.lake.writes == []


@pytest.mark.parametrize(
    "arguments", [[], ["--label", "1"], ["--prediction", ID], ["--prediction", ID, "--record", "7", "--label", "1"]]
)
def test_what_is_missing_is_told(served: Api, arguments: list[str]) -> None:
    result = CliRunner().invoke(main.app, ["feedback", *arguments])
    assert result.exit_code != 0
    assert "andamio feedback --prediction ID --label LABEL" in str(result.exception)
    assert served.lake.writes == []
