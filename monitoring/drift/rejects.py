"""Records that the contract refused: a signal of its own, which needs no row that was accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitoring.drift import two_samples
from monitoring.drift.limits import Limits
from monitoring.results import RejectDrift, Rejects

ASSUMED_SHARE = 0.01
"""The share of refused records that a reference is taken to have where nobody knows it."""

Counts = Mapping[tuple[str, str], int]
"""Refused records by field and code."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Records sent and refused, in the window or before it: `rows` of all, `rejected` of them, by reason."""

    rows: int
    rejected: int
    reasons: Counts


@dataclass(frozen=True, slots=True)
class MeasuredRejects:
    """Rejects of a window and what they are compared with, before it is known which p-values count."""

    window: Refused
    before: Refused | None
    p: Mapping[tuple[str, str], float | None]

    def p_values(self) -> Iterator[float | None]:
        """Of every test."""
        yield from self.p.values()

    def result(self, p_limit: float, limits: Limits) -> Rejects:
        """What is reported, once the p-values that count are known."""
        enough = self.window.rows >= limits.min_rows
        reasons = [self._reason(key, p_limit, limits, enough) for key in self.window.reasons]
        reasons.sort(key=lambda reason: (not reason.drifted, -reason.share, reason.field, reason.code))
        return Rejects(
            status="not-enough-data" if not enough else "drift" if any(one.drifted for one in reasons) else "ok",
            rows=self.window.rows,
            rejected=self.window.rejected,
            share=self.window.rejected / max(1, self.window.rows),
            reference=None if self.before is None else self.before.rejected / max(1, self.before.rows),
            reasons=reasons,
        )

    def _reason(self, key: tuple[str, str], p_limit: float, limits: Limits, enough: bool) -> RejectDrift:
        rows, p = self.window.reasons[key], self.p[key]
        own = rows / max(1, self.window.rows)
        reference = None if self.before is None else self.before.reasons.get(key, 0) / max(1, self.before.rows)
        assumed = ASSUMED_SHARE if reference is None else reference
        return RejectDrift(
            field=key[0],
            code=key[1],
            rows=rows,
            share=own,
            reference=reference,
            p=p,
            drifted=enough and p is not None and p <= p_limit and own - assumed >= limits.share,
        )


def measure(window: Refused, before: Refused | None) -> MeasuredRejects:
    """Whether more records are refused than `before`, by field and code.

    `before` is what ETL refused of the reference's data, or what earlier windows had; None where nobody knows it: then
    one record in a hundred is taken as usual.
    """
    known = before is not None and before.rows > 0
    found = {}
    for key, rows in window.reasons.items():
        rows = min(rows, window.rows)
        if before is not None and known:
            had = min(before.reasons.get(key, 0), before.rows)
            found[key] = two_samples.two_shares(had, before.rows, rows, window.rows, greater=True)
        else:
            found[key] = two_samples.beyond_share(rows, window.rows, ASSUMED_SHARE)
    return MeasuredRejects(window, before if known else None, found)
