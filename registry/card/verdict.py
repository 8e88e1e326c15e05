"""The card's first paragraph: may this model be relied on, and what stands against it.

Plain rules, so that two readers of the same figures come to the same words. They decide nothing: the gate did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from andamio.stats.metrics import higher_is_better
from registry.card.facts import Facts, Json
from registry.card.wording import code, counted, family, interval, listed, metric, number, said

SMALL_HOLDOUT = 200
"""Rows below which one figure on a holdout is too coarse to be read without its interval."""
POOR_CALIBRATION = 0.1
"""Probabilities that are this far off on average, and further than by chance, are not to be taken at their word."""
PLAIN = "logistic_regression"

Level = Literal["no", "care", "yes"]
_LEADS: dict[Level, str] = {
    "no": "Do not rely on this model.",
    "care": "Use this model with care.",
    "yes": "This model can be relied on within its limits.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict in one paragraph of Markdown, and how far to trust."""

    level: Level
    words: str


def judge(facts: Facts) -> Verdict:
    """Read the verdict off the figures: what forbids, then what asks for care."""
    forbids, cares = _forbids(facts), _cares(facts)
    level: Level = "no" if forbids else "care" if cares else "yes"
    sentences = [f"**{_LEADS[level]}**", _evidence(facts), *forbids, *_success(facts), *cares, _gate(facts)]
    return Verdict(level, " ".join(sentence for sentence in sentences if sentence))


def success_holds(facts: Facts) -> bool | None:
    """Whether what the contract asks for is met; None when it asks for nothing."""
    success = facts.evaluation.get("success")
    return None if not success else bool(success["holds"])


def gain_over(facts: Facts, baseline: str) -> Json | None:
    """The gain over a baseline in the contract's metric, on the same rows and resamples; None when that is unknown."""
    found: Json = ((facts.evaluation.get("gains") or {}).get(baseline) or {}).get(facts.metric) or {}
    return None if facts.low_evidence or found.get("low") is None or found.get("high") is None else found


def beats(facts: Facts, baseline: str) -> bool | None:
    """Whether it is better than a baseline, beyond chance; None when that is unknown."""
    gain = gain_over(facts, baseline)
    if gain is not None:
        return bool(gain["low"] > 0)
    other = ((facts.evaluation.get("baselines") or {}).get(baseline) or {}).get(facts.metric)
    ends = facts.figure.get("low"), facts.figure.get("high")
    if not other or other.get("value") is None or ends[0] is None or ends[1] is None:
        return None
    return bool(ends[0] > other["value"] if higher_is_better(facts.metric) else ends[1] < other["value"])


def _evidence(facts: Facts) -> str:
    rows, name = facts.evaluation["rows"], metric(facts.metric)
    shown = interval(facts.figure).replace(" (", " (95% interval ")
    if facts.low_evidence:
        counts = facts.evaluation.get("classes") or {}
        few = f", {min(counts.values())} of one class" if counts else ""
        where = "in repeated cross-validation" if facts.evaluation.get("cross_validated") else "on it"
        return (
            f"**The evidence is low**: only {counted(rows, 'row')} were held out{few}, too few to judge by. "
            f"{name[:1].upper() + name[1:]} {where} is {shown}."
        )
    return f"On {counted(rows, 'row')} that no training run saw, {name} is {shown}."


def _forbids(facts: Facts) -> list[str]:
    found = []
    if facts.figure.get("value") is None:
        found.append("The metric is undefined on these rows: nothing is known of how good it is.")
    if beats(facts, "majority_class") is False or _failed_against_majority(facts.decision):
        found.append("It is not provably better than always saying the most frequent class.")
    if success_holds(facts) is False:
        found.append(f"The contract asks for {code(facts.evaluation['success']['rule'])}, and that is **not met**.")
    return found


def _success(facts: Facts) -> list[str]:
    if success_holds(facts) is not True:
        return []
    return [f"The contract asks for {code(facts.evaluation['success']['rule'])}, and that is met."]


def _cares(facts: Facts) -> list[str]:
    found = []
    if not facts.low_evidence and facts.evaluation["rows"] < SMALL_HOLDOUT:
        found.append("The holdout is small: read the interval, not the figure.")
    if success_holds(facts) and _bound_within(facts):
        found.append("What the contract asks for lies inside the interval, so it may be missed on other rows.")
    found += _plain_regression(facts)
    worse = [item for item in visible_slices(facts) if item.get("worse")]
    if worse:
        names = listed([f"{said(item['feature'])}: {said(item['slice'])}" for item in worse], 3)
        found.append(f"It is worse than elsewhere for {names}.")
    measured = facts.evaluation.get("calibration") or {}
    error = measured.get("error")
    if error is not None and error > max(POOR_CALIBRATION, measured.get("by_chance_high") or 0.0):
        found.append(f"Its probabilities are off by {number(error)} on average: use its ranking, not their size.")
    count = suspects(facts)
    if count:
        found.append(f"The data audit names {counted(count, 'suspect')} for leakage (below): clear that up first.")
    if facts.low_evidence:
        found.append("Gather more rows before anything depends on it.")
    return found


def _plain_regression(facts: Facts) -> list[str]:
    """What is to be said beside a plain logistic regression; nothing, when it is one and no worse than by default."""
    gain = gain_over(facts, PLAIN)
    by = "" if gain is None else f": on the same rows its {metric(facts.metric)} gains {interval(gain)}"
    if gain is not None and gain["high"] < 0:
        return [f"**A plain logistic regression is better**{by}."]
    itself = facts.fit.get("family") == PLAIN and facts.fit.get("selection", "none") == "none"
    if itself or beats(facts, PLAIN) is not False:
        return []
    return [f"It is not provably better than a plain logistic regression{by}."]


def _gate(facts: Facts) -> str:
    outcome, against = facts.decision.get("outcome"), said(facts.decision.get("against") or "what serves")
    name = family(facts.fit.get("family") or "model")
    if outcome == "promoted":
        return f"The gate promoted this {name} against {against}."
    if outcome == "tied":
        return f"The gate found this {name} to be {against} itself."
    return f"The gate did **not promote** this {name}; {against} stands."


def visible_slices(facts: Facts) -> list[dict[str, Any]]:
    """The slices that a card may show: none of a private feature."""
    features = facts.contract.features
    found = facts.evaluation.get("slices") or []
    return [item for item in found if item["feature"] not in features or not features[item["feature"]].private]


def suspects(facts: Facts) -> int:
    """How many columns the data audit suspects of leakage."""
    if facts.audit is not None:
        return len(facts.audit.get("suspects") or [])
    said_of_data = (facts.manifest or {}).get("suspects") or 0
    return said_of_data if isinstance(said_of_data, int) else len(said_of_data)


def _failed_against_majority(decision: dict[str, Any]) -> bool:
    return decision.get("rule") == "majority_class" and decision.get("outcome") == "rejected" and not _slow(decision)


def _slow(decision: dict[str, Any]) -> bool:
    """Whether the gain was shown all the same: what was rejected then is the latency, the size or a slice."""
    probability, confidence = decision.get("probability"), decision.get("confidence")
    return probability is not None and confidence is not None and probability >= confidence


def _bound_within(facts: Facts) -> bool:
    rule = facts.contract.problem.success_rule()
    if rule is None:
        return False
    name, comparison, bound = rule
    figure = facts.judged_by.get(name) or {}
    end = figure.get("low") if comparison.startswith(">") else figure.get("high")
    return end is not None and (end < bound if comparison.startswith(">") else end > bound)
