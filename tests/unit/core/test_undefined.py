"""What is not a number is null in JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from andamio.stats.undefined import undefined_as_null


@dataclass
class Figure:
    value: float
    low: float


def test_what_is_not_finite_is_null_wherever_it_is():
    given = {"a": math.nan, "b": [1.5, math.inf, (np.float64("nan"), "nan")], "c": Figure(0.5, -math.inf), "d": None}
    assert undefined_as_null(given) == {
        "a": None,
        "b": [1.5, None, [None, "nan"]],
        "c": {"value": 0.5, "low": None},
        "d": None,
    }


def test_what_is_defined_stays_what_it_is():
    given = {"whole": 7, "true": True, "number": 0.1 + 0.2, "text": "x"}
    assert undefined_as_null(given) == given
    assert undefined_as_null(True) is True
