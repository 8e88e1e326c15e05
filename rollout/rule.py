"""The rule that ends a trial: promote the challenger, withdraw it, or wait. A pure function of what was counted.

A challenger is withdrawn as soon as its faults, its time or the labels that have come say so. It is promoted at the end
of its minutes, when enough records were scored by it and nothing speaks against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from andamio.contract import Contract

MOST_FAULTS = 2
"""So many faults may be an accident of an environment that was ending; a model that was proven has none."""
FAULTY_SHARE = 0.001
"""And so small a share of records."""
SLOWER = 2.0
"""A challenger's median may be so many times the champion's, wherever it is above the gate's `max_latency_ms`."""
MIN_LABELS = 30
"""With fewer labels of the challenger's answers they decide nothing."""
CONFIDENCE = 0.99
"""How sure it must be that the challenger is right less often: the question is asked at each look."""
LONGEST = 10
"""With too few records a trial takes up to so many times its minutes."""
LOOKS = 10
"""How often a trial is looked at in its minutes; but not more than once a minute, and at least every ten."""

Status = Literal["wait", "promote", "withdraw"]


@dataclass(frozen=True, slots=True)
class Errors:
    """How far the numbers that each side of a canary answered lie from the true ones, as medians in the target's unit.

    None without a true number. `chance` is the probability that errors of one kind of model differ so much to the
    challenger's disadvantage.
    """

    champion: float | None
    challenger: float | None
    chance: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted of a trial. Times are medians in ms a record, None without any.

    `faults` are requests in which the challenger gave no answer, of `failed` records. Of `pairs` (shadow) the labels
    differ in `disagreed`. Of `champion_labelled` and `challenger_labelled` answers with a true label so many are
    `right`; in a shadow's trial both are of the same records, and `only_champion` and `only_challenger` count those in
    which one alone is right. Numbers differ where one lies outside the other's interval. Beside a shadow a number is
    right where it is the nearer one; those of a canary have `errors`, and none of them is right.
    """

    champion_scored: int = 0
    challenger_scored: int = 0
    champion_ms: float | None = None
    challenger_ms: float | None = None
    faults: int = 0
    failed: int = 0
    pairs: int = 0
    disagreed: int = 0
    champion_labelled: int = 0
    champion_right: int = 0
    challenger_labelled: int = 0
    challenger_right: int = 0
    only_champion: int = 0
    only_challenger: int = 0
    errors: Errors | None = None

    def numbers(self) -> dict[str, float]:
        """What goes into the record of a decision: what there is of it."""
        found: dict[str, float | None] = {
            "champion_scored": self.champion_scored,
            "challenger_scored": self.challenger_scored,
            "champion_ms": self.champion_ms,
            "challenger_ms": self.challenger_ms,
            "faults": self.faults,
            "disagreement": self.disagreed / self.pairs if self.pairs else None,
            "champion_labelled": self.champion_labelled or None,
            "champion_right": None if self.errors else _share(self.champion_right, self.champion_labelled),
            "challenger_labelled": self.challenger_labelled or None,
            "challenger_right": None if self.errors else _share(self.challenger_right, self.challenger_labelled),
            "champion_error": None if self.errors is None else self.errors.champion,
            "challenger_error": None if self.errors is None else self.errors.challenger,
        }
        return {name: round(float(value), 6) for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a trial now, and why; `seconds` until the next look.

    `mark`: the challenger failed, so that it is not promoted again unless somebody forces it.
    """

    status: Status
    reason: str
    seconds: int = 0
    mark: bool = False


def judge(contract: Contract, strategy: str, evidence: Evidence, elapsed_seconds: float) -> Verdict:
    """The verdict so long after the trial began; `contract` is the deployed one."""
    rules, limit = contract.release, contract.gate.max_latency_ms
    fault = _fault(evidence, rules.min_requests, limit, paired=strategy == "shadow")
    if fault:
        return Verdict("withdraw", fault, mark=True)
    minutes, end = elapsed_seconds / 60, 60 * rules.minutes
    scored = evidence.challenger_scored
    if elapsed_seconds < end:
        return Verdict("wait", f"{minutes:.0f} of {rules.minutes} minutes have passed.", _until(end, elapsed_seconds))
    if scored < rules.min_requests:
        if elapsed_seconds < LONGEST * end:
            reason = f"It scored {scored} records of the {rules.min_requests} that decide."
            return Verdict("wait", reason, _pace(end))
        return Verdict(
            "withdraw",
            f"In {minutes:.0f} minutes it scored {scored} records, and {rules.min_requests} decide. Set a smaller "
            "[release] min_requests or a larger share, or promote it by hand.",
        )
    if strategy == "shadow" and evidence.disagreed > rules.max_disagreement * evidence.pairs:
        return Verdict(
            "withdraw",
            f"Its answer is another one than the champion's for {evidence.disagreed} of {evidence.pairs} records, more "
            f"than [release] max_disagreement = {rules.max_disagreement:g} allows.",
            mark=True,
        )
    return Verdict("promote", f"In {minutes:.0f} minutes it scored {scored} records, {_well(evidence, strategy)}.")


def _fault(evidence: Evidence, enough: int, limit_ms: float, *, paired: bool) -> str | None:
    scored, failed = evidence.challenger_scored, evidence.failed
    if evidence.faults > MOST_FAULTS and failed > FAULTY_SHARE * (scored + failed):
        return (
            f"It had no answer for {failed} of {scored + failed} records, in {evidence.faults} requests, all of which "
            "the champion answered."
        )
    ours, theirs = evidence.champion_ms, evidence.challenger_ms
    if ours is not None and theirs is not None and scored >= enough and theirs > max(limit_ms, SLOWER * ours):
        return (
            f"It takes {theirs:.2f} ms a record, the champion {ours:.2f} ms, and [gate] max_latency_ms is {limit_ms:g}."
        )
    if evidence.challenger_labelled < MIN_LABELS or evidence.champion_labelled < MIN_LABELS:
        return None
    if evidence.errors is not None:
        return _larger(evidence, evidence.errors)
    chance = _paired(evidence) if paired else _unpaired(evidence)
    if chance < 1 - CONFIDENCE:
        return (
            f"With the labels that came it is right in {evidence.challenger_right} of {evidence.challenger_labelled} "
            f"answers, the champion in {evidence.champion_right} of {evidence.champion_labelled}: by chance that "
            f"happens with probability {chance:.4f}."
        )
    return None


def _larger(evidence: Evidence, errors: Errors) -> str | None:
    if errors.champion is None or errors.challenger is None or errors.chance >= 1 - CONFIDENCE:
        return None
    return (
        f"With the labels that came half of its {evidence.challenger_labelled} answers are off by more than "
        f"{errors.challenger:.4g}, of the champion's {evidence.champion_labelled} by more than {errors.champion:.4g}: "
        f"by chance its errors are so much larger with probability {errors.chance:.4f}."
    )


def _paired(evidence: Evidence) -> float:
    """P of so few records, or fewer, in which the challenger alone is right (exact sign test, one-sided)."""
    few, many = evidence.only_challenger, evidence.only_champion
    if few >= many:
        return 1.0
    total = few + many
    # In logarithms: 2^-total is no float for thousands of records.
    logs = [
        math.lgamma(total + 1) - math.lgamma(one + 1) - math.lgamma(total - one + 1) - total * math.log(2)
        for one in range(few + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _unpaired(evidence: Evidence) -> float:
    """P of a share of right answers this much lower (two proportions, pooled, one-sided)."""
    first, second = evidence.champion_labelled, evidence.challenger_labelled
    pooled = (evidence.champion_right + evidence.challenger_right) / (first + second)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / first + 1 / second))
    if spread == 0:
        return 1.0
    z = (evidence.challenger_right / second - evidence.champion_right / first) / spread
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _well(evidence: Evidence, strategy: str) -> str:
    faults = "without a fault" if not evidence.faults else f"with {evidence.faults} faults"
    if strategy == "shadow":
        return f"{faults}, and its answer differs from the champion's for {evidence.disagreed} of {evidence.pairs}"
    return faults


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _pace(end: float) -> int:
    return int(min(600, max(60, end / LOOKS)))


def _until(end: float, elapsed: float) -> int:
    """Seconds until the next look: the end, if that is sooner."""
    return max(1, math.ceil(min(_pace(end), end - elapsed)))
