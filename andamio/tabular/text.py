"""Bytes to text: the encoding that is stated, else the one that the bytes show."""

from __future__ import annotations

import codecs

from andamio.tabular.rows import RefusedFile

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "cp1252"
"""What spreadsheets on Windows write when they do not write UTF-8; Latin-1 but for control characters."""


def decode(body: bytes, stated: str | None) -> tuple[str, str]:
    """The text and the encoding it was read with; raises `RefusedFile` when the stated one does not fit."""
    if stated is not None:
        # A mark is no part of the text, also when the contract says plain "utf-8".
        encoding = "utf-8-sig" if codecs.lookup(stated).name == "utf-8" else stated
        try:
            return body.decode(encoding), stated
        except UnicodeDecodeError as error:
            raise RefusedFile(
                f"is not {stated} text, which [data] encoding says: line {_line(body, error.start)} is not. "
                "Save the file in that encoding, or leave encoding out"
            ) from None
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            try:
                return body.decode(encoding), "utf-8" if encoding == "utf-8-sig" else encoding
            except UnicodeDecodeError as error:
                raise RefusedFile(
                    f"begins like {encoding} text, but line {_line(body, error.start)} is not. Save it as UTF-8"
                ) from None
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        try:
            return body.decode(_FALLBACK), _FALLBACK
        except UnicodeDecodeError:
            raise RefusedFile(
                f"is not UTF-8 text: line {_line(body, error.start)} is not. Save it as UTF-8, "
                "or name its encoding under [data]"
            ) from None


def _line(body: bytes, position: int) -> int:
    return body.count(b"\n", 0, position) + 1
