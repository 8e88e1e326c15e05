"""The format of a file, by its name and by its first bytes."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Literal

from andamio.tabular.refused import RefusedFile

Format = Literal["csv", "jsonl", "parquet"]

FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
FILE_TYPES = "CSV (.csv, .tsv), JSON Lines (.jsonl, .ndjson), either of them also as .gz, or Parquet (.parquet)"
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"

_SAVE_AS_CSV = "save the sheet as CSV (UTF-8)"
_KINDS = (
    (GZIP, "a gzip file", "let its name end with .gz (.csv.gz, .jsonl.gz), or unpack it"),
    (PARQUET, "a Parquet file", "let its name end with .parquet"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", f"unpack it, or {_SAVE_AS_CSV}"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _SAVE_AS_CSV),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it, or pack it with gzip"),
    (b"BZh", "packed with bzip2", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it, or pack it with gzip"),
    (codecs.BOM_UTF32_LE, "UTF-32 text", "save it as UTF-8"),
    (codecs.BOM_UTF32_BE, "UTF-32 text", "save it as UTF-8"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself (git lfs pull) and upload that"),
)
_NAMES = {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet"}


def format_of(name: str) -> tuple[Format, str] | None:
    """The format by a file's name, and "gzip" or ""; None for a format that is not read."""
    lower = name.lower()
    stem = lower.removesuffix(".gz")
    found = next((found for ending, found in ENDINGS.items() if stem.endswith(ending)), None)
    zipped = stem != lower
    return None if found is None or (zipped and found == "parquet") else (found, "gzip" if zipped else "")


def check_text(head: bytes, format: Format, *, stated: str | None = None) -> None:
    """Raise `RefusedFile` when a file that is to be text, by its name, begins with what is none.

    A `stated` encoding may have NUL bytes.
    """
    for magic, what, advice in _KINDS:
        if head.startswith(magic):
            raise RefusedFile(f"is not {_NAMES[format]}, as its name says, but {what}: {advice}", fault="other-format")
    encoded = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or stated is not None
    if b"\0" in head and not encoded:
        raise RefusedFile(
            f"is not {_NAMES[format]}, as its name says: it holds NUL bytes, which no text has. Save it as UTF-8 text "
            "(UTF-16 is read where it begins with a byte order mark, or where [data] encoding says it)",
            fault="other-format",
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise RefusedFile(
            f"is not {_NAMES[format]}, as its name says, but a web page or XML: download the file itself",
            fault="other-format",
        )


def check_gzip(head: bytes) -> None:
    """Raise `RefusedFile` when a file with the name of a gzip file is not one."""
    if not head.startswith(GZIP):
        raise RefusedFile(
            "is not a gzip file, as its name says: leave .gz out of its name, or pack it", fault="other-format"
        )


def check_parquet(head: bytes, tail: bytes, size: int) -> int:
    """The length of a Parquet file's footer, which ends 8 bytes before the file does; raises `RefusedFile`."""
    if not head.startswith(PARQUET):
        what = next((what for magic, what, _ in _KINDS if head.startswith(magic)), "another kind of file")
        raise RefusedFile(
            f"is not Parquet, as its name says, but {what}: give it the ending of what it is", fault="other-format"
        )
    if tail.endswith(b"PARE"):
        raise RefusedFile(
            "is an encrypted Parquet file, which cannot be read: write it without encryption", fault="encrypted"
        )
    length = int.from_bytes(tail[-8:-4], "little")
    if size < len(PARQUET) * 2 + 4 or not tail.endswith(PARQUET) or not 0 < length <= size - 12:
        raise RefusedFile("is not a whole Parquet file: it may have been cut off; upload it again", fault="cut-off")
    return length


def check_line_ends(sample: bytes, *, whole: bool) -> None:
    """Raise `RefusedFile` for a text that has no lines, or most of whose lines end with a carriage return alone."""
    newlines = sample.count(b"\n")
    if _lone_returns(sample, whole=whole) > newlines > 0:
        raise RefusedFile(
            "has lines that end with a carriage return alone among others that do not: save it with line feeds "
            "(Unix) or both (Windows)",
            fault="line-ends",
        )
    if not newlines and not whole:
        raise RefusedFile(
            f"has no line end in its first {len(sample) // 2**20 or 1} MiB: expected a row a line, of text",
            fault="line-ends",
        )


def ends_with_returns(sample: bytes, *, whole: bool) -> bool:
    """Whether the lines of a text end with carriage returns alone, as on old Macintoshes."""
    return b"\n" not in sample and _lone_returns(sample, whole=whole) > 0


def _lone_returns(sample: bytes, *, whole: bool) -> int:
    # A sample may end between the two characters of a line end.
    return sample.count(b"\r") - sample.count(b"\r\n") - (sample.endswith(b"\r") and not whole)
