"""A table of hostile bodies, each sent to every route that takes one: a 4xx that says why, and nothing of the body."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

import pytest

from lambdas.api.requests.body import LIMIT
from tests.support.api import Api
from tests.support.releases import heart, serve

MARK = "S3CRET"
"""In every body, where a value or an odd name stands: no answer repeats it."""
JSON, CSV = "application/json", "text/csv"


WITHIN = {
    "/predict": '{"features": %s}',
    "/predict/batch": '{"records": [{"features": %s}]}',
    "/invocations": '{"instances": [%s]}',
    "/explain": '{"features": %s}',
    "/batches": '{"name": %s}',
    "/feedback": '{"prediction_id": "00000000000000000000000000000000", "label": %s}',
}


@dataclass(frozen=True)
class Within:
    """A JSON text where a route expects a record, or a name."""

    text: str
    encoding: str = "utf-8"

    def of(self, path: str) -> bytes:
        return (WITHIN[path] % self.text).encode(self.encoding)


HOSTILE: dict[str, tuple[str | bytes | Within, str, set[int]]] = {
    # what is no JSON
    "nothing": ("", JSON, {400}),
    "white space": (" \n\t ", JSON, {400}),
    "a byte order mark alone": ("\ufeff", JSON, {400}),
    "zero bytes": (b"\x00" * 64, JSON, {400}),
    "a form": (f"name={MARK}&age=63", JSON, {400}),
    "XML with an entity": (f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>{MARK}&b;</a>', JSON, {400}),
    "a script": (f"<script>alert('{MARK}')</script>", JSON, {400}),
    "a pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins\x94.", JSON, {400}),
    "Latin-1": (Within(f'"{MARK}é"', "latin-1"), JSON, {400}),
    "UTF-16": (Within(f'"{MARK}"', "utf-16"), JSON, {400}),
    "UTF-32": (Within(f'"{MARK}"', "utf-32"), JSON, {400}),
    "overlong UTF-8": (b'{"features": "\xc0\xaf"}', JSON, {400}),
    "gzip without its header": (gzip.compress(MARK.encode()), JSON, {400}),
    "a comment": (f"/* {MARK} */ {{}}", JSON, {400}),
    "a trailing comma": (f'{{"features": "{MARK}",}}', JSON, {400}),
    "two values": (f'{{}} "{MARK}"', JSON, {400}),
    "a key twice": (f'{{"features": 1, "features": "{MARK}"}}', JSON, {400}),
    "Infinity": (Within("Infinity"), JSON, {400}),
    "half a surrogate pair": (Within(rf'"{MARK}\ud800"'), JSON, {400}),
    "half a surrogate pair as a key": (Within(rf'{{"{MARK}\udfff": 1}}'), JSON, {400}),
    "lists in lists": ("[" * 200_000, JSON, {400}),
    "lists in lists, closed": (Within("[" * 100_000 + "]" * 100_000), JSON, {400}),
    "objects in objects": (Within('{"a":' * 50_000 + "1" + "}" * 50_000), JSON, {400}),
    "an integer of 100,000 digits": (Within("9" * 100_000), JSON, {400}),
    # what is JSON, and no request
    "null": ("null", JSON, {422}),
    "a number": ("1e400", JSON, {422}),
    "a text": (json.dumps(MARK), JSON, {422}),
    "JSON in JSON": (json.dumps(json.dumps({"features": {MARK: 1}})), JSON, {422}),
    "a list": (json.dumps([MARK]), JSON, {422}),
    "a list of a million nulls": ("[" + "null," * 500_000 + "null]", JSON, {422}),
    "an empty key": ('{"": 1}', JSON, {422}),
    "Python's own names": (json.dumps({"__class__": MARK, "__proto__": {"admin": True}}), JSON, {422}),
    "fifty thousand keys": (json.dumps({f"{MARK}!{number}": number for number in range(50_000)}), JSON, {422}),
    "a record of fifty thousand fields": (Within(json.dumps({f"{MARK}!{n}": n for n in range(50_000)})), JSON, {422}),
    "a text of a million characters": (Within(json.dumps(MARK * 150_000)), JSON, {422}),
    "a control character in a value": (Within(json.dumps({"age": f"{MARK}\x00\x1b[31m"})), JSON, {422}),
    "a right-to-left override": (Within(json.dumps({f"{MARK}\u202e": f"{MARK}\u202e"})), JSON, {422}),
    "SQL": (Within(json.dumps({"cp": f"'; DROP TABLE {MARK}; --"})), JSON, {422}),
    "a template": (Within(json.dumps({"cp": f"{{{{{MARK}}}}}${{jndi:ldap://x}}%s%n{{0}}"})), JSON, {422}),
    "a path": (json.dumps({"name": f"../../{MARK}"}), JSON, {422}),
    "more than the limit": ('"' + "x" * LIMIT + '"', JSON, {413}),
    # other types of content
    "a content type that nobody knows": (f"{MARK}", f"application/x-{MARK}", {415}),
    "a content type that is none": (f"{MARK}", ";;;,,,", {415}),
    "another charset": (Within(f'"{MARK}"'), "application/json; charset=utf-7", {415}),
    "a part of a form": (f"--x\r\n\r\n{MARK}\r\n--x--", "multipart/form-data; boundary=x", {415}),
    # CSV, which /invocations alone takes
    "CSV of one line": (f"{MARK},{MARK}", CSV, {415, 422}),
    "CSV without a header": (f"{MARK},1\n{MARK},2\n", CSV, {415, 422}),
    "an open quote": (f'age,sex,cp\n"{MARK},1,1\n', CSV, {415, 422}),
    "a field of 200,000 characters": (f"age,sex,cp\n{MARK * 34_000},1,1\n", CSV, {415, 422}),
    "a formula": (f"age,sex,cp\n=cmd|'/C {MARK}'!A0,1,1\n", CSV, {415, 422}),
    "zero bytes in CSV": (f"age,sex,cp\n6\x003,1,{MARK}\n", CSV, {415, 422}),
    "a hundred thousand lines": ("age,sex,cp\n" + "63,1,1\n" * 100_000, CSV, {415, 422}),
    "a hundred thousand columns": ("a," * 100_000 + f"{MARK}\n1\n", CSV, {415, 422}),
}


@pytest.fixture(scope="module")
def heart_api() -> Api:
    api = Api()
    serve(api.objects, heart())
    return api


@pytest.mark.parametrize("path", WITHIN)
@pytest.mark.parametrize(("body", "kind", "statuses"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_body_is_refused_with_a_reason_and_not_repeated(
    heart_api: Api, path: str, body: str | bytes | Within, kind: str, statuses: set[int]
) -> None:
    answer = heart_api.post(path, body.of(path) if isinstance(body, Within) else body, kind)
    assert answer.status in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == answer.status
    assert MARK not in answer.text
    assert len(answer.text) < 20_000
    assert heart_api.batch.writes == []
    assert heart_api.get("/ping").status == 200
