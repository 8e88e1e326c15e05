"""What `andamio predict` accepts, and what it says of the rest."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from andamio.cli.models import api
from andamio.errors import CommandError, InputFileError

DEPLOYED = {"api_url": "http://127.0.0.1:9", "api_key": "k", "emulator": True}


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('{"age": 63}', [{"features": {"age": 63}}]),
        ('{"features": {"age": 63}, "id": 7}', [{"features": {"age": 63}, "id": 7}]),
        ('[{"age": 63}, {"features": {"age": 64}}]', [{"features": {"age": 63}}, {"features": {"age": 64}}]),
        ('{"records": [{"features": {"age": 63}, "id": "a"}]}', [{"features": {"age": 63}, "id": "a"}]),
        ('{"features": 3}', [{"features": {"features": 3}}]),  # a feature may be called so
    ],
)
def test_the_apis_own_bodies_and_bare_features_are_records(text: str, records: list[object]) -> None:
    assert api.records_from(None, [], text.encode()) == records


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "No record is given"),
        (b"[]", "Expected an object of features"),
        (b"3", "Expected an object of features"),
        (b"[" * 100_000, "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"age": "\xff"}', "not UTF-8"),
    ],
)
def test_anything_else_is_an_error_for_people(body: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=said):
        api.records_from(None, [], body)
    file = tmp_path / "record.json"
    file.write_bytes(body)
    with pytest.raises(CommandError, match=said):
        api.records_from(file, [], None)


@pytest.mark.parametrize("value", ["NaN", "1e999", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused_before_they_are_sent(value: str) -> None:
    records = api.records_from(None, [f"age={value}"], None)
    with pytest.raises(InputFileError, match="NaN and Infinity are not JSON"):
        api.call(DEPLOYED, "POST", "/predict", records[0])


@pytest.mark.parametrize(
    "number",
    [
        "1.0000000000000000000001",
        "-0.12345678901234567891",
        "1.23456789012345678E-401",
        "9007199254740993",
        "63",
        "1.5",
    ],
)
def test_a_number_is_sent_with_every_digit(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []

    def request(method: str, url: str, *, content: bytes, **more: object) -> httpx.Response:
        sent.append(content)
        return httpx.Response(200, json={})

    monkeypatch.setattr(httpx, "request", request)
    (piped,) = api.records_from(None, [], f'{{"features": {{"age": {number}}}, "id": [{number}]}}'.encode())
    (pair,) = api.records_from(None, [f"age={number}"], None)
    api.call(DEPLOYED, "POST", "/explain", piped)
    api.call(DEPLOYED, "POST", "/predict/batch", {"records": [pair]})
    assert sent == [
        f'{{"features": {{"age": {number}}}, "id": [{number}]}}'.encode(),
        f'{{"records": [{{"features": {{"age": {number}}}}}]}}'.encode(),
    ]


def test_a_record_that_is_nested_too_deeply_is_refused_before_it_is_sent() -> None:
    (record,) = api.records_from(None, [], b'{"age": ' + b"[" * 3000 + b"]" * 3000 + b"}")
    with pytest.raises(InputFileError, match="nested too deeply"):
        api.call(DEPLOYED, "POST", "/predict", record)
