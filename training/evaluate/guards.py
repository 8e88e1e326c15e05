"""The guards: conditions for a promotion besides the scores, each with its number and its limit."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.contract import Contract
from andamio.gate import rules as gate
from andamio.gate.slices import worse_slices
from andamio.stats.figures import figure
from training.evaluate.documents import Evaluation, Success
from training.evaluate.evaluate import Candidate
from training.evaluate.slices import Slice

MAX_SLICES_NAMED = 5
"""How many slices the reason names."""


def of_figures(candidate: Candidate, evaluation: Evaluation) -> list[gate.Guard]:
    """Parity with what was trained, the time of one record, the size: these always bar. And the contract's `success`,
    which bars when the contract says `gate.success = "bar"`."""
    limits, fit = candidate.contract.gate, candidate.fit
    proof = fit.parity
    # NaN on either side is a difference without bound.
    difference = float("inf") if proof.largest is None else proof.largest
    slowest, latency, size = limits.max_latency_ms, evaluation.latency_ms, fit.size_bytes / 2**20
    return [
        gate.Guard(
            name="parity",
            holds=difference <= proof.tolerance,
            bars=True,
            value=proof.largest,
            limit=proof.tolerance,
            message=f"what is served differs from what was trained by up to {difference:.2g}, where "
            f"{proof.tolerance:g} is allowed",
        ),
        gate.Guard(
            name="latency_ms",
            holds=latency <= slowest,
            bars=True,
            value=latency,
            limit=slowest,
            message=f"one record takes {latency:g} ms, and gate.max_latency_ms is {slowest:g}",
        ),
        gate.Guard(
            name="size_mb",
            holds=size <= limits.max_size_mb,
            bars=True,
            value=round(size, 4),
            limit=limits.max_size_mb,
            message=f"the model is {size:.2f} MB, and gate.max_size_mb is {limits.max_size_mb:g}",
        ),
        *_of_success(candidate.contract, evaluation.success),
    ]


def _of_success(contract: Contract, success: Success | None) -> list[gate.Guard]:
    rule = contract.problem.success_rule()
    if rule is None or success is None:
        return []
    metric, _, bound = rule
    value = success.value
    value_text = "undefined" if value is None else figure(metric, value, decimals=4)
    message = f"[problem] success asks for {contract.problem.success}, and {metric} is {value_text}"
    bars = contract.gate.success == "bar"
    return [gate.Guard(name="success", holds=success.holds, bars=bars, value=value, limit=bound, message=message)]


def of_slices(
    contract: Contract,
    holdout: gate.Holdout,
    challenger: gate.Contender,
    champion: gate.Contender,
    parts: Sequence[Slice],
    rules: gate.Rules,
) -> gate.Guard:
    """No slice may be worse than with the champion; it bars when `gate.slices = "bar"`."""
    masks = {part.name: part.rows for part in parts}
    worse, slices_compared = worse_slices(holdout, challenger, champion, masks, rules)
    worst = sorted(worse, key=lambda name: worse[name].high)[:MAX_SLICES_NAMED]
    named = {name: figure(rules.metric, worse[name].value, signed=True, decimals=4) for name in worst}
    slices_text = ", ".join(f"'{name}' ({masks[name].sum()} rows, {change})" for name, change in named.items())
    more = f" and {len(worse) - MAX_SLICES_NAMED} more" if len(worse) > MAX_SLICES_NAMED else ""
    message = (
        f"it is worse than {champion.name}, beyond chance, on {slices_text}{more}"
        if worse
        else f"it is worse than {champion.name}, beyond chance, on none of {slices_compared} slices"
    )
    bars = contract.gate.slices == "bar"
    return gate.Guard(name="slices", holds=not worse, bars=bars, value=len(worse), limit=0.0, message=message)
