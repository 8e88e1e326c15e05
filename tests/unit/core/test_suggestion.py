"""Did you mean: the known name that someone had in mind."""

from __future__ import annotations

import pytest

from andamio.suggestion import did_you_mean, nearest

COLUMNS = ["age", "chest_pain", "blood_pressure"]


@pytest.mark.parametrize("written", ["Chest Pain", " CHEST_PAIN ", "chestpain", "chest_pian"])
def test_case_spaces_and_a_slip_lead_to_the_known_name(written: str) -> None:
    assert nearest(written, COLUMNS) == "chest_pain"


def test_what_is_like_none_gets_no_suggestion() -> None:
    assert nearest("cholesterol", COLUMNS) is None
    assert did_you_mean("cholesterol", COLUMNS, "; known are age") == "; known are age"


def test_of_two_names_that_differ_in_case_alone_the_first_is_suggested() -> None:
    assert nearest("AGe", ["Age", "AGE"]) == "Age"


def test_a_name_of_a_megabyte_is_compared_by_its_beginning() -> None:
    assert nearest("x" * 2**20, ["x" * 60]) == "x" * 60


def test_a_message_ends_in_a_question() -> None:
    assert did_you_mean("agee", COLUMNS) == "; did you mean 'age'?"
