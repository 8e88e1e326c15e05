"""The record that the demo asks for, and the files that it brings."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from andamio.cli.home import REPO
from andamio.cli.models import pipeline, story
from andamio.cli.models.sample import first_record, labelled_records, records, sample_files, unlabelled
from andamio.contract import Contract
from andamio.errors import InputFileError

TEXT = """
[problem]
name = "katzen"
target = "art"
labels = { a = "A", b = "B" }
[data]
files = ["k.csv"]
[features."größe"]
type = "number"
[features.farbe]
type = "category"
[features.seit]
type = "date"
required = false
"""
CONTRACT = Contract.from_toml(TEXT)
FIRST = {"größe": 2.5, "farbe": "grün", "seit": None}


def test_a_spreadsheets_file_from_windows_gives_its_first_good_record(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes("größe;farbe;seit;art\r\nvage;grün;;a\r\n2,5;grün;;a\r\n".encode("latin-1"))
    assert first_record(file, CONTRACT) == FIRST


def test_json_lines_with_a_broken_line_give_their_first_good_record(tmp_path: Path) -> None:
    file = tmp_path / "k.jsonl"
    file.write_text('{"größe": \n{"größe": 2.5, "farbe": "grün", "art": "a"}\n')
    assert first_record(file, CONTRACT) == FIRST


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"other\n1\n"])
def test_a_file_without_one_gives_the_schemas_example(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes(body)
    assert set(first_record(file, CONTRACT)) == set(FIRST)


def test_a_missing_data_file_is_noticed_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"names 'k\.csv', but .* has no such file\.$"):
        sample_files(tmp_path, CONTRACT)
    (tmp_path / "K.csv").write_text("x\n")
    with pytest.raises(InputFileError, match=r"Did you mean 'K\.csv'\? Capitals"):
        sample_files(tmp_path, CONTRACT)


def test_a_sample_without_its_label_is_scored_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes('größe;farbe;rest;art\n2,5;grün;;a\n 3,5;"a;b";;b\nvage;grün;;a\n'.encode("latin-1"))
    assert unlabelled(file, CONTRACT, tmp_path / "to" / "score.csv").read_text(encoding="utf-8-sig") == (
        'größe;farbe\n2,5;grün\n3,5;"a;b"\nvage;grün\n'
    )


def test_a_sample_is_drawn_from_all_of_a_file_and_stays_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_text("größe;farbe;art\n" + "".join(f"{row};grün;a\n" for row in range(400)))
    lines = unlabelled(file, CONTRACT, tmp_path / "score.csv", rows=100).read_text(encoding="utf-8-sig").splitlines()
    sizes = [int(line.split(";")[0]) for line in lines[1:]]
    assert len(sizes) == 100
    assert sizes == sorted(sizes)
    assert min(len([size for size in sizes if size // 100 == part]) for part in range(4)) > 10


def test_a_sample_in_json_becomes_a_table(tmp_path: Path) -> None:
    file = tmp_path / "k.jsonl"
    file.write_text('{"größe": 2.5, "farbe": null, "art": "a"}\n{"farbe": true, "größe": 3, "art": "b"}\n')
    text = unlabelled(file, CONTRACT, tmp_path / "score.csv").read_text(encoding="utf-8-sig")
    assert sorted(text.splitlines()[0].split(",")) == ["farbe", "größe"]
    assert "2.5" in text.splitlines()[1]


def test_a_sample_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes(b"")
    with pytest.raises(InputFileError, match=r"k\.csv is empty"):
        unlabelled(file, CONTRACT, tmp_path / "score.csv")


def test_a_label_that_prepare_makes_is_not_read_from_files_and_its_records_are() -> None:
    folder = REPO / "problems" / "listings"
    contract = Contract.load(folder)
    (file,) = sample_files(folder, contract)
    assert list(labelled_records(file, contract)) == []
    assert next(records(file, contract)).keys() == contract.sent.inputs.keys()
    assert "prepare.py makes this one" in story.left_out(contract, None)
    assert "with the column 'art', beside problem.toml" in story.left_out(CONTRACT, None)


HEADER = "größe,farbe,seit"


@pytest.mark.parametrize(
    ("files", "shown", "labels"),
    [
        ({"k.csv": f"{HEADER},art\n1,rot,,a\n"}, None, []),
        ({"a.csv": f"{HEADER}\n1,rot,,\n", "b.csv": f"{HEADER},art\n2,rot,,b\n"}, "b.csv", ["b"]),
        ({"a.csv": f"{HEADER},art\n1,rot,,?\n", "b.csv": f"{HEADER}\n2,rot,,\n"}, "a.csv", [None]),
        ({"a.csv": "\0", "b.csv": "", "c.csv": "note\nold\n", "d.csv": f"{HEADER}\n2,rot,,\n"}, "d.csv", [None]),
        ({"c.csv": "note\nold\n"}, None, []),
    ],
)
def test_the_demo_shows_a_file_beside_the_data_and_one_with_labels_first(
    tmp_path: Path, files: dict[str, str], shown: str | None, labels: list[str | None]
) -> None:
    for name, body in files.items():
        (tmp_path / name).write_text(body)
    found = story.elsewhere(tmp_path, CONTRACT)
    assert (found[0].name if found else None) == shown
    assert [label for _, label in (found[1] if found else [])] == labels


def test_the_demo_names_the_file_that_has_no_labels_and_the_column_that_it_lacks() -> None:
    said = story.left_out(CONTRACT, Path("b.csv"))
    assert "the labels of the records of b.csv. Add them to it as the column 'art'" in said
    assert "Put a CSV" not in said


@pytest.mark.parametrize("labelled", [True, False])
def test_what_follows_drift_is_shown_where_the_file_has_labels_and_else_is_said_to_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], labelled: bool
) -> None:
    (tmp_path / "k.csv").write_text(f"{HEADER},art\n1,rot,,a\n")
    (tmp_path / "b.csv").write_text(f"{HEADER},art\n1,rot,,b\n" if labelled else f"{HEADER}\n1,rot,,\n")
    ids = count()
    acted: list[story.Elsewhere] = []
    monkeypatch.setattr(story, "predict", lambda deployed, some: [{"prediction_id": str(next(ids))} for _ in some])
    monkeypatch.setattr(story.monitor, "run", lambda deployed: None)
    monkeypatch.setattr(pipeline.acting, "act", lambda deployed, elsewhere, contract: acted.append(elsewhere))
    found = story.watch({}, tmp_path, tmp_path / "k.csv", CONTRACT)
    pipeline.last_part({}, found, CONTRACT)
    assert found is not None
    assert (found.file.name, found.labelled, len(found.labels)) == ("b.csv", labelled, story.FAMILIAR + labelled)
    assert (acted == [found]) == labelled
    assert ("the labels of the records of b.csv" in " ".join(capsys.readouterr().err.split())) != labelled
