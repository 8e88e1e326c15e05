"""How dates are written other than in ISO 8601: a fixed set of strptime's directives, whatever the locale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

_DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
_NAMES = {"%Y": "year", "%m": "month", "%d": "day", "%H": "hour", "%M": "minute", "%S": "second"}
_PART = re.compile(r"%.|[^%]+|%$", re.DOTALL)
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
"""What is escaped in a pattern that JSON Schema has too: `re.escape` escapes more than that."""
_DAY = ("%Y", "%m", "%d")
EXAMPLE = date(2026, 3, 31)


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A format, and the pattern of what is written by it (as JSON Schema has it, anchored)."""

    text: str
    pattern: str
    _fields: tuple[str, ...]
    _compiled: re.Pattern[str]

    def read(self, text: str) -> datetime | None:
        """The moment that a text writes, or None where it is not written so, or is no day of the calendar."""
        match = self._compiled.fullmatch(text)
        if match is None:
            return None
        try:
            return datetime(**dict(zip(self._fields, map(int, match.groups()), strict=True)))  # type: ignore[arg-type]
        except ValueError:
            return None

    def write(self, moment: date) -> str:
        """A date, or a moment, as it is written: every number with all of its digits."""
        values = {part: f"{getattr(moment, name, 0):0{_DIGITS[part]}}" for part, name in _NAMES.items()}
        return "".join(values.get(part, part) for part in _PART.findall(self.text))

    @property
    def example(self) -> str:
        """The last of March 2026, which tells days from months."""
        return self.write(EXAMPLE)


@lru_cache(maxsize=64)
def date_format(text: str) -> DateFormat:
    """The format of a text such as `%d/%m/%Y`; raises `ValueError` for what cannot be read by it alone.

    A number may lack its leading zero, except beside another number (`%Y%m%d`).
    """
    parts: list[str] = _PART.findall(text)
    directives = [part for part in parts if part.startswith("%")]
    unknown = [part for part in directives if part not in _DIGITS]
    if unknown:
        raise ValueError(
            f"'{unknown[0]}' is not one of %d, %m, %Y, %H, %M, %S"
            + (" (two digits do not say the century)" if unknown[0] == "%y" else "")
        )
    if not set(_DAY) <= set(directives) or len(set(directives)) < len(directives):
        raise ValueError('expected %d, %m and %Y once each, such as "%d/%m/%Y", and %H, %M, %S at most once')
    if text != text.strip() or any(letter.isdigit() for letter in text):
        raise ValueError("expected no digits, and no space at either end")
    patterns = []
    for index, part in enumerate(parts):
        beside = any(other.startswith("%") for other in (*parts[index - 1 : index], *parts[index + 1 : index + 2]))
        if not part.startswith("%"):
            patterns.append(_SPECIAL.sub(r"\\\g<0>", part))
        elif part == "%Y" or beside:
            patterns.append(f"([0-9]{{{_DIGITS[part]}}})")
        else:
            patterns.append("([0-9]{1,2})")
    pattern = "".join(patterns)
    return DateFormat(text, f"^{pattern}$", tuple(_NAMES[part] for part in directives), re.compile(pattern))
