"""Records that the contract refused: a signal of its own, which needs no row that was accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from andamio.stats.shares import wilson
from monitoring.drift import two_samples
from monitoring.drift.limits import Limits
from monitoring.results import FieldRows, RejectDrift, Rejects, UsualRejects

ASSUMED_SHARE = 0.01
"""The share of refused records that a reference is taken to have where nobody knows it."""
_SURE = 5.0
"""Standard errors by which a share may be larger than it looks: of small windows the lowest is low by chance."""
_CHOSEN = 10
"""What a p-value against the lowest of many windows is multiplied by: `python -m benchmarks.watch rejects`."""

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
    whole: float | None

    def p_values(self) -> Iterator[float | None]:
        """Of every test."""
        yield self.whole
        yield from self.p.values()

    def result(self, p_limit: float, limits: Limits) -> Rejects:
        """What is reported, once the p-values that count are known."""
        enough = self.window.rows >= limits.min_rows
        reasons = [self._reason(key, p_limit, limits, enough) for key in self.window.reasons]
        reasons.sort(key=lambda reason: (not reason.drifted, -reason.share, reason.field, reason.code))
        own = share(self.window)
        reference = None if self.before is None else share(self.before)
        assumed = ASSUMED_SHARE if reference is None else reference
        drifted = enough and self.whole is not None and self.whole <= p_limit and own - assumed >= limits.share
        alarm = drifted or any(one.drifted for one in reasons)
        return Rejects(
            status="not-enough-data" if not enough else "drift" if alarm else "ok",
            rows=self.window.rows,
            rejected=self.window.rejected,
            share=own,
            reference=reference,
            p=self.whole,
            drifted=drifted,
            reasons=reasons,
            usual=None if self.before is None else _usual(self.before),
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


def share(refused: Refused) -> float:
    """The share of the records sent that was refused."""
    return refused.rejected / max(1, refused.rows)


def at_most(refused: Refused) -> float:
    """The share that is refused at most, for all that the records say."""
    return wilson(share(refused), max(1, refused.rows), _SURE)[1]


def lowest(rejects: Iterable[Rejects], sealed: Refused | None = None) -> Refused | None:
    """What is usual by the refused records of earlier windows, and of the data trained on; None where none says.

    It is what surely refused least (`at_most`): the data, of which the release `sealed` what the contract refused, a
    window without the alarm, or what was usual in such a window. Neither a fault that stays becomes what is usual, nor
    one that grows from day to day; and what the data always had rings no alarm.
    """
    known = [] if sealed is None or not sealed.rows else [sealed]
    for one in rejects:
        if one.usual is not None:
            reasons = {(reason.field, reason.code): reason.rows for reason in one.usual.reasons}
            known.append(Refused(one.usual.rows, one.usual.rejected, reasons))
        if one.status == "ok":
            known.append(Refused(one.rows, one.rejected, {(each.field, each.code): each.rows for each in one.reasons}))
    return min(known, key=at_most, default=None)


def measure(window: Refused, before: Refused | None) -> MeasuredRejects:
    """Whether more records are refused than `before`: all of them, and by field and code.

    `before` is what earlier windows had; None where nobody knows it: then one record in a hundred is taken as usual.
    A p-value against it is ten times that of the test, since it was chosen as the lowest.
    """
    known = before if before is not None and before.rows > 0 else None

    def p_value(rows: int, had: int) -> float | None:
        rows = min(rows, window.rows)
        if known is None:
            return two_samples.beyond_share(rows, window.rows, ASSUMED_SHARE)
        p = two_samples.two_shares(min(had, known.rows), known.rows, rows, window.rows, greater=True)
        return None if p is None else min(1.0, _CHOSEN * p)

    found = {
        key: p_value(rows, 0 if known is None else known.reasons.get(key, 0)) for key, rows in window.reasons.items()
    }
    whole = p_value(window.rejected, 0 if known is None else known.rejected) if window.rejected else None
    return MeasuredRejects(window, known, found, whole)


def _usual(before: Refused) -> UsualRejects:
    reasons = [FieldRows(field=field, code=code, rows=rows) for (field, code), rows in sorted(before.reasons.items())]
    return UsualRejects(rows=before.rows, rejected=before.rejected, reasons=reasons)
