"""The names of columns in a file, compared with those of a contract: which are absent, and which only look absent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from andamio.contract import Contract
from andamio.contract.canonical import composed
from andamio.contract.tables import RESERVED
from andamio.suggestion import nearest

_SHOWN, _NAMES, _LONGEST_SHOWN = 10, 20, 60
_UNIT = re.compile(r"[\r\n(\[{]")
"""Where a unit begins behind a name: in brackets, or on a line of its own."""
_SHORTEST = 4
"""Letters of a word below which another letter makes another word: sensor_a is not sensor_b."""


@dataclass(frozen=True, slots=True)
class NamesFound:
    """The columns of the contract in a file: which are found and which are absent.

    `absent` are the columns that the file has under no name, `near` those that it has under a name that looks
    like a slip (contract's name to file's name). `none` says that no feature of the model is there at all.
    """

    absent: tuple[str, ...] = ()
    near: Mapping[str, str] = field(default_factory=dict)
    none: bool = False


def compare_names(names: Iterable[str], contract: Contract, *, training: bool) -> NamesFound:
    """Compare the names of a file with a contract; with `training`, all columns of [problem] are required too.

    A scored file is asked for the features of the model, [problem] id and [problem] time.
    """
    asked = _asked(contract, training=training)
    found = dict.fromkeys(composed(name) for name in names)
    known = _known(contract)
    absent = [name for name in asked if name not in found]
    unknown = [name for name in found if name and name not in known]
    near = {name: other for name in absent if (other := near_name(name, unknown)) is not None}
    none = not any(name in found for name in contract.inputs)
    return NamesFound(tuple(name for name in absent if name not in near), near, none)


def required_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that every file to train on must have; an optional feature may be missing as a column too."""
    features = [name for name, feature in contract.inputs.items() if feature.required]
    return tuple(dict.fromkeys((*features, *_roles(contract))))


def why_unusable(names: Sequence[str], contract: Contract) -> str:
    """Why a file with these columns cannot be trained on, or "": what it lacks, the nearest name, what it has."""
    columns = frozenset({*contract.features, *_roles(contract)})
    lacking = [name for name in required_columns(contract) if name not in names]
    if not lacking:
        return objection_to(compare_names(names, contract, training=True), contract)
    extra = [name for name in names if name and name not in columns]
    missing = []
    for name in lacking[:_NAMES]:
        similar = similar_name(name, extra)
        missing.append(f"'{name}'" + (f" (is it '{visible(similar)}'?)" if similar else ""))
    shown = [visible(name) for name in names if name]
    there = ", ".join(shown[:_NAMES]) + (", ..." if len(shown) > _NAMES else "")
    noun = "the column" if len(missing) == 1 else "the columns"
    more = ", ..." if len(lacking) > _NAMES else ""
    return f"lacks {noun} {', '.join(missing)}{more}; it has {there or 'no column names'}"


def slip_finder(contract: Contract, *, training: bool) -> Callable[[str], str | None]:
    """A function that returns the column which a name looks like and is not, or None: `compare_names` of one name.

    It is for files in which each row has names of its own.
    """
    asked, known = _asked(contract, training=training), _known(contract)

    def slip(name: str) -> str | None:
        name = composed(name)
        return None if name in known else next((column for column in asked if near_name(column, [name])), None)

    return slip


def objection_to(found: NamesFound, contract: Contract) -> str:
    """Why a file with these names is refused as a whole, or "": a column of the model has another name, or all have."""
    if found.near:
        pairs = [f"'{visible(other)}' for '{name}'" for name, other in list(found.near.items())[:_SHOWN]]
        columns = "column" if len(found.near) == 1 else "columns"
        return (
            f"has the {columns} {_listed(pairs)} of problem.toml: rename {'it' if len(found.near) == 1 else 'them'}, "
            "or take out what is another column"
        )
    if found.none:
        inputs = [f"'{name}'" for name in contract.inputs]
        more = ", ..." if len(inputs) > _SHOWN else ""
        return f"has no column of the model, which uses {', '.join(inputs[:_SHOWN])}{more}"
    return ""


def near_name(name: str, others: Sequence[str]) -> str | None:
    """The other name that is this one but for case, accents, spaces and marks, a unit behind it, or one letter."""
    return next((other for other in others if _folded(other) == _folded(name)), None) or next(
        (other for other in others if _is_slip(name, other)), None
    )


def similar_name(name: str, others: Sequence[str]) -> str | None:
    """The other name that may be meant: a near one, else the most similar one."""
    return near_name(name, others) or nearest(name, others)


def visible(name: str) -> str:
    """A name of a file as a message shows it: of a length to read, its invisible characters escaped."""
    shown = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "..."
    return shown if shown.isprintable() else repr(shown)[1:-1]


def in_contract_form(record: Mapping[str, object], allowed: Collection[str]) -> Mapping[str, object]:
    """A record whose names are composed, where that makes them names that are allowed and none comes twice."""
    renamed = {composed(name) if isinstance(name, str) else name: value for name, value in record.items()}
    return renamed if len(renamed) == len(record) and renamed.keys() <= set(allowed) else record


def _asked(contract: Contract, *, training: bool) -> tuple[str, ...]:
    problem = contract.problem
    roles = (problem.id, problem.time, *((contract.label_column, problem.group) if training else ()))
    features = contract.features if training else contract.inputs
    return tuple(dict.fromkeys((*features, *(role for role in roles if role is not None))))


def _known(contract: Contract) -> frozenset[str]:
    return frozenset({"", *contract.features, *RESERVED, *_roles(contract)})


def _roles(contract: Contract) -> list[str]:
    problem = contract.problem
    return [name for name in (contract.label_column, problem.id, problem.group, problem.time) if name is not None]


def _folded(name: str) -> str:
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    """The words of a name without its unit, in lower case and without accents."""
    whole = _UNIT.split(name, maxsplit=1)[0].strip() or name
    letters = (letter for letter in unicodedata.normalize("NFKD", whole) if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", "".join(letters).casefold())


def _is_slip(name: str, other: str) -> bool:
    """Whether one letter of one word is all that differs."""
    words, others = _words(name), _words(other)
    if len(words) != len(others):
        return False
    differing = [(one, two) for one, two in zip(words, others, strict=True) if one != two]
    return len(differing) == 1 and min(map(len, differing[0])) >= _SHORTEST and _one_letter(*differing[0])


def _one_letter(one: str, two: str) -> bool:
    """Whether a letter behind the first was added, left out or changed, or two neighbours changed places.

    Another first letter makes another word (weight, height), and a digit tells names apart (q1, q2).
    """
    start = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    one, two = one[start:], two[start:]
    while one and two and one[-1] == two[-1]:
        one, two = one[:-1], two[:-1]
    if start == 0 or any(letter.isdigit() for letter in one + two):
        return False
    return (len(one) <= 1 and len(two) <= 1) or (len(one) == 2 and one == two[::-1])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
