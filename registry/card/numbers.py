"""The sections of a regression: how far it is off, and whether its intervals hold what they promise."""

from __future__ import annotations

from registry.card.facts import Facts
from registry.card.markdown import Section, escaped, paragraphs, table
from registry.card.wording import counted, interval, listed, number
from training.documents import IntervalResult
from training.evaluate.documents import Coverage, Numbers


def errors(facts: Facts, found: Numbers) -> Section:
    """How far predictions lie from the truth, over their range."""
    unit = _unit(found)
    bias = found.bias
    biased = bias.low is not None and bias.high is not None and (bias.low > 0 or bias.high < 0)
    parts = [
        f"The target varies by {_amount(found.spread)}{unit} on the holdout (its standard deviation). Predictions lie "
        f"{'**' if biased else ''}{interval(bias, of='mae')}{unit} above the truth on average"
        + ("**: beyond chance, so they are biased." if biased else ", which may be chance."),
        table(
            ["predicted", "rows", "predicted on average", "true on average", "off by (root mean square)"],
            [
                [
                    f"{_amount(part.low)} to {_amount(part.high)}",
                    f"{part.rows:,}",
                    _amount(part.mean_predicted),
                    _amount(part.mean_actual),
                    _amount(part.error),
                ]
                for part in found.bins
            ],
        ),
    ]
    if found.log:
        parts.append("It is fitted to the logarithm of the target: an error is a ratio, and high numbers err by more.")
    return Section("How far it is off", paragraphs(parts), ("predicted", "residuals"))


def intervals(facts: Facts, found: Numbers) -> Section:
    """Whether intervals hold the truth as often as they say."""
    covered, fit = found.coverage, facts.fit.interval
    margins = "" if fit is None else _margins(fit, _unit(found))
    poor = [part for part in found.bins if part.coverage < covered.level - 0.1]
    parts = [
        f"Each prediction has an interval that shall hold the truth in {covered.level:.0%} of cases: {margins}, from "
        "the errors of out-of-fold predictions, within the range that the contract gives the target.",
        f"On the holdout it held {covered.share:.1%} of {counted(covered.rows, 'row')} (95% interval "
        f"{covered.low:.1%} to {covered.high:.1%}){_verdict(covered)}. It is {_amount(covered.width)}{_unit(found)} "
        f"wide on average; the pinball loss of its ends is {number(covered.pinball, of='pinball')}.",
        (
            "It is as wide as errors of predictions of like value were"
            if fit is not None and fit.widths
            else "It is as wide for every row" + (" in proportion to the prediction" if found.log else "")
        )
        + ": the promise is about all rows together, and some kinds of rows miss it more often.",
    ]
    if poor:
        named = [f"{_amount(part.low)} to {_amount(part.high)} ({part.coverage:.0%})" for part in poor]
        parts.append(f"It held less often where the prediction was {listed([escaped(text) for text in named])}.")
    return Section("Whether its intervals hold", paragraphs(parts))


def _margins(fit: IntervalResult, unit: str) -> str:
    """How far an interval reaches around a prediction, for the narrowest and the widest one."""
    factors = [factor for _, factor in fit.widths] or [1.0]
    reached = []
    for factor in sorted({min(factors), max(factors)}):
        if fit.scale == "log":
            reached.append(f"from {fit.low**factor:.3g} to {fit.high**factor:.3g} times the prediction")
        else:
            reached.append(f"from {fit.low * factor:+.4g} to {fit.high * factor:+.4g}{unit} around the prediction")
    return reached[0] if len(reached) == 1 else f"{reached[0]} where it is narrowest, {reached[-1]} where it is widest"


def falls_short(covered: Coverage) -> bool:
    """Whether intervals hold the truth less often than they say, beyond chance."""
    return covered.high < covered.level


def _verdict(covered: Coverage) -> str:
    if falls_short(covered):
        return ": **less often than promised**, beyond chance"
    if covered.low > covered.level:
        return ": more often than promised, so it is wider than it needs to be"
    return ", which agrees with the promise"


def _unit(found: Numbers) -> str:
    return f" {escaped(found.unit)}" if found.unit else ""


def _amount(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
