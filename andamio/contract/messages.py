"""Error messages for `problem.toml`: file, table and key, the expected value and the value found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from andamio.contract.tables import NOT_BUILT
from andamio.suggestion import did_you_mean

_GOT_SHOWN = 40
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "model_type": "a table",
    "string_pattern_mismatch": "a text without line breaks or other control characters",
    "string_too_short": "a text that is not empty",
    "string_type": "a text in quotes",
    "too_short": "at least one",
    "tuple_type": "a list",
}


_PLACE = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)")
_OF_A_KEY = ("after a key", "table declaration", "character for a key")
"""What tomllib says where a name ends too early, because it is not quoted."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ENDS_OF_A_KEY = frozenset(".=[]{},\"'#")


def unquoted_name(text: str, error: str) -> str:
    """What to do about a name of TOML that needs quotes and has none, or ""; `error` is what tomllib said."""
    place = _PLACE.search(error)
    if place is None or not any(part in error for part in _OF_A_KEY):
        return ""
    line, column = (int(number) - 1 for number in place.groups())
    lines = text.split("\n")
    shown = lines[line] if line < len(lines) else ""
    start = end = min(column, len(shown))
    while start and shown[start - 1] not in _ENDS_OF_A_KEY:
        start -= 1
    while end < len(shown) and shown[end] not in _ENDS_OF_A_KEY:
        end += 1
    name = shown[start:end].strip()
    if not name or _BARE.fullmatch(name):
        return ""
    return f". A name with accents, spaces or signs stands in quotes: {json.dumps(name, ensure_ascii=False)}"


def explain(error: ValidationError, root: type[BaseModel], file: str) -> str:
    """Every error as a line `FILE: [table] key: what was expected`, with the nearest known key where one is unknown."""
    lines = []
    for item in error.errors(include_url=False):
        path = [str(part) for part in item["loc"] if part != "[key]"]
        place, said = _place(path), _message(item, root, path)
        named = bool(path) and said.startswith(f"[{path[0]}] ")
        lines.append(f"{file}: {said if named else place + said}")
    return "\n".join(dict.fromkeys(lines))


def _message(item: Mapping[str, Any], root: type[BaseModel], path: list[str]) -> str:
    kind, said = str(item["type"]), str(item["msg"])
    if kind == "extra_forbidden" and tuple(path) in NOT_BUILT:
        return "is reserved and not built yet; leave it out"
    if kind == "extra_forbidden":
        return "unknown key" + _nearest(path[-1], _keys_of(root, path[:-1]))
    if kind == "missing":
        return "is missing" if len(path) > 1 else "this table is missing"
    if kind == "value_error":  # our own words
        return said.removeprefix("Value error, ")
    expected = _EXPECTED.get(kind) or said.removeprefix("Input should be ")
    return f"expected {expected}{_got(item['input'])}"


def _got(value: object) -> str:
    """; got 5` for a plain value: a contract is no secret; nothing for a table or a list."""
    if not isinstance(value, str | int | float):
        return ""
    shown = json.dumps(value, ensure_ascii=False)
    return f"; got {shown}" if len(shown) <= _GOT_SHOWN else ""


def _place(path: list[str]) -> str:
    """`[features.age] min: ` for ("features", "age", "min"); nothing when the message names its place itself."""
    if not path:
        return ""
    if path == ["format"]:  # the one key outside of all tables
        return "format: "
    depth = 2 if path[0] in ("features", "raw") else 1
    table, key = [json.dumps(part) if not part.isprintable() else part for part in path[:depth]], path[depth:]
    return f"[{'.'.join(table)}] {'.'.join(key)}: " if key else f"[{'.'.join(table)}] "


def _keys_of(model: Any, path: list[str]) -> list[str]:
    """The keys of the table at a path, none where any key goes."""
    for position, part in enumerate(path):
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        found = [arg for arg in (field.annotation, *get_args(field.annotation)) if hasattr(arg, "model_fields")]
        if not found:
            return []
        model = found[0]
        if field.annotation is not model:  # a table of tables: the next part is a name that the user chose
            return _keys_of(model, path[position + 2 :])
    return list(getattr(model, "model_fields", {}))


def _nearest(key: str, known: list[str]) -> str:
    return did_you_mean(key, known, f"; known are {', '.join(known)}" if known else "")
