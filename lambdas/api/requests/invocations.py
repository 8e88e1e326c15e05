"""MLflow's scoring protocol: what /invocations takes, so that clients of MLflow and SageMaker work unchanged.

    {"dataframe_split": {"columns": [...], "data": [[...], ...]}}    what mlflow sends for a DataFrame
    {"dataframe_records": [{...}, ...]}
    {"instances": [{...}, ...]}                                      TensorFlow Serving's row form
    {"inputs": {"age": [...], ...}} or {"inputs": [{...}, ...]}      its column form, or rows
    text/csv with a header

All of them hold raw features, named as in the contract: a model that is fed by position would answer
wrongly, and say nothing, once a column moves. `params` are refused: the model takes none. NaN, which is no JSON, is
what MLflow's client writes for a missing number: here it is null, and nowhere else in the API.
"""

from __future__ import annotations

from collections.abc import Collection

from andamio.contract import Contract
from andamio.errors import InvalidRecord, Violation
from andamio.tabular.csv.request_body import CsvText, read_csv_text
from andamio.tabular.refused import RefusedFile
from lambdas.api.requests.records import check_count, invalid, kind_of, refuse_others

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

_WHICH = f"Expected an object with one of {', '.join(FORMS)}."


def records_of(payload: object, features: Collection[str]) -> list[object]:
    """The records of a JSON body; raises `RequestError` (422) that names the key that is wrong.

    `features` are the names that a record may have: a body that is a record is told so.
    """
    if not isinstance(payload, dict):
        raise invalid(_WHICH + (_around(payload) if isinstance(payload, list) else kind_of(payload)))
    if payload.get("params") not in (None, {}):
        raise invalid("Expected no params: this model takes none.", ("params", "expected none"))
    forms = [form for form in FORMS if form in payload]
    if len(forms) != 1:
        raise invalid(_WHICH + _slip(payload, forms, features))
    form = forms[0]
    refuse_others(payload, (form, "params"))
    value = payload[form]
    if form == "dataframe_split":
        return _split(value)
    if form == "inputs" and isinstance(value, dict):
        return _columns(value)
    return _rows(form, value)


def _slip(payload: dict[str, object], forms: list[str], features: Collection[str]) -> str:
    """What a body without exactly one form seems to be, and how to write it."""
    if forms:
        return f" Got {' and '.join(forms)}."
    if "columns" in payload or "data" in payload:
        return ' Columns and data belong into one: {"dataframe_split": {"columns": [...], "data": [...]}}.'
    if "features" in payload:
        return " The body is one of POST predict."
    if "records" in payload:
        return " The body is one of POST predict/batch."
    if any(name in features for name in payload):
        return ' The body is a record: write {"instances": [{...}]} around it.'
    return ""


def _around(payload: list[object]) -> str:
    """How to write a list that was sent in place of an object."""
    if payload and all(isinstance(record, dict) for record in payload):
        return ' Got a list of records: write {"dataframe_records": [...]} around it, or {"inputs": [...]}.'
    return (
        ' Got a list. Values are never given by position: write {"dataframe_split": {"columns": [names], '
        '"data": [[values], ...]}}.'
    )


def _rows(form: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise invalid(f"Expected {form} to be a list of records.", (form, "expected a list of objects"))
    check_count(len(value), form)
    return value


def _split(value: object) -> list[object]:
    shape = 'Expected dataframe_split: {"columns": [names], "data": [[values], ...], "index": optional}.'
    if not isinstance(value, dict):
        raise invalid(shape, ("dataframe_split", "expected an object"))
    columns, data = value.get("columns"), value.get("data")
    if not isinstance(columns, list) or any(not isinstance(name, str) for name in columns):
        raise invalid(shape, ("columns", "expected a list of feature names"))
    if not isinstance(data, list):
        raise invalid(shape, ("data", "expected a list of rows"))
    index = value.get("index")
    if not isinstance(index, list | None) or any(isinstance(entry, list | dict) for entry in index or []):
        raise invalid(shape, ("index", "expected a list of numbers or texts, null, or nothing"))
    refuse_others(value, ("columns", "data", "index"))
    _refuse_twice(columns, "columns")
    check_count(len(data), "data")
    _refuse_ragged([len(cells) if isinstance(cells, list) else -1 for cells in data], len(columns))
    return [dict(zip(columns, cells, strict=True)) for cells in data]


def _columns(value: dict[str, object]) -> list[object]:
    lists = {name: cells for name, cells in value.items() if isinstance(cells, list)}
    if not lists:  # one record, its values not in lists
        return [value]
    lengths = {len(cells) for cells in lists.values()}
    if len(lists) != len(value) or len(lengths) != 1:
        raise invalid(
            "Expected inputs to hold a list of values for each feature, all of one length.",
            ("inputs", "expected lists of one length"),
        )
    check_count(lengths.pop(), "inputs")
    return [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]


def rows_of_csv(text: str, contract: Contract, features: Collection[str]) -> CsvText:
    """The rows of a CSV body, read as a file is; raises `RequestError` or `InvalidRecord` (422).

    `features` are the names that a record may have; the header has at least one of them.
    """
    try:
        found = read_csv_text(text, contract)
    except RefusedFile as error:
        raise invalid(f"The body {str(error).removesuffix('.')}.") from None
    _check_header(found.columns, features)
    if not found.lines and not found.broken:
        raise invalid("Expected CSV with a header and a line for each record.")
    check_count(len(found.lines) + len(found.broken), "lines")
    if found.broken:
        lines = sorted([*found.lines, *(row.line for row in found.broken)])
        raise InvalidRecord(
            [Violation(lines.index(row.line), "", row.reason, "unreadable-row") for row in found.broken]
        )
    return found


def _refuse_twice(names: list[str], field: str) -> None:
    if len(set(names)) != len(names):
        raise invalid(f"Expected each name once in {field}.", (field, "a name stands twice"))


def _refuse_ragged(lengths: list[int], width: int) -> None:
    reason = f"expected a list of {width} values, one for each column"
    ragged = [Violation(row, "", reason, "unreadable-row") for row, length in enumerate(lengths) if length != width]
    if ragged:
        raise InvalidRecord(ragged)


def _check_header(header: Collection[str], features: Collection[str]) -> None:
    """Refuse a CSV body whose first line names no feature; raises `RequestError` (422), which repeats no cell of it.

    A first line without a name may hold the values of a person.
    """
    if any(name in features for name in header):
        return
    folded = {name.casefold() for name in features}
    if not any(name.casefold() in folded for name in header):
        raise invalid(
            "Expected a header with the names of features as GET schema lists them: the first line has none of them. "
            "Values are never given by position.",
            ("header", "expected names of features"),
        )
