"""One line of JSON Lines: the object it holds, or why it holds none."""

from __future__ import annotations

import json
from typing import NoReturn

_LONGEST_SHOWN = 60


class NoJson(ValueError):
    """Constants that Python reads and JSON does not have, or whose meaning is not certain."""


def json_record(line: str) -> dict[str, object]:
    """One line's object; raises `ValueError` with the reason, which does not repeat the line."""
    try:
        record = json.loads(line, parse_constant=no_constant, object_pairs_hook=object_of)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not a JSON object: {error.msg} at character {error.colno}") from None
    except NoJson:
        raise
    except ValueError:
        raise ValueError("holds a number of more digits than can be read") from None
    except RecursionError:
        raise ValueError("is not a JSON object that can be read: it is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object of column names and values")
    if "\\u" in line and not _encodable(record):
        raise ValueError("holds half a character (a lone surrogate such as \\ud800), which is no text")
    return record


def no_constant(name: str) -> NoReturn:
    """Refuse `NaN` and its like: what `json.loads` takes as `parse_constant`."""
    raise NoJson(f"{name} is no JSON; leave the field out, or write null, where there is no value")


def object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of its keys and values, each key once: what `json.loads` takes as `object_pairs_hook`."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NoJson(f"has the key '{_shown(key)}' twice: keep one of them")
            seen.add(key)
    return found


def _shown(key: str) -> str:
    return key if len(key) <= _LONGEST_SHOWN else key[:_LONGEST_SHOWN] + "..."


def _encodable(record: dict[str, object]) -> bool:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
