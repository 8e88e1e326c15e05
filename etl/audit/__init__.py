"""The leakage audit: properties of the data that make a model look better than it will be.

Pure functions over the rows of a data version. Features are checked on training rows alone. Of the
holdout, only records, groups and times are compared with train, never labels. A suspect is
evidence, not a verdict: it names a column, the numbers, and what to do about it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns
from andamio.dataset.documents import AuditEntry, DatasetAudit
from andamio.dataset.version import KEY
from etl.audit.across import across_the_split
from etl.audit.features import within_train
from etl.audit.suspects import KINDS, Suspect
from etl.audit.train import Train
from etl.audit.values import FINDINGS, Finding, findings
from etl.split import SealedSplit

MAX_ROWS = 100_000
"""Training rows that features are checked on. Rows lie in the order of a digest, so the first ones are a sample."""
_SUSPECTS_NAMED = 5

__all__ = ["FINDINGS", "KINDS", "MAX_ROWS", "Finding", "Suspect", "audit", "audit_document", "findings", "stop_message"]


def audit(
    contract: Contract,
    rows: Columns,
    labels: NDArray[np.int64],
    holdout: NDArray[np.bool_],
    split: SealedSplit,
    places: NDArray[np.int64],
    *,
    quarters: bool = False,
) -> tuple[list[Suspect], list[str]]:
    """All suspects of a data version, worst kinds first, and the kinds that were checked.

    `labels` `[rows]` are class indices, `holdout` `[rows]` marks holdout rows, `places` `[rows]`
    where each row stood in what was read. `quarters`: the classes are those of a number.
    """
    sample = np.flatnonzero(~holdout)[:MAX_ROWS]
    columns = {name: column[sample] for name, column in rows.items()}
    train = Train(contract, columns, labels[sample], rows[KEY][sample], places[sample], quarters)
    within, checked = within_train(train)
    across, checked_across = across_the_split(contract, rows, labels, holdout, split)
    suspects = sorted([*within, *across], key=lambda suspect: KINDS.index(suspect.kind))
    return suspects, sorted({*checked, *checked_across}, key=KINDS.index)


def audit_document(
    suspects: Sequence[Suspect], checked: Sequence[str], found: Sequence[Finding], train_rows: int
) -> DatasetAudit:
    """The content of audit.json, for a train of so many rows."""
    return DatasetAudit(
        rows=min(train_rows, MAX_ROWS),
        suspects=[AuditEntry(**asdict(suspect)) for suspect in suspects],
        checked=list(checked),
        findings=[AuditEntry(**asdict(finding)) for finding in found],
    )


def stop_message(content: DatasetAudit, version: str) -> str:
    """Why training is stopped for a data version with suspects, and what to do."""
    suspects = content.suspects
    messages = " ".join(suspect.message for suspect in suspects[:_SUSPECTS_NAMED])
    more = f" And {len(suspects) - _SUSPECTS_NAMED} more." if len(suspects) > _SUSPECTS_NAMED else ""
    count_text = "1 suspect" if len(suspects) == 1 else f"{len(suspects)} suspects"
    return (
        f"The leakage audit found {count_text}, and [training] leakage is {json.dumps('stop')}: {messages}{more} "
        f"All evidence: andamio report {version}. Fix the data or problem.toml and deploy again. If all suspects are "
        'harmless, set leakage = "warn".'
    )
