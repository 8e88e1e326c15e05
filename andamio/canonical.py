"""One text for each value, whatever it was written as: what categories, ids and split keys compare by."""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"^(-?(?:0|[1-9][0-9]*))\.0+$")
_DECIMAL = re.compile(r"^(-?(?:0|[1-9][0-9]*)\.[0-9]*?[1-9])0+$")
_TRUTH = {"True": "true", "False": "false", "-0": "0"}


def canonical(value: object) -> str:
    """The canonical text of a category or an id: 4, 4.0 and "4" are "4"; True and "true" are "true".

    No value (None, NaN) is the empty text. Leading zeros are kept: "007" is not 7.
    """
    if isinstance(value, str):
        text = value.strip()
    elif value is None:
        return ""
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, float):
        if math.isnan(value):
            return ""
        text = repr(float(value))
    else:
        text = str(value)
    whole = _WHOLE.match(text)
    if whole:
        text = whole.group(1)
    return _TRUTH.get(text, text)


def canonical_number(value: object) -> str:
    """Like `canonical`, and "2.30" is "2.3": for split keys, where equal records must share a side."""
    text = canonical(value)
    decimal = _DECIMAL.match(text)
    return decimal.group(1) if decimal else text
