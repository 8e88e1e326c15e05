"""How large a change must be before a significant one is drift."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.contract.tables import Monitor

Q = 0.01
"""The share of false ones that Benjamini and Hochberg's procedure allows among the tests of a window that count."""
JOINT_AUC = 0.55
"""How well a classifier must tell window from reference: a shift of one normal feature by 0.18 standard deviations."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`psi` for distributions, `share` for the rows that are missing, unseen, out of range or refused, `auc` jointly.

    `min_rows` of the window are needed to say anything.
    """

    psi: float = 0.1
    share: float = 0.05
    auc: float = JOINT_AUC
    min_rows: int = 200
    q: float = Q

    @classmethod
    def of(cls, monitor: Monitor) -> Limits:
        """The limits of a contract. A share moves by half of `drift_psi`: 5 points where 0.1 is set."""
        return cls(psi=monitor.drift_psi, share=monitor.drift_psi / 2, min_rows=monitor.min_rows)
