"""The card's first paragraph: may this model be relied on, and what stands against it.

Plain rules, so that two readers of the same figures come to the same words. They decide nothing: the gate did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from andamio.gate.decision import Figure
from andamio.stats.metrics import higher_is_better
from registry.card.facts import Facts
from registry.card.markdown import code, escaped
from registry.card.numbers import falls_short
from registry.card.wording import counted, family, interval, listed, metric, number
from training.evaluate.documents import GateDecision, SliceFigure

SMALL_HOLDOUT = 200
"""Rows below which one figure on a holdout is too coarse to be read without its interval."""
POOR_CALIBRATION = 0.1
"""Probabilities that are this far off on average, and further than by chance, are not to be taken at their word."""

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


@dataclass(frozen=True, slots=True)
class Gain:
    """A gain over a baseline whose interval is known."""

    figure: Figure
    low: float
    high: float


def judge(facts: Facts) -> Verdict:
    """The verdict on the figures: first what forbids the use of the model, then what needs care."""
    forbids, cares = _forbids(facts), _cares(facts)
    level: Level = "no" if forbids else "care" if cares else "yes"
    sentences = [f"**{_LEADS[level]}**", _evidence(facts), *forbids, *_success(facts), *cares, _gate(facts)]
    return Verdict(level, " ".join(sentence for sentence in sentences if sentence))


def success_holds(facts: Facts) -> bool | None:
    """Whether `[problem] success` holds; None when it is not set."""
    success = facts.evaluation.success
    return None if success is None else success.holds


def gain_over(facts: Facts, baseline: str) -> Gain | None:
    """The gain over a baseline in the contract's metric, on the same rows; None when that is unknown."""
    if facts.low_evidence or baseline not in facts.evaluation.gains:
        return None
    figure = facts.evaluation.gains[baseline][facts.metric]
    return None if figure.low is None or figure.high is None else Gain(figure, figure.low, figure.high)


def beats(facts: Facts, baseline: str) -> bool | None:
    """Whether it is better than a baseline, beyond chance; None when that is unknown."""
    gain = gain_over(facts, baseline)
    if gain is not None:
        return gain.low > 0
    if baseline not in facts.evaluation.baselines:
        return None
    other = facts.evaluation.baselines[baseline][facts.metric].value
    low, high = facts.figure.low, facts.figure.high
    if other is None or low is None or high is None:
        return None
    return low > other if higher_is_better(facts.metric) else high < other


def _evidence(facts: Facts) -> str:
    rows, name = facts.evaluation.rows, metric(facts.metric)
    shown = interval(facts.figure, of=facts.metric).replace(" (", " (95% interval ")
    if facts.low_evidence:
        classes = facts.evaluation.classes
        few = f", {min(classes.values())} of one class" if classes else ""
        return (
            f"**The evidence is low**: only {counted(rows, 'row')} were held out{few}, too few to judge by. "
            f"{name[:1].upper() + name[1:]} in repeated cross-validation is {shown}."
        )
    return f"On {counted(rows, 'row')} that no training run saw, {name} is {shown}."


def _forbids(facts: Facts) -> list[str]:
    found = []
    if facts.figure.value is None:
        found.append("The metric is undefined on these rows: nothing is known of how good it is.")
    if beats(facts, facts.contract.task.floor) is False or _failed_against_floor(facts.decision):
        always = "median" if facts.evaluation.numbers is not None else "most frequent class"
        found.append(f"It is not provably better than always saying the {always}.")
    success = facts.evaluation.success
    if success is not None and not success.holds:
        found.append(f"The contract asks for {code(success.rule)}, and that is **not met**.")
    return found


def _success(facts: Facts) -> list[str]:
    success = facts.evaluation.success
    if success is None or not success.holds:
        return []
    return [f"The contract asks for {code(success.rule)}, and that is met."]


def _cares(facts: Facts) -> list[str]:
    found = []
    if not facts.low_evidence and facts.evaluation.rows < SMALL_HOLDOUT:
        found.append("The holdout is small: read the interval, not the figure.")
    if success_holds(facts) and _bound_within(facts):
        found.append("What the contract asks for lies inside the interval, so it may be missed on other rows.")
    found += _plain_regression(facts)
    worse = [item for item in visible_slices(facts) if item.worse]
    if worse:
        names = listed([f"{escaped(item.feature)}: {escaped(item.slice)}" for item in worse], 3)
        found.append(f"It is worse than elsewhere for {names}.")
    measured, numbers = facts.evaluation.calibration, facts.evaluation.numbers
    if numbers is not None and falls_short(numbers.coverage):
        covered = numbers.coverage
        found.append(f"Its intervals hold {covered.share:.0%} of rows, where {covered.level:.0%} are promised.")
    if measured is not None and measured.error > max(POOR_CALIBRATION, measured.by_chance_high):
        found.append(
            f"Its probabilities are off by {number(measured.error)} on average: use its ranking, not their size."
        )
    count = suspects(facts)
    if count:
        found.append(f"The data audit names {counted(count, 'suspect')} for leakage (below): clear that up first.")
    if facts.low_evidence:
        found.append("Gather more rows before anything depends on it.")
    return found


def _plain_regression(facts: Facts) -> list[str]:
    """What is to be said beside a plain linear model; nothing, when it is one and no worse than by default."""
    plain = facts.contract.task.linear
    gain = gain_over(facts, plain)
    by = (
        ""
        if gain is None
        else f": on the same rows its {metric(facts.metric)} gains {interval(gain.figure, of=facts.metric)}"
    )
    if gain is not None and gain.high < 0:
        return [f"**A plain {family(plain)} is better**{by}."]
    itself = facts.fit.family == plain and facts.fit.selection == "none"
    if itself or beats(facts, plain) is not False:
        return []
    return [f"It is not provably better than a plain {family(plain)}{by}."]


def _gate(facts: Facts) -> str:
    outcome, against = facts.decision.outcome, escaped(facts.decision.against)
    name = family(facts.fit.family)
    if outcome == "promoted":
        return f"The gate promoted this {name} against {against}."
    if outcome == "tied":
        return f"The gate found this {name} to be {against} itself."
    return f"The gate did **not promote** this {name}; {against} stands."


def visible_slices(facts: Facts) -> list[SliceFigure]:
    """The slices that a card may show: none of a private feature."""
    features = facts.contract.features
    found = facts.evaluation.slices
    return [item for item in found if item.feature not in features or not features[item.feature].private]


def suspects(facts: Facts) -> int:
    """How many columns the data audit suspects of leakage."""
    if facts.audit is not None:
        return len(facts.audit.suspects)
    return 0 if facts.manifest is None else facts.manifest.suspects


def _failed_against_floor(decision: GateDecision) -> bool:
    return decision.rule in ("majority_class", "median") and decision.outcome == "rejected" and not _slow(decision)


def _slow(decision: GateDecision) -> bool:
    """Whether the gain was shown all the same: what was rejected then is the latency, the size or a slice."""
    return decision.probability is not None and decision.probability >= decision.confidence


def _bound_within(facts: Facts) -> bool:
    rule = facts.contract.problem.success_rule()
    if rule is None:
        return False
    name, comparison, bound = rule
    figure = facts.evidence[name]
    end = figure.low if comparison.startswith(">") else figure.high
    return end is not None and (end < bound if comparison.startswith(">") else end > bound)
