"""JSON Lines: an object a line."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator

import numpy as np

from andamio.tabular.json_record import json_record
from andamio.tabular.rows import CHUNK, Broken, Chunk, ReadAs, RefusedFile


def read_json_lines(text: str, read_as: ReadAs, wanted: Collection[str]) -> Iterator[Chunk]:
    """Read objects, one a line; a field that a line lacks has no value. Empty lines are passed over.

    Raises `RefusedFile` when there is not one object.
    """
    names = dict.fromkeys(read_as.names)
    records: list[dict[str, object]] = []
    lines: list[int] = []
    places: list[int] = []
    broken: list[Broken] = []

    def chunk() -> Chunk:
        read_as.names = list(names)
        return Chunk(
            {name: [record.get(name) for record in records] for name in wanted if name in names},
            np.array(lines, dtype=np.int64),
            np.array(places, dtype=np.int64),
            tuple(broken),
        )

    place = -1
    # Only a line feed ends a line: a JSON text may hold the other characters that Python splits on.
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if not line.strip():
            continue
        place += 1
        try:
            record = json_record(line)
        except ValueError as error:
            broken.append(Broken(number, str(error)))
            continue
        for name in record:
            names.setdefault(name)
        records.append(record)
        lines.append(number)
        places.append(place)
        if len(records) == CHUNK:
            yield chunk()
            records, lines, places, broken = [], [], [], []
    if not names:
        raise RefusedFile(
            f"holds no JSON object: line {broken[0].line} {broken[0].reason}"
            if broken
            else "is empty: expected a JSON object a line"
        )
    if records or broken:
        yield chunk()
