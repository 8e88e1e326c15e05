"""What a cell must be: every value that breaks the contract is named, and nothing that is sent can break the reader."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.contract.canonical import _INTEGER, _NUMBER, WrittenNumber, canonical, canonical_number
from andamio.errors import InvalidRecord
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.records.table import Table

from .making import contract, contracts, one

NUMBER = 'type = "number"'
INTEGER = 'type = "integer"'


def reasons(read: Contract, *values: object, text: bool = False) -> list[str]:
    """What is wrong with each value of `x`, "" where nothing is."""
    found = parse(read, {"x": list(values)}, len(values), text=text)
    said = [""] * len(values)
    for problem in found.violations:
        assert problem.field == "x"
        assert said[problem.row] == "", "one reason a cell"
        said[problem.row] = problem.reason
    assert found.bad.tolist() == [bool(reason) for reason in said]
    return said


def alone(read: Contract, value: object) -> str:
    """The same for one record, as a client sends it."""
    try:
        parse_records(read, [{"x": value}])
    except InvalidRecord as error:
        return error.violations[0].reason
    return ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12", 12),
        (" 12\t", 12),
        ("+5", 5),
        ("-5", -5),
        ("1e5", 100_000),
        ("1E-2", 0.01),
        (".5", 0.5),
        ("5.", 5),
        ("-0.0", 0),
        ("١٢", 12),  # digits of another script are digits
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, meant: float) -> None:
    read = one(NUMBER)
    assert parse(read, {"x": [written]}, 1, text=True).columns["x"].tolist() == [meant]
    assert parse(read, {"x": [written, "?"]}, 2, text=True).columns["x"][0] == meant


@pytest.mark.parametrize(
    "written",
    ["1,000", "0x10", "1_000", "nan", "NaN", "1 000", "12 kg", "12%", "1e", "--1", "five", "\u22125", "1\x002", "None"],
)
def test_what_only_looks_like_a_number_is_refused(written: str) -> None:
    read = one(NUMBER)
    for cells in ([written], ["3", written, "4"], [written, written]):
        table = parse(read, {"x": cells}, len(cells), text=True)
        assert {problem.reason[:17] for problem in table.violations} == {"expected a number"}
        assert np.isnan(table.columns["x"]).sum() == len(table.violations) == cells.count(written)


def test_a_decimal_comma_is_read_where_the_file_has_one_and_never_guessed() -> None:
    read = one(NUMBER)
    table = parse(read, {"x": ["1,5", "2", "1.000", "1.000,5", "1,000,5"]}, 5, text=True, decimal=",")
    assert table.columns["x"][:2].tolist() == [1.5, 2]
    assert [problem.row for problem in table.violations] == [2, 3, 4]  # a thousand is not read as one


@pytest.mark.parametrize("text", [True, False])
def test_what_float32_cannot_hold_is_refused(text: bool) -> None:
    def cells(*numbers: float) -> list[object]:
        return [repr(number) if text else number for number in numbers]

    largest = float(np.finfo(np.float32).max)
    assert reasons(one(NUMBER), *cells(largest, -largest), text=text) == ["", ""]
    for beyond in (np.nextafter(largest, np.inf), 1e39, -1e39, 1e308):
        assert "within 3.4e38" in reasons(one(NUMBER), *cells(1.0, float(beyond)), text=text)[1]
    for read in (one(NUMBER), one(INTEGER), one(NUMBER + "\nmax = 5\nrequired = false\non_invalid = 'missing'")):
        assert reasons(read, *cells(float("inf"), float("-inf")), text=text) == ["must be a finite number"] * 2


def test_an_integer_that_float32_would_round_is_refused_with_a_way_out() -> None:
    read = one(INTEGER)
    assert reasons(read, 2**24, -(2**24)) == ["", ""]
    for value in (2**24 + 1, -(2**24) - 1, 10**15):
        for said in (alone(read, value), *reasons(read, value, value), *reasons(read, str(value), text=True)):
            assert "must be within 16777216 of 0" in said
            assert "make it a category or a date, or subtract an offset" in said
    assert alone(read, 10**400) == "must be a finite number"


def test_json_is_read_strictly() -> None:
    for kind in (NUMBER, INTEGER):
        read = one(kind)
        for value in ("12", True, [1], {"a": 1}, b"1"):
            assert alone(read, value) == "expected a number"
            assert reasons(read, 1, value) == ["", "expected a number"]
    assert alone(one(INTEGER), 2.5) == reasons(one(INTEGER), 2.5, 2)[0] == "must be a whole number"
    assert alone(one(INTEGER), 2.0) == ""
    for value in (2, "maybe", [True], 10**5000):
        assert alone(one('type = "boolean"'), value) == "expected true or false"
    for value in (20260331, "31/03/2026", True, ["2026-03-31"], "0001-01-01T00:00:00+23:00"):
        assert alone(one('type = "date"'), value) == "expected a date such as 2026-03-31 (ISO 8601)"


def test_ranges_are_inclusive_and_said_as_people_wrote_them() -> None:
    read = one(NUMBER + "\nmin = -1\nmax = 1234567.5")
    assert reasons(read, -1, 1234567.5, -1.001, 1234568) == ["", ""] + ["must be between -1 and 1234567.5"] * 2
    assert alone(one(NUMBER + "\nmin = 3"), 2) == "must be at least 3"
    assert alone(one(INTEGER + "\nmax = 3"), 4) == "must be at most 3"


@pytest.mark.parametrize("kind", [NUMBER, INTEGER])
def test_out_of_range_is_counted_and_missing_where_the_contract_says_so(kind: str) -> None:
    read = one(kind + '\nmin = 0\nmax = 100\nrequired = false\non_invalid = "missing"')
    table = parse(read, {"x": [5, -1, 999_999_999, None, 100]}, 5, text=False)
    assert table.violations == []
    assert table.coerced == {"x": 2}
    assert np.isnan(table.columns["x"]).tolist() == [False, True, True, True, False]
    assert np.isnan(encode(read, parse_records(read, [{"x": -1}])).numbers).all()


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "date", 'category"\nvalues = ["a"]\n#'])
def test_what_is_required_must_have_a_value(kind: str) -> None:
    read, optional = one(f'type = "{kind}"'), one(f'type = "{kind}"\nrequired = false')
    for value in (None, float("nan")):
        assert alone(read, value) == "is required and has no value"
        assert alone(optional, value) == ""
    with pytest.raises(InvalidRecord, match="is required and has no value"):
        parse_records(read, [{}])
    assert reasons(read, "", text=True) == ["is required and has no value"]
    assert reasons(optional, "", " ", text=True) == ["", ""]
    assert parse(read, {}, 3, text=True).bad.all()


def test_the_texts_that_mean_no_value_are_the_contracts() -> None:
    head = '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n[data]\nmissing = ["NA", "-999"]\n'
    cells = ["NA", " NA ", "-999", "-999.0", "", "3"]
    for kind in ("number", "integer", "category"):
        read = contract(f'[features.x]\ntype = "{kind}"\nrequired = false', head)
        column = parse(read, {"x": cells}, 6, text=True).columns["x"]
        none = column == "" if kind == "category" else np.isnan(column)
        assert none.tolist() == [True] * 5 + [False]


def test_an_unlisted_category_is_refused_or_other() -> None:
    strict = one('type = "category"\nvalues = ["a", "b"]')
    assert reasons(strict, "a", "c", None, ["a"], {"a": 1}) == [
        "",
        "must be one of a, b",
        "is required and has no value",
        "expected one value, not a list or an object",
        "expected one value, not a list or an object",
    ]
    # What was refused reaches no model, also where a caller goes on without the row's consent.
    assert parse(strict, {"x": ["zzz", "a"]}, 2, text=False).columns["x"].tolist() == ["", "a"]
    assert reasons(one('type = "category"\nvalues = ["a"]\nunknown = "other"'), "c", "a") == ["", ""]


def test_unknown_fields_are_named_with_the_nearest_known_one() -> None:
    read = contract(
        '[features.age]\ntype = "number"\n[features.later]\ntype = "number"\navailable_at_prediction = false\n'
    )
    with pytest.raises(InvalidRecord) as caught:
        parse_records(read, [{"age": 1, "agee": 2}, {"age": 1, "y": "no"}, {"age": 2, "later": 3}, 7])
    assert [(problem.row, problem.field, problem.reason) for problem in caught.value.violations] == [
        (0, "agee", "unknown field; did you mean 'age'?"),
        (1, "y", "is what is predicted: leave it out"),
        (2, "later", "is only known after the event and no part of a request: leave it out"),
        (3, "", "expected an object of feature names and values"),
    ]


def test_the_name_of_an_unknown_field_is_cut_and_always_text() -> None:
    for name in ("n" * 10_000, "\ud800", "a\ud800b"):
        with pytest.raises(InvalidRecord) as caught:
            parse_records(one(NUMBER), [{"x": 1, name: 1}])
        assert len(caught.value.violations[0].field) <= 64
        json.dumps(caught.value.violations[0].field, ensure_ascii=False).encode()


def test_training_reads_labels_ids_groups_and_times() -> None:
    read = contract(
        '[features.x]\ntype = "number"\n[features.after]\ntype = "number"\navailable_at_prediction = false',
        '[problem]\nname = "te"\ntarget = "y"\nid = "i"\ngroup = "g"\ntime = "t"\nlabels = { "0" = "A", "1" = "B" }\n',
    )
    table = parse(
        read,
        {
            "x": ["1", "2", "3", "4"],
            "after": ["9", "junk", "", "8"],
            "y": ["0", "1.0", "2", ""],
            "i": ["007", "8.0", "", "9"],
            "g": ["a", "a", "b", "b"],
            "t": ["2026-01-01T10:00:00Z", "2026-01-02", "soon", ""],
        },
        4,
        text=True,
        training=True,
    )
    assert table.labels is not None
    assert table.time is not None
    assert table.labels.tolist() == [0, 1, -1, -1]
    assert table.columns["i"].tolist() == ["007", "8", "", "9"]
    assert [str(moment) for moment in table.time] == ["2026-01-01T10:00:00", "2026-01-02T00:00:00", "NaT", "NaT"]
    # What is only known afterwards costs no row: nothing of it reaches a model.
    assert {(problem.row, problem.field) for problem in table.violations} == {
        (2, "i"),
        (2, "y"),
        (3, "y"),
        (2, "t"),
        (3, "t"),
    }
    assert table.columns["after"][0] == 9
    taken = table.take(~table.bad)
    assert taken.rows == 2
    assert taken.violations == []


def test_columns_may_be_arrays_of_any_kind() -> None:
    read = contract('[features.n]\ntype = "number"\n[features.d]\ntype = "date"\n[features.c]\ntype = "category"')
    days = np.array(["2026-03-31", "NaT"], dtype="datetime64[ns]")
    table = parse(read, {"n": np.array([1, 2], dtype=np.int32), "d": days, "c": np.array([1.0, np.nan])}, 2, text=False)
    assert table.columns["n"].tolist() == [1, 2]
    assert [str(day) for day in table.columns["d"]] == ["2026-03-31", "NaT"]
    assert table.columns["c"].tolist() == ["1", ""]
    assert [(problem.row, problem.field) for problem in table.violations] == [(1, "d"), (1, "c")]
    mixed: list[Any] = [np.float32(0.5), date(2026, 1, 1), datetime(2026, 1, 1, 5, tzinfo=UTC), np.str_("a")]
    assert reasons(one('type = "date"\nrequired = false'), *mixed)[1:3] == ["", ""]


SECRET = "s3cr3t-9174263"


@given(contracts(), st.sampled_from([SECRET, [SECRET], {SECRET: 1}, 9174263.9174263, -9174263917, SECRET * 99]))
def test_what_is_wrong_is_said_without_repeating_the_value(read: Contract, value: object) -> None:
    for record in (dict.fromkeys(read.inputs, value), value):
        said = []
        try:
            parse_records(read, [record])
        except InvalidRecord as error:
            said = [problem.reason for problem in error.violations]
        assert "9174263" not in "".join(said)
    table = parse(read, {name: [str(value)] for name in read.inputs}, 1, text=True)
    assert "9174263" not in "".join(problem.reason for problem in table.violations)


any_text = st.text() | st.text(st.characters(categories=["Cs", "Nd", "Zs", "Cc"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.sampled_from([-(2**63), 2**53 + 1, 1e308, -0.0, "", "\x00", "1e999", "\ud800", "0" * 5000])
    | st.floats()
    | any_text
    | st.datetimes().map(datetime.isoformat)
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3), max_leaves=6
)


@given(contracts() | contracts(time=True), st.data())
def test_nothing_that_json_can_say_breaks_the_reader(read: Contract, data: st.DataObject) -> None:
    names = st.sampled_from([*read.inputs, "at", "y", "nonsense"]) | any_text
    records = data.draw(st.lists(st.dictionaries(names, anything, max_size=8) | anything, max_size=4))
    try:
        table = parse_records(read, records)
    except InvalidRecord as error:
        said = [problem.field + problem.reason for problem in error.violations]
        json.dumps(said, ensure_ascii=False).encode()  # an API can answer with it
        return
    encoded = encode(read, table)
    assert not np.isinf(encoded.numbers).any()
    for text in encoded.categories.ravel():
        text.encode()


@given(contracts(time=True), st.data())
def test_nothing_that_a_file_can_hold_breaks_the_reader(read: Contract, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 4))
    text = data.draw(st.booleans())
    column = st.lists(any_text if text else anything | st.binary(), min_size=rows, max_size=rows)
    cells = data.draw(st.fixed_dictionaries(dict.fromkeys([*read.features, "y", "at"], column)))
    table = parse(read, cells, rows, text=text, training=True)
    assert isinstance(table, Table)
    assert not np.isinf(encode(read, table).numbers).any()
    good = table.take(~table.bad)
    assert good.labels is not None
    assert (good.labels >= 0).all()


cell_texts = any_text | st.sampled_from(
    [
        "1",
        " 2",
        "-999",
        "-999.0",
        "NA",
        " NA",
        "",
        "nan",
        "inf",
        "1e39",
        "1_0",
        "1,5",
        "1.5",
        "9999",
        "16777217",
        "true",
        "a",
    ]
)


@given(
    kind=st.sampled_from(["integer", "number", "boolean", "category", "date"]),
    bounds=st.sampled_from(["", "min = 0\nmax = 10\n", 'min = 0\nmax = 10\non_invalid = "missing"\n']),
    decimal=st.sampled_from(".,"),
    texts=st.lists(cell_texts, min_size=2, max_size=6),
)
def test_a_cell_is_read_alike_alone_and_among_others(kind: str, bounds: str, decimal: str, texts: list[str]) -> None:
    """Good columns are read whole and single records quickly: neither may read anything else than cell by cell."""
    bounds = bounds if kind in ("integer", "number") else ""
    head = '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n[data]\nmissing = ["NA", "-999"]\n'
    read = contract(f'[features.x]\ntype = "{kind}"\nrequired = false\n{bounds}', head)
    together = parse(read, {"x": texts}, len(texts), text=True, decimal=decimal)
    coerced = 0
    for row, cell in enumerate(texts):
        single = parse(read, {"x": [cell]}, 1, text=True, decimal=decimal)
        assert [problem.reason for problem in single.violations] == [
            problem.reason for problem in together.violations if problem.row == row
        ]
        np.testing.assert_array_equal(single.columns["x"], together.columns["x"][row : row + 1])
        coerced += single.coerced.get("x", 0)
    assert together.coerced.get("x", 0) == coerced


@given(scalars.filter(lambda value: not isinstance(value, int)) | st.integers())
def test_canonical_text_stays_as_it_is(value: object) -> None:
    once = canonical(value)
    assert canonical(once) == once
    assert canonical_number(canonical_number(value)) == canonical_number(value)


def slow_canonical_number(value: object) -> str:
    """`canonical_number` without a short way: split keys are made of it, and must never change."""
    text = canonical(value)
    if text.isalpha() or _INTEGER.fullmatch(text) or not _NUMBER.fullmatch(text):
        return text
    return canonical(float(text))


@given(st.floats() | st.floats().map(np.float64) | st.integers().map(float) | st.floats().map(repr))
@example(-0.0)
@example(1e16)
@example(5e-324)
@example(float("nan"))
@example(WrittenNumber("0.1000000000000000055"))
def test_a_float_has_the_same_text_by_the_short_way(value: object) -> None:
    assert canonical_number(value) == slow_canonical_number(value)


def test_each_distinct_cell_is_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows of text are read whole, not cell by cell."""
    from andamio.records import cells

    asked: list[object] = []
    genuine = cells.canonical
    monkeypatch.setattr(cells, "canonical", lambda value: asked.append(value) or genuine(value))
    read = contract('[features.c]\ntype = "category"\n[features.d]\ntype = "date"\n[features.n]\ntype = "number"')
    rows = 3000
    parse(
        read,
        {"c": ["a", "b", "c"] * 1000, "d": ["2026-01-01"] * rows, "n": [f"{n}" for n in range(rows)]},
        rows,
        text=True,
    )
    assert len(asked) < 20
