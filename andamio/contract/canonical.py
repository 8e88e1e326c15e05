"""One text for each value, whatever it was written as: what categories, ids and split keys compare by."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ONE_TEXT = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "-0": "0"}
"""Python writes True, spreadsheets and R write TRUE, JSON writes true."""
_LONGEST = 400
"""Digits before or behind the point beyond which a number is written with an exponent."""
_EXACT, _DIGITS = 2.0**53, 15
"""Floats up to which, and characters within which, a number is the float that was read of it."""


class WrittenNumber(float):
    """A number with more digits than a float holds: a float to calculate with, and its `text`, which it equals by."""

    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        """The number whose canonical text is `text`."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrittenNumber) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def number_in_json(text: str) -> int | float:
    """A number with a point or an exponent, as JSON has it, whose canonical text has every digit: for `parse_float`.

    A whole number beyond 2^53 is an integer, a fraction with more digits than a float holds a `WrittenNumber`.
    Beyond float64 it is infinite.
    """
    value = float(text)
    if -_EXACT < value < _EXACT:
        if len(text) <= _DIGITS or repr(value) == text:
            return value
    elif math.isinf(value):
        return value
    from decimal import Decimal, InvalidOperation  # such numbers are rare, and a cold start need not wait for it

    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of 19 digits or more, which leaves a finite float zero
        return value
    if number == number.to_integral_value():
        return int(number)
    return value if number == Decimal(repr(value)) else WrittenNumber(exact_text(number))


def exact_text(number: Decimal) -> str:
    """A finite decimal as the text that other formats have of the same number, never by way of a float."""
    if abs(number.adjusted()) > _LONGEST:
        return str(number)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


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
        if type(value) is WrittenNumber:
            text = value.text
        else:
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
    if isinstance(value, float) and not isinstance(value, WrittenNumber):  # it is written as it would be read again
        return text
    if text.isalpha() or _INTEGER.fullmatch(text) or not _NUMBER.fullmatch(text):
        return text
    return canonical(float(text))
