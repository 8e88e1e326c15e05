"""What ETL says of a draft, and what is corrected for it: nothing is written that was not read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from andamio.cli.check.rehearsal import Rehearsal, rehearse
from andamio.cli.check.sample import sampled
from andamio.cli.console import step
from andamio.cli.new.document import Draft, toml_of
from andamio.cli.new.draft import Decision
from andamio.contract import Contract
from andamio.errors import ContractError, InputFileError
from etl.audit.suspects import COPY, IDENTIFIER, LATER, MISSING

_HIDES = (COPY, MISSING, LATER)
"""Kinds of suspects that are marked as known only afterwards; the others are pointed out."""
_TRIES = 4


def correct(draft: Draft, files: Mapping[str, Path]) -> Rehearsal:
    """Run ETL on what would be written, and correct what it refuses or suspects; what remains is in the result."""
    for _ in range(_TRIES):
        if not draft.used:
            raise InputFileError(
                "No column can be a feature: " + " ".join(f"{one.name}: {one.comments[-1]}" for one in draft.decisions)
            )
        contract = _contract(draft)
        with step("Rehearsing ETL"):
            rehearsal = rehearse(contract, {name: sampled(path, contract)[0] for name, path in files.items()})
        if not _changed(draft, rehearsal):
            return rehearsal
    return rehearsal


def _contract(draft: Draft) -> Contract:
    """What is written, read back; a column whose name collides with a part of a date is left out."""
    while True:
        try:
            return Contract.from_toml(toml_of(draft))
        except ContractError as error:
            culprit = next((one for one in draft.used if f"'{one.name}' is there twice" in str(error)), None)
            if culprit is None:
                raise
            culprit.leave_out("a part of a date is called like it. Call it otherwise in the file to use it.")


def _changed(draft: Draft, rehearsal: Rehearsal) -> bool:
    """Whether the draft was corrected by what ETL said."""
    if rehearsal.refused:
        return _relieve(draft, rehearsal)
    changed = False
    for suspect in rehearsal.audit.suspects if rehearsal.audit else ():
        decision = draft.of(suspect.feature)
        if decision is None or not decision.used or suspect.message in decision.comments:
            continue
        hidden = not decision.keys.get("available_at_prediction", True)
        if suspect.kind == IDENTIFIER:
            decision.leave_out(suspect.message)
            changed = True
        elif suspect.kind in _HIDES and not hidden and sum(is_served(one) for one in draft.used) > 1:
            decision.comments.append(f"{suspect.message} It is set so here: take the line out if it is known before.")
            decision.keys["available_at_prediction"] = False
            changed = True
        else:
            decision.comments.append(suspect.message)
    for finding in rehearsal.audit.findings if rehearsal.audit else ():
        decision = draft.of(finding.feature)
        if decision is not None and finding.message not in decision.comments:
            decision.comments.append(finding.message)
    for reason in rehearsal.info.reasons if rehearsal.info else ():
        decision = draft.of(reason.column)
        text = f"{reason.rows} rows are rejected: {reason.reason}."
        if decision is not None and text not in decision.comments and not changed:
            decision.comments.append(text)
    return changed


def is_served(decision: Decision) -> bool:
    """Whether a feature is one that a prediction is made of."""
    return bool(decision.keys.get("available_at_prediction", True))


def _relieve(draft: Draft, rehearsal: Rehearsal) -> bool:
    """Leave out the features for which most rows would be rejected; whether there are any."""
    info = rehearsal.info
    if info is None or not info.reasons:
        return False
    worst = max(info.reasons, key=lambda reason: reason.rows)
    decision = draft.of(worst.column)
    if decision is None or not decision.used or len(draft.used) < 2:
        return False
    decision.leave_out(f"{worst.rows} rows would be rejected for it ({worst.reason}).")
    return True
