"""One text for each value, whatever it was written as: what categories, ids and split keys compare by."""

from __future__ import annotations

import re
import unicodedata

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ONE_TEXT = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "-0": "0"}
"""Python writes True, spreadsheets and R write TRUE, JSON writes true."""


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC), so that two spellings of one accent are one text."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """What is left of a text without case, spaces, accents' forms and invisible characters: look-alikes share it."""
    visible = (letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return "".join("".join(visible).casefold().split())


def canonical(value: object) -> str:
    """The canonical text of a category or an id: 4, 4.0 and "4" are "4"; True, "TRUE" and "true" are "true".

    An accent is one character, whether it came composed or decomposed.

    No value (None, NaN) is the empty text. Leading zeros are kept: "007" is not 7. Raises `ValueError`
    for an integer of thousands of digits.
    """
    if isinstance(value, str):
        text = composed(value.strip())
    elif value is None:
        return ""
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, float):
        if value != value:  # NaN
            return ""
        # From 1e16 on Python writes a float with an exponent, and an integer without.
        text = str(int(value)) if value.is_integer() else repr(float(value))
    else:
        text = str(value)
    if text.endswith("0"):
        whole = _WHOLE.fullmatch(text)
        text = whole.group(1) if whole else text
    return _ONE_TEXT.get(text, text)


def canonical_number(value: object) -> str:
    """Like `canonical`, and 2.3, "2.30" and "23e-1" are one: for split keys, where equal records share a side."""
    text = canonical(value)
    if text.isalpha() or _INTEGER.fullmatch(text) or not _NUMBER.fullmatch(text):
        return text
    return canonical(float(text))
