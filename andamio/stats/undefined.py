"""Numbers that JSON cannot represent: NaN and the infinities."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from typing import Any


def undefined_as_null(value: Any) -> Any:
    """The value for JSON: NaN and infinity become None, within dicts, lists and dataclasses too."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: undefined_as_null(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [undefined_as_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
