"""`andamio new`: files that nobody prepared become a folder that the contract, ETL and training take."""

from __future__ import annotations

import json
import random
import shutil
import tomllib
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.cli.check.rehearsal import Rehearsal, rehearse
from andamio.cli.new.marks import SURE
from andamio.cli.new.new import new
from andamio.cli.new.questions import Options
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.errors import InputFileError, UsageError

ROWS = 80


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Write a file, make a problem of it, and return the folder."""

    def made(body: str | bytes, target: str | None = "label", name: str = "data.csv", **more: Any) -> Path:
        file = tmp_path / name
        file.write_bytes(body.encode() if isinstance(body, str) else body)
        return new("made", [file], Options(**{"target": target, "folder": tmp_path / "made", **more}))

    return made


def table(columns: dict[str, list[Any]], delimiter: str = ",") -> str:
    rows = zip(*columns.values(), strict=True)
    return "".join(delimiter.join(map(str, row)) + "\n" for row in [columns.keys(), *rows])


def drawn(seed: int = 1) -> dict[str, list[Any]]:
    """A number, a category and a label that depends on both, with noise."""
    rng = random.Random(seed)
    size = [round(rng.uniform(2, 60), 1) for _ in range(ROWS)]
    colour = [rng.choice(["red", "green", "blue"]) for _ in range(ROWS)]
    label = [
        "yes" if x + 10 * (c == "red") + rng.gauss(0, 12) > 33 else "no" for x, c in zip(size, colour, strict=True)
    ]
    return {"size": size, "colour": colour, "label": label}


def rehearsed(folder: Path) -> Rehearsal:
    contract = Contract.load(folder)
    return rehearse(contract, {name: (folder / name).read_bytes() for name in contract.data.files})


def text_of(folder: Path) -> str:
    """problem.toml with its comments on one line each."""
    return (folder / "problem.toml").read_text().replace("\n# ", " ")


def test_a_plain_table_becomes_a_problem_that_etl_takes_whole(make: Any) -> None:
    folder = make(table(drawn()))
    contract, result = Contract.load(folder), rehearsed(folder)
    assert {name: feature.type for name, feature in contract.features.items()} == {
        "size": "number",
        "colour": "category",
    }
    assert list(contract.features["colour"].values or ()) == ["blue", "green", "red"]
    assert contract.problem.positive == "yes"
    assert (result.refused, result.info and result.info.rows.rejected) == ("", 0)
    assert "format = 1" in (folder / "problem.toml").read_text()
    assert "| licence | TODO |" in (folder / "DATA.md").read_text()


def test_the_next_command_is_said_and_the_reason_of_each_decision(
    make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = drawn()
    del columns["label"]
    columns["outcome"] = drawn()["label"]
    folder = make(table(columns), target=None)
    said = capsys.readouterr()
    assert f"andamio check {folder}" in said.out.replace("\n", " ")
    assert "The target is 'outcome': it has the name of a target" in said.err.replace("\n", " ")
    assert "The target, because it has the name of a target." in text_of(folder)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_dialects_and_encodings_are_read_as_etl_reads_them(make: Any, delimiter: str, encoding: str) -> None:
    columns = drawn()
    columns = {"größe": [str(x).replace(".", ",") for x in columns["size"]], "label": columns["label"]}
    folder = make(table(columns, delimiter).encode(encoding))
    contract, result = Contract.load(folder), rehearsed(folder)
    assert (contract.features["größe"].type, contract.data.decimal) == ("number", ",")
    assert (result.refused, result.info and result.info.rows.valid) == ("", ROWS)


def test_marks_between_thousands_are_found(make: Any) -> None:
    columns = drawn()
    folder = make(table({"pay": [f'"{1000 + x * 100:,.0f}"' for x in columns["size"]], "label": columns["label"]}))
    assert Contract.load(folder).data.thousands == ","
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]


def test_a_point_before_three_digits_alone_is_said_to_stand_before_decimals(make: Any) -> None:
    columns = drawn()
    folder = make(table({"x": [f"{x / 10 + 1:.3f}" for x in columns["size"]], "label": columns["label"]}, ";"))
    assert Contract.load(folder).data.decimal == "."
    assert rehearsed(folder).refused == ""


@pytest.mark.parametrize("marker", ["?", "NA", "NULL", "-", "unknown", "#N/A"])
def test_a_text_between_numbers_means_no_value(make: Any, marker: str) -> None:
    columns = drawn()
    columns["size"][3:9] = [marker] * 6
    folder = make(table(columns))
    contract = Contract.load(folder)
    assert contract.data.missing == ("", marker)
    assert contract.features["size"].required is False
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]
    assert f'6 of {ROWS} rows have no value ("{marker}" counts as none)' in text_of(folder)


def test_a_number_far_from_all_others_means_no_value(make: Any) -> None:
    columns = drawn()
    columns["size"][3:9] = [-999] * 6
    contract = Contract.load(make(table(columns)))
    assert contract.data.missing == ("", "-999")
    assert contract.features["size"].min is not None
    assert contract.features["size"].min >= 0


def test_where_another_column_has_that_number_as_a_value_it_counts_in_one_alone(make: Any) -> None:
    columns = drawn()
    columns["size"][3:9] = [-999] * 6
    columns["depth"] = [-999 + 7 * place for place in range(ROWS)]
    contract = Contract.load(make(table(columns)))
    assert contract.data.missing == ("",)
    assert contract.features["size"].on_invalid == "missing"
    assert contract.features["size"].required is False


def test_na_among_codes_of_two_letters_is_a_country(make: Any) -> None:
    columns = drawn()
    columns["country"] = [["DE", "ES", "NA", "FR", "IT", "PT"][place % 6] for place in range(ROWS)]
    folder = make(table(columns))
    contract = Contract.load(folder)
    assert "NA" in (contract.features["country"].values or ())
    assert contract.data.missing == ("",)


def test_zeros_far_below_all_else_are_pointed_out(make: Any) -> None:
    columns = drawn()
    columns["pressure"] = [0 if place % 9 == 0 else 60 + place for place in range(ROWS)]
    assert "If 0 means that it was not measured: min = 61" in text_of(make(table(columns)))


@pytest.mark.parametrize(
    ("form", "read"), [("%d/%m/%Y", "%d/%m/%Y"), ("%m/%d/%Y", "%m/%d/%Y"), ("%d.%m.%Y", "%d.%m.%Y"), ("%Y-%m-%d", None)]
)
def test_dates_are_read_in_the_format_that_fits_all_of_them(make: Any, form: str, read: str | None) -> None:
    columns = drawn()
    columns["born"] = [(date(1980, 1, 1) + timedelta(days=37 * place)).strftime(form) for place in range(ROWS)]
    folder = make(table(columns))
    born = Contract.load(folder).features["born"]
    assert (born.type, born.format) == ("date", read)
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]


def test_dates_that_could_be_either_are_said_to_be_so(make: Any) -> None:
    columns = drawn()
    columns["born"] = [f"{1 + place % 9:02}/{1 + place % 7:02}/1990" for place in range(ROWS)]
    assert "can be read as %m/%d/%Y as well" in text_of(make(table(columns)))


def test_years_of_two_digits_are_left_out_with_the_reason(make: Any) -> None:
    columns = drawn()
    columns["born"] = [f"{1 + place % 28}/{1 + place % 12}/{50 + place % 40}" for place in range(ROWS)]
    folder = make(table(columns))
    assert "born" not in Contract.load(folder).features
    assert "years of two digits" in text_of(folder)


def test_columns_that_teach_nothing_are_left_out_and_the_reason_is_said(make: Any) -> None:
    columns = {
        "Unnamed: 0": list(range(ROWS)),
        "always": ["x"] * ROWS,
        "never": [""] * ROWS,
        "note": [f"free text number {place * 7919 % 997}" for place in range(ROWS)],
        "price": [f'"${place * 13 + 900:,}.00"' for place in range(ROWS)],
        **drawn(),
    }
    folder = make(table(columns))
    assert list(Contract.load(folder).features) == ["size", "colour"]
    text = text_of(folder)
    for why in ("counts the rows", "same value", "no row has a value", "too many for a category", "signs around them"):
        assert why in text, why


def test_a_commented_out_table_is_valid_toml_once_its_marks_are_taken_away(make: Any) -> None:
    columns = {'a "b".c': ["x"] * ROWS, **drawn()}
    lines = (make(table(columns).replace('a "b".c', '"a ""b"".c"')) / "problem.toml").read_text().splitlines()
    (header,) = [line.removeprefix("# ") for line in lines if line.startswith("# [features.")]
    assert tomllib.loads(header) == {"features": {'a "b".c': {}}}


def test_identifiers_groups_and_times_get_their_roles(make: Any) -> None:
    rng = random.Random(3)
    columns = {
        "visit_id": [f"V{n}" for n in rng.sample(range(1000, 9000), ROWS)],
        "patient_id": [f"P{place // 3}" for place in range(ROWS)],
        "visited_at": [(date(2024, 1, 1) + timedelta(days=place)).isoformat() for place in range(ROWS)],
        **drawn(),
    }
    problem = Contract.load(make(table(columns))).problem
    assert (problem.id, problem.group, problem.time) == ("visit_id", "patient_id", "visited_at")


def test_a_counter_of_rows_is_proposed_as_the_id_and_not_made_one(make: Any) -> None:
    folder = make(table({"passenger_id": [*range(1, ROWS + 1)], **drawn()}))
    assert Contract.load(folder).problem.id is None
    assert '# id = "passenger_id"' in (folder / "problem.toml").read_text()


def test_roles_that_a_person_names_are_taken(make: Any) -> None:
    columns = {"house": [place // 4 for place in range(ROWS)], **drawn()}
    assert Contract.load(make(table(columns), group="house")).problem.group == "house"


def test_a_copy_of_the_target_is_marked_as_known_only_afterwards(make: Any) -> None:
    columns = drawn()
    columns["decision"] = ["granted" if label == "yes" else "refused" for label in columns["label"]]
    folder = make(table(columns))
    contract = Contract.load(folder)
    assert list(contract.inputs) == ["size", "colour"]
    assert "'decision' copies the label" in text_of(folder)


def test_a_name_that_sounds_of_afterwards_is_pointed_out(make: Any) -> None:
    columns = drawn()
    columns["discharge_ward"] = ["north", "south"] * (ROWS // 2)
    assert "By its name it may be known only after" in text_of(make(table(columns)))


def test_a_number_of_many_values_is_predicted_as_a_number(make: Any) -> None:
    columns = drawn()
    del columns["label"]
    folder = make(table({"price_eur": columns.pop("size"), **columns}), target="price_eur")
    contract, problem = Contract.load(folder), Contract.load(folder).problem
    assert (problem.task, problem.unit, problem.scale) == ("regression", "EUR", None)
    assert problem.target_min == 0
    assert problem.target_max is not None
    assert problem.target_max > 60
    assert rehearse(contract, {"data.csv": (folder / "data.csv").read_bytes()}).refused == ""


def test_skewed_numbers_are_predicted_on_a_log_scale(make: Any) -> None:
    columns = drawn()
    columns["label"] = [round(2.0 ** (place % 17), 1) + place / 100 for place in range(ROWS)]
    problem = Contract.load(make(table(columns))).problem
    assert problem.scale == "log"
    assert problem.target_min is not None
    assert 0 < problem.target_min < 1


def test_the_task_can_be_said(make: Any, tmp_path: Path) -> None:
    columns = drawn() | {"label": [place % 9 for place in range(ROWS)]}
    assert Contract.load(make(table(columns), task="regression")).problem.task == "regression"
    shutil.rmtree(tmp_path / "made")
    assert Contract.load(make(table(columns))).problem.task == "classification"
    with pytest.raises(UsageError, match="expected classification or regression"):
        make(table(columns), task="ranking", folder=tmp_path / "other")
    with pytest.raises(InputFileError, match="is no number in 80 rows"):
        make(table(drawn()), task="regression", folder=tmp_path / "other")


def test_classes_of_few_rows_are_merged(make: Any) -> None:
    columns = drawn()
    columns["label"] = ["c", "d"] * 4 + ["e"] * 8 + ["a"] * 36 + ["b"] * 28
    folder = make(table(columns))
    contract, result = Contract.load(folder), rehearsed(folder)
    assert contract.classes == ("a", "b", "other classes")
    assert (result.refused, result.info and result.info.rows.valid) == ("", ROWS)


def test_two_classes_that_are_left_by_merging_have_a_positive_one_that_is_said(make: Any) -> None:
    data = drawn()
    data["label"] = ["common"] * (ROWS - 16) + [f"rare {row}" for row in range(16)]
    folder = make(table(data))
    assert Contract.load(folder).problem.positive == "other classes"
    text = " ".join(text_of(folder).replace("#", "").split())
    assert "The positive class is 'other classes', the rarer one" in text
    assert "Rows by value: common: 64, " in text
    assert "12 values more" in text


@pytest.mark.parametrize(
    ("counts", "said", "positive", "why"),
    [
        ({"yes": 44, "no": 33, "maybe": 3}, None, "yes", "by its name"),
        ({"left": 44, "right": 33, "maybe": 3}, None, "right", "the rarer one"),
        ({"yes": 44, "no": 33, "maybe": 3}, "no", "no", None),
        ({"yes": 40, "no": 20, **{f"rare {row}": 2 for row in range(10)}}, None, None, None),
    ],
)
def test_the_positive_class_of_two_that_are_left_is_found_as_that_of_two_values(
    make: Any, counts: dict[str, int], said: str | None, positive: str | None, why: str | None
) -> None:
    data = drawn()
    data["label"] = [text for text, rows in counts.items() for _ in range(rows)]
    folder = make(table(data), positive=said)
    contract = Contract.load(folder)
    assert contract.problem.positive == positive
    assert not positive or (contract.classes[-1] == positive and len(contract.classes) == 2)
    found = f"Two classes are left. The positive class is '{positive}', {why}:"
    assert (found in " ".join(text_of(folder).replace("#", "").split())) == (why is not None)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"yes": 44, "no": 33, "maybe": 3}, "'label' is left with the classes no and yes"),
        ({"yes": 40, "no": 20, "maybe": 20}, "is for two classes, and 'label' has 3"),
    ],
)
def test_a_positive_class_that_is_none_is_refused(make: Any, counts: dict[str, int], said: str) -> None:
    data = drawn()
    data["label"] = [text for text, rows in counts.items() for _ in range(rows)]
    with pytest.raises(UsageError, match=said):
        make(table(data), positive="maybe")


def test_numbers_of_few_rows_are_merged_with_their_neighbours(make: Any) -> None:
    columns = drawn()
    columns["label"] = [3] * 5 + [4] * 20 + [5] * 30 + [6] * 22 + [7] * 3
    folder = make(table(columns))
    assert Contract.load(folder).classes == ("3 to 4", "5", "6 to 7")
    assert rehearsed(folder).refused == ""


def test_rows_without_a_label_are_left_out_of_the_copy_where_they_are_many(make: Any) -> None:
    columns = drawn()
    columns["label"][:30] = [""] * 30
    columns["colour"][40] = '"red, or ""so"""'
    folder = make("\ufeff" + table(columns))
    contract, result = Contract.load(folder), rehearsed(folder)
    assert contract.data.files == ("data-labelled.csv",)
    assert (result.refused, result.info and result.info.rows.read) == ("", ROWS - 30)


def test_the_copy_of_a_parquet_file_has_all_of_its_columns(tmp_path: Path) -> None:
    columns = drawn()
    columns["label"][:30] = [None] * 30
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    folder = new("made", [tmp_path / "data.parquet"], Options(target="label", folder=tmp_path / "made"))
    result = rehearsed(folder)
    assert (result.refused, result.info and result.info.rows.valid) == ("", ROWS - 30)


def test_codes_with_decimal_commas_are_listed_as_etl_compares_them(make: Any) -> None:
    columns = drawn()
    rows = {
        "size": [str(x).replace(".", ",") for x in columns["size"]],
        "flag": ["1,0" if place % 3 else "0,0" for place in range(ROWS)],
        "kind_id": [f"{place % 4 + 10},0" for place in range(ROWS)],
        "label": ["1,0" if label == "yes" else "0,0" for label in columns["label"]],
    }
    folder = make(table(rows, ";"))
    contract, result = Contract.load(folder), rehearsed(folder)
    assert list(contract.features["kind_id"].values or ()) == ["10", "11", "12", "13"]
    assert (contract.classes, contract.problem.positive) == (("0", "1"), "1")
    assert (result.refused, result.info and result.info.rows.rejected) == ("", 0)


def test_one_number_among_a_few_texts_is_a_category(make: Any) -> None:
    columns = drawn() | {"fee": ["waived" if row in (3, 40) else "0" for row in range(ROWS)]}
    fee = Contract.load(make(table(columns))).features["fee"]
    assert (fee.type, set(fee.values or {})) == ("category", {"0", "waived"})


def test_a_column_that_spells_one_number_in_two_ways_is_left_out(make: Any) -> None:
    columns = drawn() | {"fee": ["+5" if row % 9 == 0 else "5" for row in range(ROWS)]}
    assert "fee" not in Contract.load(make(table(columns))).features


def test_one_number_among_a_few_texts_is_no_target_of_a_regression(make: Any) -> None:
    columns = drawn() | {"fee": ["waived" if row in (3, 40) else "0" for row in range(ROWS)]}
    with pytest.raises(InputFileError, match="has one number, 0, and otherwise text such as 'waived'"):
        make(table(columns), "fee", task="regression")


def test_numbers_that_float32_merges_are_left_out(make: Any) -> None:
    columns = drawn()
    columns["stamp"] = [1_700_000_000 + (7 * place) % 400 for place in range(ROWS)]
    folder = make(table(columns))
    assert "stamp" not in Contract.load(folder).features
    assert "models compute in float32" in text_of(folder)


def test_whole_numbers_that_differ_in_each_row_and_have_many_digits_are_left_out(make: Any) -> None:
    columns = drawn()
    columns["parcel"] = [526_301_100 + 24 * ((7 * place) % ROWS) for place in range(ROWS)]
    columns["revenue"] = [526_301_100 + 24 * ((7 * place) % (ROWS // 2)) for place in range(ROWS)]
    folder = make(table(columns))
    features = Contract.load(folder).features
    assert "parcel" not in features
    assert "revenue" in features
    assert "as an identifier has" in text_of(folder)


def test_json_lines_and_parquet_are_read(make: Any, tmp_path: Path) -> None:
    columns = drawn()
    columns["tags"] = [["a"]] * ROWS
    columns["quoted"] = [str(place % 12) for place in range(ROWS)]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    folder = make(lines, name="data.jsonl")
    assert list(Contract.load(folder).features) == ["size", "colour", "quoted"]
    assert Contract.load(folder).features["quoted"].type == "category"
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]
    file = tmp_path / "data.parquet"
    pq.write_table(
        pa.Table.from_pylist([{**row, "on": date(2024, 1, 1 + place % 28)} for place, row in enumerate(rows)]), file
    )
    folder = new("made", [file], Options(target="label", folder=tmp_path / "parquet"))
    assert Contract.load(folder).problem.time == "on"
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]


def test_types_of_parquet_are_told_by_its_schema(tmp_path: Path) -> None:
    columns = drawn()
    price = [Decimal(round(size * 100 + row)) / 100 for row, size in enumerate(columns["size"])]
    types = {
        "price": pa.array(price, pa.decimal128(9, 2)),
        "quoted": pa.array(list(map(str, price))),
        "opens": pa.array([time(row % 24) for row in range(ROWS)]),
        "lasts": pa.array([timedelta(minutes=row) for row in range(ROWS)]),
    }
    pq.write_table(pa.table(columns | types), tmp_path / "data.parquet")
    folder = new("made", [tmp_path / "data.parquet"], Options(target="label", folder=tmp_path / "made"))
    features = Contract.load(folder).features
    assert features["price"].type == "number"
    assert not {"quoted", "opens", "lasts"} & set(features)
    text = text_of(folder)
    assert text.count("The file has its numbers in quotes") == 1
    assert "of the type time64[us], which is not read" in text
    assert "of the type duration[us], which is not read" in text
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]


def test_a_sheet_of_a_workbook_becomes_a_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Cover"
    sheet = book.create_sheet("Data")
    columns = drawn() | {"on": [date(2024, 1, 1 + place % 28) for place in range(ROWS)]}
    sheet.append(list(columns))
    for row in zip(*columns.values(), strict=True):
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    folder = new("made", [tmp_path / "book.xlsx"], Options(target="label", folder=tmp_path / "made"))
    assert Contract.load(folder).data.files == ("book.csv",)
    assert rehearsed(folder).info.rows.valid == ROWS  # type: ignore[union-attr]
    assert "The sheet 'Data' of book.xlsx was written as book.csv" in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(InputFileError, match="no sheet 'Other': it has Cover, Data"):
        new("made", [tmp_path / "book.xlsx"], Options(target="label", sheet="Other", folder=tmp_path / "other"))


def test_rows_of_several_files_are_joined(tmp_path: Path) -> None:
    columns = drawn()
    (tmp_path / "a.csv").write_text(table(columns))
    (tmp_path / "b.csv").write_text(table({"size": columns["size"], "label": columns["label"]}))
    folder = new("made", [tmp_path / "a.csv", tmp_path / "b.csv"], Options(target="label", folder=tmp_path / "made"))
    assert Contract.load(folder).features["colour"].required is False
    assert rehearsed(folder).info.rows.valid == 2 * ROWS  # type: ignore[union-attr]


def marked(mark: str, *, without: int = 0) -> str:
    """The drawn table with a column that says which file a row is of, and rows without a label besides."""
    columns = drawn()
    extra = {name: [*values, *([""] * without)] for name, values in columns.items()}
    return table({"mark": [mark if row % 2 else "x" for row in range(ROWS + without)], **extra})


def marks_in(folder: Path) -> set[str]:
    texts = [(folder / name).read_text() for name in Contract.load(folder).data.files]
    return {line.split(",")[0] for text in texts for line in text.splitlines()[1:]}


@pytest.mark.parametrize("names", [("data.2023.csv", "data.2024.csv"), ("data.csv", "data.tsv")])
def test_copies_of_two_files_never_get_one_name(tmp_path: Path, names: tuple[str, str]) -> None:
    files = [tmp_path / name for name in names]
    files[0].write_text(marked("a", without=60))
    files[1].write_text(marked("b", without=60))
    folder = new("made", files, Options(target="label", folder=tmp_path / "made"))
    assert marks_in(folder) == {"a", "b", "x"}


def test_a_sheet_never_gets_the_name_of_another_file(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in marked("a").splitlines():
        book.active.append(line.split(","))
    book.save(tmp_path / "d.xlsx")
    (tmp_path / "d.csv").write_text(marked("b"))
    files = [tmp_path / "d.xlsx", tmp_path / "d.csv"]
    folder = new("made", files, Options(target="label", folder=tmp_path / "made"))
    assert set(Contract.load(folder).data.files) == {"d.csv", "d-2.csv"}
    assert marks_in(folder) == {"a", "b", "x"}


def test_titles_above_the_header_and_columns_without_a_name_do_no_harm(make: Any) -> None:
    body = "A report of the year,,,\n,,,\n" + table({"": list("ab") * (ROWS // 2), **drawn()})
    folder = make(body)
    assert list(Contract.load(folder).features) == ["size", "colour"]
    assert rehearsed(folder).info.rows.rejected == 0  # type: ignore[union-attr]


def test_a_folder_is_there_whole_or_not_at_all(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        make(table(drawn()))
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_a_folder_that_exists_is_never_touched(make: Any, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with pytest.raises(UsageError, match="exists, and is not overwritten"):
        make(table(drawn()))
    assert not list((tmp_path / "made").iterdir())


@pytest.mark.parametrize(
    ("body", "options", "said"),
    [
        (table(drawn()), {"target": "lable"}, "There is no column 'lable'; did you mean 'label'"),
        (table({"label": ["a", "b"]}), {}, "has one column"),
        ("size,label\n", {}, "has columns and no rows"),
        (table({"x": [1, 2, 3], "label": ["a", "a", "a"]}), {}, "has 1 value in 3 rows"),
        (table({"x": [1] * 101, "label": [f"t{n}" for n in range(101)]}), {}, "101 different values"),
        (table(drawn()), {"positive": "maybe"}, "has the values no and yes"),
        (b"PK\x03\x04 not a csv", {}, "a zip archive or an Excel workbook"),
    ],
)
def test_what_cannot_be_a_problem_is_refused_and_nothing_is_written(
    make: Any, tmp_path: Path, body: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises((UsageError, InputFileError), match=said):
        make(body, **options)
    assert not (tmp_path / "made").exists()


def test_on_a_terminal_three_questions_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"patient_id": [f"P{place // 3}" for place in range(ROWS)], **drawn()}
    (tmp_path / "data.csv").write_text(table(columns))
    questions: list[str] = []
    replies = iter(["label", "no", False, "a colleague", ""])

    def reply(question: str, *_: Any, **__: Any) -> Any:
        questions.append(question)
        return next(replies)

    monkeypatch.setattr("typer.prompt", reply)
    monkeypatch.setattr("typer.confirm", reply)
    folder = new("made", [tmp_path / "data.csv"], Options(folder=tmp_path / "made", ask=True))
    contract = Contract.load(folder)
    assert [question.split()[0] for question in questions] == ["Which", "Which", "Is", "Where", "Under"]
    assert (contract.problem.positive, contract.problem.group) == ("no", None)
    assert "patient_id" not in contract.features
    assert "| source | a colleague |" in (folder / "DATA.md").read_text()


def test_every_column_is_offered_where_no_target_can_be_guessed(make: Any) -> None:
    columns = {f"measure {place}": [place * 100 + row for row in range(ROWS)] for place in range(20)}
    with pytest.raises(UsageError, match=r"measure 18, measure 19\. Say --target COLUMN\.$"):
        make(table(columns), target=None)


def test_of_thousands_of_columns_some_are_named(make: Any) -> None:
    columns = {f"measure {place}": [place * 100 + row for row in range(ROWS)] for place in range(1100)}
    with pytest.raises(UsageError, match=r"measure 59 and 1,040 more\. Say --target COLUMN\.$"):
        make(table(columns), target=None)


def test_a_code_of_two_numbers_is_explained_with_its_own_values(make: Any) -> None:
    folder = make(table({**drawn(), "kind": [3 + row % 2 for row in range(ROWS)]}))
    assert '{ 3 = "...", 4 = "..." }' in text_of(folder)


def test_columns_with_a_role_are_said_to_be_no_features(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    days = [date(2025, 1, 1) + timedelta(days=row) for row in range(ROWS)]
    make(table({"date": days, **drawn()}))
    assert "date (orders rows; no feature)" in " ".join(capsys.readouterr().err.split())


def test_what_says_who_a_person_is_is_private(make: Any) -> None:
    columns = {"first_name": ["Ana", "Bo", "Cy", "Di"] * (ROWS // 4), **drawn()}
    assert Contract.load(make(table(columns))).private == ("first_name",)


def test_an_id_that_a_few_rows_share_groups_them_and_one_of_a_kind_is_a_category(make: Any) -> None:
    columns = {
        "ID": [1000 + 17 * (place // 2) for place in range(ROWS)],
        "model_id": [place % 9 + 100 for place in range(ROWS)],
        **drawn(),
    }
    contract = Contract.load(make(table(columns)))
    assert contract.problem.group == "ID"
    assert contract.features["model_id"].type == "category"


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip).filter(bool)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(name=NAMES, values=st.lists(VALUES, min_size=2, max_size=4, unique=True))
def test_any_name_and_any_value_make_a_contract_that_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, values: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    sizes = drawn()["size"]
    rows = [{name: values[place % len(values)], "x1": sizes[place], "x2": sizes[-place]} for place in range(ROWS)]
    if name in ("x1", "x2"):
        return
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        made = new("made", [folder / "data.jsonl"], Options(target=name, folder=folder / "made"))
    except InputFileError:
        assert len({canonical(value) for value in values} - SURE - {""}) < 2
        return
    contract = Contract.load(made)
    assert set(contract.features) == {"x1", "x2"}
