"""A prediction is found by its line with a few small reads, whatever was rejected around it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.errors import DataError
from scoring.lookup import STRIDE, Lookup, LookupWriter, find


def written(
    lines: list[int], *, first: int = 2, classes: int = 3, ids: list[str] | None = None, blocks: int = 1
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A lookup file, and the labels and probabilities in it."""
    random = np.random.default_rng(5)
    probabilities = random.dirichlet(np.ones(classes), len(lines)).astype(np.float32)
    labels = probabilities.argmax(axis=1)
    file = io.BytesIO()
    writer = LookupWriter(file, classes, first)
    for rows in np.array_split(np.arange(len(lines)), blocks):
        given_ids: Any = None
        if ids is not None:
            texts = [ids[row].encode() for row in rows]
            given_ids = np.cumsum([len(text) for text in texts]).astype(np.int64), b"".join(texts)
        writer.add(np.array(lines, dtype=np.int64)[rows], labels[rows], probabilities[rows], given_ids)
    writer.close()
    return file.getvalue(), labels, probabilities


class Reads:
    """Ranged reads of a file, counted."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.sizes: list[int] = []

    def __call__(self, start: int, length: int) -> bytes:
        self.sizes.append(length)
        return self.body[start : start + length]


@given(st.sets(st.integers(2, 300), max_size=60), st.booleans(), st.integers(1, 5))
def test_every_line_is_found_and_no_other(lines: set[int], with_ids: bool, blocks: int) -> None:
    ordered = sorted(lines)
    ids = [f"patient ñ{line}" if line % 3 else "" for line in ordered] if with_ids else None
    body, labels, probabilities = written(ordered, ids=ids, blocks=blocks)
    for line in range(302):
        found = find(Reads(body), line)
        assert (found is not None) == (line in lines)
        if found is not None:
            row = ordered.index(line)
            assert found.index == labels[row]
            assert found.numbers == tuple(probabilities[row].tolist())
            assert found.record_id == (ids[row] or None if ids else None)
    whole = list(Lookup(Reads(body)).blocks(7))
    assert [line for some in whole for line in some.lines.tolist()] == ordered
    assert [label for some in whole for label in some.indices.tolist()] == labels.tolist()
    assert [name for some in whole for name in some.ids or []] == (ids or [])
    assert np.array_equal(np.concatenate([some.numbers for some in whole] or [probabilities]), probabilities)


@pytest.mark.parametrize("gap", [0, 1])
def test_a_large_file_is_read_in_a_few_small_ranges(gap: int) -> None:
    lines = [line + gap * (line > 700_000) for line in range(2, 1_000_002)]
    body, labels, probabilities = written(lines, ids=[str(line) for line in lines])
    for line in (2, 3, 699_999, 700_002, STRIDE + 1, STRIDE + 2, 1_000_000):
        reads = Reads(body)
        found = find(reads, line)
        assert found is not None
        row = lines.index(line)
        assert (found.index, found.record_id) == (labels[row], str(line))
        assert found.numbers == tuple(probabilities[row].tolist())
        assert len(reads.sizes) <= 7
        assert max(reads.sizes) <= 16 * 2**10
    assert (find(Reads(body), 700_001) is None) == bool(gap)
    assert find(Reads(body), 1_000_003) is None


def test_a_small_file_is_read_at_once() -> None:
    body, _, _ = written([2, 3, 5], ids=["a", "b", "c"])
    reads = Reads(body)
    assert find(reads, 5) is not None
    assert len(reads.sizes) == 1


def test_the_same_rows_in_other_blocks_make_the_same_file() -> None:
    lines = [line for line in range(2, 20_000) if line % 97]
    assert written(lines, blocks=1)[0] == written(lines, blocks=9)[0]


def test_what_is_no_lookup_file_or_half_of_one_is_told() -> None:
    with pytest.raises(DataError, match="not a lookup file"):
        find(Reads(b"PAR1 and so on"), 2)
    body, _, _ = written(list(range(2, 40_000)))
    with pytest.raises(DataError, match="cut off"):
        find(Reads(body[:-200_000]), 39_999)
