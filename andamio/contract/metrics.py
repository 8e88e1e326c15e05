"""Which metrics a model of a contract is described by."""

from __future__ import annotations

from andamio.contract.contract import Contract

_ONLY_NAMED = "pinball"


def metrics_of(contract: Contract) -> tuple[str, ...]:
    """The metrics of the contract's task, `pinball` only where [training] metric or [problem] success names it.

    A model answers one value, so that the pinball loss of it is that of a median: half of the mean absolute error. The
    loss of the ends of intervals is a figure of their coverage.
    """
    rule = contract.problem.success_rule()
    named = {contract.training.metric, rule[0] if rule else ""}
    return tuple(metric for metric in contract.task.metrics if metric != _ONLY_NAMED or metric in named)
