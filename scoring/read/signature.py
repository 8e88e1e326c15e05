"""What a file is, seen in its first bytes, whatever its name says."""

from __future__ import annotations

import codecs

from scoring.batch import Format
from scoring.errors import RefusedFile

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
    (codecs.BOM_UTF16_LE, "UTF-16 text", "save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text", "save it as UTF-8"),
)
_NAMES = {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet"}


def check_text(head: bytes, format: Format) -> None:
    """Raise `RefusedFile` when a file that is to be text, by its name, begins with what is none."""
    for magic, what, advice in _KINDS:
        if head.startswith(magic):
            raise RefusedFile(f"is not {_NAMES[format]}, as its name says, but {what}: {advice}")
    if b"\0" in head:
        raise RefusedFile(
            f"is not {_NAMES[format]}, as its name says: it holds NUL bytes, which no text has. Save it as UTF-8 text"
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise RefusedFile(f"is not {_NAMES[format]}, as its name says, but a web page or XML: download the file itself")


def check_gzip(head: bytes) -> None:
    """Raise `RefusedFile` when a file is not packed by gzip, which its name says."""
    if not head.startswith(GZIP):
        raise RefusedFile("is not a gzip file, as its name says: leave .gz out of its name, or pack it")


def check_parquet(head: bytes, tail: bytes, size: int) -> int:
    """The length of a Parquet file's footer, which ends 8 bytes before the file does; raises `RefusedFile`."""
    if not head.startswith(PARQUET):
        what = next((what for magic, what, _ in _KINDS if head.startswith(magic)), "another kind of file")
        raise RefusedFile(f"is not Parquet, as its name says, but {what}: give it the ending of what it is")
    if tail.endswith(b"PARE"):
        raise RefusedFile("is an encrypted Parquet file, which cannot be read: write it without encryption")
    length = int.from_bytes(tail[-8:-4], "little")
    if size < len(PARQUET) * 2 + 4 or not tail.endswith(PARQUET) or not 0 < length <= size - 12:
        raise RefusedFile("is not a whole Parquet file: it may have been cut off; upload it again")
    return length


def check_line_ends(sample: bytes, *, whole: bool) -> None:
    """Raise `RefusedFile` for a text whose lines end with carriage returns alone, or do not end."""
    returns = sample.count(b"\r") - sample.count(b"\r\n")
    newlines = sample.count(b"\n")
    # A sample may end between the two characters of a line end.
    returns -= sample.endswith(b"\r") and not whole
    if returns > newlines:
        raise RefusedFile(
            "has lines that end with a carriage return alone, as on old Macintoshes: save it with line feeds "
            "(Unix) or both (Windows)"
        )
    if not newlines and not whole:
        raise RefusedFile(
            f"has no line end in its first {len(sample) // 2**20 or 1} MiB: expected a row a line, of text"
        )
