"""The names of the files that are written: two that come from two files never have one name."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from andamio.tabular.signature import ENDINGS


def stem_of(name: str) -> str:
    """The name of a data file without its ending and .gz; a point before them stays.

    >>> stem_of("data.2023.csv.gz")
    'data.2023'
    """
    plain = name[:-3] if name.lower().endswith(".gz") else name
    ending = next((ending for ending in ENDINGS if plain.lower().endswith(ending)), "")
    return plain[: len(plain) - len(ending)]


def free_name(stem: str, ending: str, taken: Collection[str]) -> str:
    """A name that no file of `taken` has, in whatever case, with a number where it needs one.

    >>> free_name("d", ".csv", ["D.csv"])
    'd-2.csv'
    """
    lower = {name.lower() for name in taken}
    numbered = (f"{stem}{'' if number == 1 else f'-{number}'}{ending}" for number in count(1))
    return next(name for name in numbered if name.lower() not in lower)
