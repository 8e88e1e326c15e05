"""A CSV file that is cut anywhere and read shard by shard has the rows of the uncut file, on the same lines."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from scoring.split.cut import OpenQuote, cut
from scoring.split.survey import chunk_starts, survey
from tests.support.readers import csv_reader
from tests.support.scoring import planned
from tests.unit.scoring.test_csv_rows import NAMES, TABLE, RowPrediction, drained, expected, rows_in

PIECES = [
    '"',
    '""',
    ",",
    ",",
    "\n",
    "\n",
    "\r\n",
    " ",
    "a",
    '"a"',
    '"\n"',
    ',"',
    '",',
    "\n\n",
    "é",
    "1,2,3\n",
    'x,"y\nz",1\n',
]
SIZES = st.integers(1, 40)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), SIZES, SIZES, SIZES)
def test_shards_hold_the_rows_of_the_file(text: str, chunk: int, step: int, block: int) -> None:
    header = ",".join(NAMES) + "\n"
    body = (header + text).encode()
    start = len(header)
    surveys = []
    for at in range(start, max(len(body), start + 1), chunk):
        end = min(at + chunk, len(body))
        surveys.append(survey(iter([body[at:]]), at, end, chunk_starts(at, end, start, step), ",", first=at == start))
    rows = list(expected(text, ",", 2))
    try:
        shards = cut(surveys, 2)
    except OpenQuote:
        assert rows[-1][1] is None
        return
    plan = planned(TABLE, body).plan
    found: RowPrediction = []
    for number, shard in enumerate(shards):
        reader = csv_reader(plan, TABLE, block)
        blocks, height = drained(reader.read(io.BytesIO(body[shard.start : shard.end]), shard.line))
        found += rows_in(blocks)
        assert number + 1 == len(shards) or shard.line + height == shards[number + 1].line
    assert found == rows
