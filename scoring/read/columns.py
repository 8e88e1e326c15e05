"""The columns of a file compared with the contract: missing ones, duplicates, and the names of added ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from andamio.contract import Contract
from andamio.records.names import compare_names, objection_to, similar_name, visible
from andamio.tabular.columns import check_doubled, scored_columns
from andamio.tabular.refused import RefusedFile

PREFIX = "andamio_"

_SHOWN = 40


def wanted(contract: Contract) -> frozenset[str]:
    """The names of all columns to find in a file."""
    own = contract.problem.id
    return frozenset({*scored_columns(contract), *(() if own is None else (own,))})


def check_columns(names: Sequence[str], contract: Contract, *, where: str = "header has") -> None:
    """Raise `RefusedFile` when a required column is missing, one that is used is there twice or under another name.

    The message names all of them, suggests what else may be meant, and says what there is.
    """
    check_doubled(names, wanted(contract))
    lacking = [name for name, feature in contract.inputs.items() if feature.required and name not in names]
    if not lacking:
        objection = objection_to(compare_names(names, contract, training=False), contract)
        if objection:
            raise RefusedFile(f"{objection}.", fault="misnamed-column")
        return
    free = [name for name in names if name not in wanted(contract)]
    close = {name: near for name in lacking if (near := similar_name(name, free)) is not None}
    hints = "".join(f" Is '{visible(near)}' meant to be '{name}'?" for name, near in close.items())
    raise RefusedFile(
        f"lacks the column{'s' * (len(lacking) > 1)} {_listed(lacking)}, which the model needs.{hints} "
        f"Its {where}: {', '.join(visible(name) for name in names[:_SHOWN]) or 'nothing'}"
        + (f" and {len(names) - _SHOWN} more." if len(names) > _SHOWN else "."),
        fault="missing-column",
    )


def record_column(names: Collection[str], contract: Contract) -> str | None:
    """The column with the caller's ids: the contract's, else one called `record_id` or `id`, unless that is used."""
    stated = contract.problem.id
    if stated is not None and stated in names:
        return stated
    used = {*contract.features, contract.problem.target}
    return next((name for name in ("record_id", "id") if name in names and name not in used), None)


def names_out(names: Collection[str], columns: Iterable[str]) -> dict[str, str]:
    """What each added column is called, by its own name, so that none has the name of one in the file.

    `columns` are those of an answer.

    Capitals and small letters are one here, as they are to SQLite and to spreadsheets.
    """
    own = ["prediction_id", *columns, "model_version"]
    taken = {name.casefold() for name in names}
    called: dict[str, str] = {}
    for name in own:
        choice, number = name, 1
        while choice.casefold() in taken:
            number += 1
            choice = PREFIX + name if number == 2 else f"{PREFIX}{name}_{number - 1}"
        called[name] = choice
        taken.add(choice.casefold())
    return called


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
