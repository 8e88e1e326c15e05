"""A file that was cut is the uncut file: the same bytes and the same rows, in the same order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andamio.tabular.csv.quotes import row_ends
from scoring.batch import Shard
from scoring.split import survey as surveys
from scoring.split.cut import LongRow, OpenQuote, cut, lines_of, shard_bytes
from scoring.split.survey import Survey, chunk_starts, survey

PIECES = st.sampled_from(
    ['"', '""', ",", ";", "\n", "\r\n", "\r", " ", "a", '"a"', '"\n"', ',"', '",', "\n\n", "é", "\ufeff"]
)
TAILS = st.sampled_from([1, 3, 4096])
TEXTS = st.lists(PIECES, max_size=60).map("".join)
SIZES = st.integers(1, 40)


def reference(text: bytes, delimiter: str = ",") -> tuple[list[int], bool]:
    """Where rows end, one byte after another, and whether the text ends inside a quoted field."""
    ends, state, at = [], "begin", 0
    while at < len(text):
        byte = text[at : at + 1]
        at += 1
        if state == "quoted":
            if byte == b'"' and text[at : at + 1] == b'"':
                at += 1
            elif byte == b'"':
                state = "text"
        elif byte == b'"' and state == "begin":
            state = "quoted"
        elif byte == b"\n":
            ends.append(at)
            state = "begin"
        elif byte in (delimiter.encode(), b"\r"):
            state = "begin"
        elif byte != b" ":
            state = "text"
    return ends, state == "quoted"


def surveyed(
    body: bytes, chunk: int, step: int, *, delimiter: str | None = ",", block: int = 7, start: int = 0
) -> list[Survey]:
    """Every chunk of a text surveyed by itself, and stored and read again, as the machine does."""

    def blocks(at: int) -> Iterator[bytes]:
        for offset in range(at, len(body), block):
            yield body[offset : offset + block]

    found = []
    for at in range(start, max(len(body), start + 1), chunk):
        end = min(at + chunk, len(body))
        row_starts = chunk_starts(at, end, start, step)
        found.append(survey(blocks(at), at, end, row_starts, delimiter, first=at == start))
    return [Survey.from_json(each.to_json()) for each in found]


@pytest.fixture(autouse=True)
def tail() -> Iterator[None]:
    """Whatever a test sets is set back."""
    yield
    surveys.TAIL = 4096


class TestCutting:
    @given(text=TEXTS, chunk=SIZES, step=SIZES, block=SIZES, tail=TAILS)
    @example(text='"\n"\n', chunk=1, step=1, block=1, tail=1)
    @example(text='a,"x\ny"\r\n\r\n"b""\n",c', chunk=3, step=2, block=2, tail=1)
    @example(text='a, "x\ny"\nb', chunk=4, step=1, block=4, tail=1)
    def test_any_text_at_any_size_is_cut_between_rows_and_nothing_is_lost(
        self, text: str, chunk: int, step: int, block: int, tail: int
    ) -> None:
        surveys.TAIL = tail
        body = text.encode()
        ends, open_at_end = reference(body)
        found_in = surveyed(body, chunk, step, block=block)
        if open_at_end:
            with pytest.raises(OpenQuote):
                cut(found_in, 1)
            return
        found = cut(found_in, 1)
        assert b"".join(body[shard.start : shard.end] for shard in found) == body
        assert {shard.start for shard in found[1:]} <= set(ends)
        assert [shard.number for shard in found] == list(range(len(found)))
        assert [shard.line for shard in found] == [body.count(b"\n", 0, shard.start) + 1 for shard in found]
        assert all(shard.end > shard.start for shard in found)
        assert lines_of(found_in) == body.count(b"\n")

    @given(text=TEXTS, chunk=SIZES, step=SIZES, block=SIZES)
    def test_shards_begin_with_the_first_row_after_each_wanted_offset(
        self, text: str, chunk: int, step: int, block: int
    ) -> None:
        body = text.encode()
        ends, open_at_end = reference(body)
        if open_at_end:
            return
        expected = {end for at in range(step, len(body), step) if (end := next((e for e in ends if e > at), 0))}
        found = cut(surveyed(body, chunk, step, block=block), 1)
        assert {shard.start for shard in found[1:]} == expected - {len(body), 0}

    @given(text=TEXTS, chunk=SIZES, step=SIZES)
    def test_the_rows_of_the_shards_are_the_rows_that_python_reads(self, text: str, chunk: int, step: int) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "")
        body = text.encode()
        if reference(body)[1]:
            return
        parts = [rows(body[shard.start : shard.end].decode()) for shard in cut(surveyed(body, chunk, step), 1)]
        assert [row for part in parts for row in part] == rows(text)

    @given(text=TEXTS, chunk=SIZES, step=SIZES, start=st.integers(0, 20))
    def test_what_comes_before_the_first_row_does_not_count(self, text: str, chunk: int, step: int, start: int) -> None:
        head = b'"' * start
        whole, alone = (surveyed(head + text.encode(), chunk, step, start=start), surveyed(text.encode(), chunk, step))
        if reference(text.encode())[1]:
            return
        moved = [Shard(s.number, s.start - start, s.end - start, s.line - 4) for s in cut(whole, 5)]
        assert tuple(moved) == cut(alone, 1)

    @given(text=TEXTS, chunk=SIZES, step=SIZES)
    def test_json_lines_are_cut_at_every_line_whatever_quotes_there_are(self, text: str, chunk: int, step: int) -> None:
        body = text.encode()
        found = cut(surveyed(body, chunk, step, delimiter=None), 1)
        assert b"".join(body[shard.start : shard.end] for shard in found) == body
        assert all(body[shard.start - 1 : shard.start] == b"\n" for shard in found[1:])

    def test_no_more_shards_than_a_map_may_have(self) -> None:
        assert shard_bytes(10**9, 32 * 2**20) == 32 * 2**20
        assert shard_bytes(10**12, 32 * 2**20) == 10**8
        assert len(chunk_starts(0, 10**6 + 1, 0, shard_bytes(10**6 + 1, 1))) < 10_000

    def test_an_empty_body_has_no_shards(self) -> None:
        assert cut(surveyed(b"", 10, 10), 2) == ()
        assert cut([], 2) == ()


class TestRefusals:
    def test_a_quote_that_is_never_closed_is_named_by_its_line(self) -> None:
        body = b'a,b\n"c",d\ne,"f\ng,h\ni,j\n'
        for chunk in (3, 8, 100):
            with pytest.raises(OpenQuote, match="opened on line 3: close the quote"):
                cut(surveyed(body, chunk, 5), 1)

    def test_a_row_that_swallows_the_file_is_refused_rather_than_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("scoring.split.survey", "scoring.split.cut"):
            monkeypatch.setattr(f"{module}.LONGEST_ROW", 50)
        body = b'a,b\nc,"d' + b"\ne,f" * 100 + b'"\ng,h\n'
        for chunk in (20, 200, 10_000):
            with pytest.raises(LongRow, match="around line 103: look for a quote"):
                cut(surveyed(body, chunk, 30), 1)

    def test_also_where_the_file_ends_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("scoring.split.survey", "scoring.split.cut"):
            monkeypatch.setattr(f"{module}.LONGEST_ROW", 50)
        body = b'a,b\nc,"d' + b"\ne,f" * 100 + b'"'
        for chunk in (20, 200, 10_000):
            with pytest.raises(LongRow):
                cut(surveyed(body, chunk, 30), 1)

    def test_a_line_without_end_is_not_read_to_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("scoring.split.survey", "scoring.split.cut"):
            monkeypatch.setattr(f"{module}.LONGEST_ROW", 50)
        taken = 0

        def blocks() -> Iterator[bytes]:
            nonlocal taken
            for _ in range(1000):
                taken += 10
                yield b"x" * 10

        for first in (True, False):
            taken = 0
            found = survey(blocks(), 0, 100, [], ",", first=first)
            assert found.long
            assert taken <= 170
            with pytest.raises(LongRow, match="around line 4"):
                cut([found], 4)

    def test_chunks_that_do_not_follow_each_other_are_a_fault(self) -> None:
        first, second, third = surveyed(b"a\nb\nc\nd\ne\nf\n", 4, 4)
        with pytest.raises(ValueError, match="chunk 1 was surveyed from byte"):
            cut([first, third], 1)
        assert cut([first, second, third], 1)


class TestRowEnds:
    @given(text=TEXTS)
    def test_rows_end_where_they_end_read_byte_by_byte(self, text: str) -> None:
        assert row_ends(text.encode(), ",") == reference(text.encode())[0]

    @given(text=TEXTS)
    def test_with_another_delimiter_quotes_mean_something_else(self, text: str) -> None:
        assert row_ends(text.encode(), ";") == reference(text.encode(), ";")[0]

    def test_spaces_before_a_quote_are_passed_over(self) -> None:
        assert row_ends(b'a,   "x\ny"\n', ",") == [11]
        assert row_ends(b'   "x\ny"\n', ",") == [9]

    def test_a_delimiter_that_is_a_space_is_not_passed_over(self) -> None:
        assert row_ends(b'a "x\ny"\n', " ") == [8]

    def test_inches_are_no_quotes(self) -> None:
        assert row_ends(b'pipe 3",b\n5" c,d\n', ",") == [10, 17]


def rows(text: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline="\n"), skipinitialspace=True) if row]
