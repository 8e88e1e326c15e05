"""Names of columns that look alike: which are a slip of the pen, and which are other columns."""

from __future__ import annotations

import pytest

from andamio.contract import Contract
from andamio.errors import InvalidRecord
from andamio.records.from_json import parse_records
from andamio.records.names import compare_names, near_name, objection_to, similar_name

TOML = """
[problem]
name = "names"
target = "y"
labels = { a = "A", b = "B" }
id = "visit_id"
time = "visited"
[features.chol]
type = "number"
required = false
[features."Día"]
type = "integer"
required = false
[features.outcome]
type = "category"
available_at_prediction = false
"""
CONTRACT = Contract.from_toml(TOML)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chol", "Chol"),
        ("chol", " chol "),
        ("chol", "chol\nmg/dl"),
        ("chol", "Chol (mg/dl)"),
        ("Día", "dia"),
        ("Día", "Di\u0301a"),
        ("blood pressure", "blood_pressure"),
        ("bloodPressure", "Blood-Pressure"),
        ("weight", "weights"),
        ("weight", "wieght"),
        ("weight", "weigth"),
        ("resting_pressure", "resting_presure"),
    ],
)
def test_case_accents_spaces_a_unit_and_one_letter_are_slips(name: str, other: str) -> None:
    assert near_name(name, ["something", other]) == other
    assert near_name(other, [name]) == name


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chol", "cholesterol"),
        ("age", "ages_at"),
        ("age", "agg"),
        ("weight", "height"),
        ("sensor_a", "sensor_b"),
        ("question1", "question2"),
        ("temp1", "temp"),
        ("city", "市"),
        ("x", ""),
    ],
)
def test_other_words_and_numbers_are_other_columns(name: str, other: str) -> None:
    assert near_name(name, [other]) is None
    assert near_name(other, [name]) is None


def test_what_is_only_similar_is_a_suggestion() -> None:
    assert similar_name("cholesterol", ["note", "cholestrol total"]) == "cholestrol total"
    assert similar_name("chol", ["note"]) is None


def test_an_optional_column_under_another_name_is_an_objection_and_an_absent_one_is_not() -> None:
    found = compare_names(["visit_id", "visited", "Chol", "note", "y", "outcome"], CONTRACT, training=True)
    assert dict(found.near) == {"chol": "Chol"}
    assert found.absent == ("Día",)
    assert objection_to(found, CONTRACT) == (
        "has the column 'Chol' for 'chol' of problem.toml: rename it, or take out what is another column"
    )
    absent = compare_names(["visit_id", "visited", "note", "y", "outcome", "Di\u0301a"], CONTRACT, training=True)
    assert absent.absent == ("chol",)
    assert objection_to(absent, CONTRACT) == ""


def test_a_column_of_the_contract_is_never_taken_for_another() -> None:
    contract = Contract.from_toml(TOML.replace("[features.outcome]", "[features.chole]"))
    assert not compare_names(["chole", "Día"], contract, training=False).near


def test_id_and_time_under_another_name_are_told_also_where_no_label_is_asked_for() -> None:
    found = compare_names(["VisitId", "Visited", "chol", "Label"], CONTRACT, training=False)
    assert dict(found.near) == {"visit_id": "VisitId", "visited": "Visited"}
    assert "y" not in found.absent


def test_a_file_without_any_feature_is_an_objection() -> None:
    found = compare_names(["visit_id", "visited", "note"], CONTRACT, training=False)
    assert found.none
    assert objection_to(found, CONTRACT) == "has no column of the model, which uses 'chol', 'Día'"


def test_a_request_names_a_feature_in_either_unicode_form_and_at_least_one() -> None:
    composed = parse_records(CONTRACT, [{"Día": 3}])
    decomposed = parse_records(CONTRACT, [{"Di\u0301a": 3}])
    assert composed.columns["Día"].tolist() == decomposed.columns["Día"].tolist() == [3.0]
    for record, code in (
        ({}, "no-values"),
        ({"dia": 3}, "unknown-field"),
        ({"Día": 3, "Di\u0301a": 4}, "unknown-field"),
    ):
        with pytest.raises(InvalidRecord) as error:
            parse_records(CONTRACT, [record])
        assert error.value.violations[0].code == code


def test_an_unknown_name_suggests_the_one_that_it_resembles() -> None:
    with pytest.raises(InvalidRecord, match="did you mean 'Día'"):
        parse_records(CONTRACT, [{"dia": 3}])
