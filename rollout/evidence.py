"""What is known of a trial: what captures wrote of it, added up, and the labels that came."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

from andamio import names
from andamio.captures.trials import TrialRow, better, error_of, milliseconds_of
from andamio.feedback import Feedback
from andamio.storage.ports import Objects
from monitoring.received import read_feedback
from rollout.added import add_up
from rollout.ranks import chance_of_larger
from rollout.rule import Errors, Evidence


def gather(lake: Objects, rollout: str, since: datetime, now: datetime) -> Evidence:
    """Add up what there is of a trial; raises `DocumentError` for a part that cannot be read."""
    known = add_up(lake, rollout)
    rows, scored = known.rows, known.scored
    labels = _labelled(rows.values(), read_feedback(lake, since, now + timedelta(seconds=1)))
    said = [(rows[name], label) for name, label in labels.items()]
    by_champion = [row.label == label for row, label in said if row.variant == names.CHAMPION]
    by_challenger = [row.label == label for row, label in said if row.variant == names.CHALLENGER]
    shadowed = [
        (better(row.label, row.shadow, label), better(row.shadow, row.label, label))
        for row, label in said
        if row.shadow is not None
    ]
    if shadowed:
        by_champion, by_challenger = [one for one, _ in shadowed], [other for _, other in shadowed]
    errors = None if shadowed else _errors(said)
    challenger = names.SHADOW if scored[names.SHADOW] else names.CHALLENGER
    return Evidence(
        champion_scored=scored[names.CHAMPION],
        challenger_scored=scored[challenger],
        champion_ms=_median(known.times.get(names.CHAMPION)),
        challenger_ms=_median(known.times.get(challenger)),
        faults=known.faults,
        failed=known.failed,
        pairs=known.pairs,
        disagreed=known.disagreed,
        champion_labelled=len(by_champion),
        champion_right=sum(by_champion),
        challenger_labelled=len(by_challenger),
        challenger_right=sum(by_challenger),
        errors=errors,
        only_champion=sum(one and not other for one, other in shadowed),
        only_challenger=sum(other and not one for one, other in shadowed),
    )


def _errors(said: list[tuple[TrialRow, str | float]]) -> Errors | None:
    """What the errors of a canary's numbers are; None where no answer is a number."""
    found: dict[str, list[float]] = {names.CHAMPION: [], names.CHALLENGER: []}
    for row, label in said:
        error = error_of(row.label, label)
        if error is not None and row.variant in found:
            found[row.variant].append(error)
    champion, challenger = found[names.CHAMPION], found[names.CHALLENGER]
    if not champion and not challenger:
        return None
    ours, theirs = (median(errors) if errors else None for errors in (champion, challenger))
    return Errors(ours, theirs, chance_of_larger(champion, challenger))


def _labelled(rows: Iterable[TrialRow], feedback: list[Feedback]) -> dict[str, str | float]:
    """The latest label of each prediction, by its id; one of a record is of its newest prediction before it came."""
    ids: set[str] = set()
    by_record: dict[str, list[tuple[datetime, str]]] = {}
    for row in rows:
        ids.add(row.prediction_id)
        if row.record_id is not None:
            by_record.setdefault(row.record_id, []).append((datetime.fromisoformat(row.time), row.prediction_id))
    for made in by_record.values():
        made.sort()
    labels: dict[str, str | float] = {}
    for one in feedback:
        if one.prediction_id is not None:
            if one.prediction_id in ids:
                labels[one.prediction_id] = one.label
        elif one.record_id in by_record:
            made = by_record[one.record_id]
            place = bisect_right([moment for moment, _ in made], one.received) - 1
            if place >= 0:
                labels[made[place][1]] = one.label
    return labels


def _median(times: Counter[int] | None) -> float | None:
    if not times:
        return None
    half, passed = times.total() / 2, 0
    for bucket in sorted(times):
        passed += times[bucket]
        if passed >= half:
            return milliseconds_of(bucket)
    return None
