"""Whatever is sent, the answer is a prediction or a 4xx that says why: never a 5xx, never the input back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import Api
from tests.support.releases import heart, serve
from tests.unit.api.conftest import LOAN, PATIENT, loans

FUZZ = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
paths = st.sampled_from(["/predict", "/predict/batch", "/invocations", "/explain", "/feedback"])


@pytest.fixture(scope="module")
def heart_api() -> Api:
    api = Api()
    serve(api.objects, heart())
    return api


@pytest.fixture(scope="module")
def loan_api() -> Api:
    api = Api(problem="loans")
    serve(api.objects, loans())
    return api


def check(api: Api, path: str, body: object) -> None:
    answer = api.post(path, body)
    assert 200 <= answer.status < 500, answer.text
    said = answer.json
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(said) <= {"type", "title", "status", "detail", "errors"}
        assert said["status"] == answer.status


@given(path=paths, body=json_values)
@FUZZ
def test_any_json_is_answered_without_a_5xx(heart_api: Api, path: str, body: object) -> None:
    check(heart_api, path, body)


@given(path=paths, body=st.binary(max_size=200))
@FUZZ
def test_any_bytes_are_answered_without_a_5xx(heart_api: Api, path: str, body: bytes) -> None:
    check(heart_api, path, body)


def near(record: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Records that are right but for some fields."""
    wrong = st.dictionaries(st.sampled_from([*record, "asked_at", "other"]), values, max_size=4)
    return wrong.map(lambda changed: record | changed)


numbers = st.sampled_from([0, -1, 2**24 + 1, 2**53 + 1, 10**400, 1e300, -1e300, 1e-320, 3.4e38, 3.5e38, 0.1])
dates = st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat())
odd_texts = st.sampled_from(
    ["", " ", "NaN", "inf", "1e999", "true", "4.0", "\x00", "\u2028", "0001-01-01T00:00:00+14:00", "9999-12-31", "٣"]
)


@given(path=paths, record=near(PATIENT, json_values | numbers | odd_texts))
@FUZZ
def test_a_record_that_is_nearly_right_is_answered_without_a_5xx(
    heart_api: Api, path: str, record: dict[str, Any]
) -> None:
    send(heart_api, path, record)


@given(path=paths, record=near(LOAN, json_values | numbers | odd_texts | dates))
@FUZZ
def test_every_type_of_feature_is_answered_without_a_5xx(loan_api: Api, path: str, record: dict[str, Any]) -> None:
    send(loan_api, path, record)


def send(api: Api, path: str, record: dict[str, Any]) -> None:
    if path in ("/predict", "/explain"):
        check(api, path, {"features": record})
    elif path == "/predict/batch":
        check(api, path, {"records": [{"features": record}, {"features": record, "id": 1}]})
    else:
        check(api, path, {"instances": [record]})
        check(api, path, {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}})
        check(api, path, {"inputs": {name: [value] for name, value in record.items()}})


@given(text=st.text(max_size=80) | st.just(json.dumps(PATIENT)), kind=st.sampled_from(["text/csv", "text/csv; x=1"]))
@FUZZ
def test_any_csv_is_answered_without_a_5xx(heart_api: Api, text: str, kind: str) -> None:
    answer = heart_api.post("/invocations", text, kind)
    assert 200 <= answer.status < 500, answer.text


@given(header=st.lists(st.sampled_from([*PATIENT, "x"]), max_size=4), cells=st.lists(st.text(max_size=8), max_size=8))
@FUZZ
def test_any_cells_of_csv_are_answered_without_a_5xx(heart_api: Api, header: list[str], cells: list[str]) -> None:
    complete = [*header, *(name for name in PATIENT if name not in header)]
    row = [*cells, *map(str, PATIENT.values())][: len(complete)]
    answer = heart_api.post("/invocations", ",".join(complete) + "\n" + ",".join(row) + "\n", "text/csv")
    assert 200 <= answer.status < 500, answer.text


ids = st.text(max_size=60) | st.from_regex(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{12}(-[0-9]{0,20})?", fullmatch=True)


@given(where=st.sampled_from(["/batches/", "/predictions/"]), text=ids)
@FUZZ
def test_any_id_is_answered_without_a_5xx_and_not_repeated(heart_api: Api, where: str, text: str) -> None:
    answer = heart_api.get(where + text)
    assert 400 <= answer.status < 500 or not text.strip("/"), answer.text
    assert len(text) < 8 or text.isascii() or text not in answer.text


@given(body=json_values | st.fixed_dictionaries({"name": json_values | odd_texts | st.text(max_size=200)}))
@FUZZ
def test_any_name_of_a_file_is_answered_without_a_5xx(heart_api: Api, body: Any) -> None:
    check(heart_api, "/batches", body)


@given(query=st.dictionaries(st.sampled_from(["record_id", "limit", "x"]), st.text(max_size=30)))
@FUZZ
def test_any_query_is_answered_without_a_5xx(heart_api: Api, query: dict[str, str]) -> None:
    for path in ("/predictions", "/batches"):
        answer = heart_api.get(path, **query)
        assert 200 <= answer.status < 500, answer.text
