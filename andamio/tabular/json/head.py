"""Encoding and columns of a JSON Lines file, decided once from its beginning."""

from __future__ import annotations

import json

from andamio.contract import Contract
from andamio.contract.canonical import composed
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import check_line_ends, check_text
from andamio.tabular.text.encoding import encoding_of
from andamio.tabular.text.head import Head, More

_OBJECTS = 1000


def json_head(sample: bytes, contract: Contract, *, whole: bool, more: More = tuple, transcoded: str = "") -> Head:
    """Read the first objects of a JSON Lines file; raises `RefusedFile` when no row of the file could be read.

    `sample` is its beginning, and UTF-8 where it was `transcoded` from another encoding.
    """
    check_text(sample, "jsonl")
    check_line_ends(sample, whole=whole)
    encoding = encoding_of(sample, contract.data.encoding, whole=whole, more=more, transcoded=transcoded)
    text = sample[encoding.start :]
    if text.lstrip().startswith(b"["):
        raise RefusedFile(
            "is one JSON array, not JSON Lines: write an object a line, without brackets and commas",
            fault="other-format",
        )
    lines = text.split(b"\n") if whole else text.split(b"\n")[:-1]
    names: dict[str, None] = {}
    found, first = 0, 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        first = first or number
        keys = _parsed(line.decode(encoding.name, "replace"))
        if keys is not None:
            names.update(dict.fromkeys(map(composed, keys)))
            found += 1
        if found == _OBJECTS:
            break
    if not first:
        raise RefusedFile("is empty: expected a JSON object a line", fault="empty")
    if not found:
        raise RefusedFile(
            f"holds no JSON object in its first lines: line {first} is none. Expected JSON Lines, an object a line, "
            'such as {"age": 63}',
            fault="no-object",
        )
    return Head(
        tuple(names),
        encoding=encoding.name,
        body=encoding.start,
        encoding_basis=encoding.basis,
        transcoded=transcoded,
    )


def _parsed(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
