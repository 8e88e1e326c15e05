"""What a problem's own pipeline has to prove in each trial: the same fit twice, an export, and its parity.

Every other family is known to; of a pipeline.py it is found here, in the first fold, and not after the search.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from andamio.release.model import Model
from training import export
from training.own.fit import Own, steps
from training.own.trial import PipelineError

ROWS = 2000
"""So many rows are asked of both of two fits, at most."""

_MISSING = "where a value is missing: put SimpleImputer() before the model, since exported trees answer NaN otherwise"
_UNKNOWN = (
    'where a category was never seen in training: OneHotEncoder(handle_unknown="ignore") and TargetEncoder() export '
    "what they do then"
)
_RANGE = "at the ends of the contract's ranges: far out, float32 loses digits; leave powers and exponentials out"
_TRAIN = (
    "on rows of train: float32 rounds what comes before the model. Before trees, leave scalers and products of columns "
    "out (a value rounded across a threshold takes another branch); before other models, scale numbers"
)

_NEIGHBOURS = (
    "of rows of train that are as far from a record the export takes others, and weights by distance magnify what "
    "float32 rounds. Take a forest or boosted trees"
)


def prove(contract: Contract, fitted: Own, train: Encoded, again: Callable[[], Own], seed: int) -> int:
    """The bytes of the exported pipeline; raises `PipelineError` where it is not reproduced, exported or matched.

    `train` are the rows that it was fitted on, `again` fits it on them once more.
    """
    few = train.take(np.arange(min(train.rows, ROWS)))
    if not np.array_equal(fitted.predict(few), again().predict(few), equal_nan=True):
        raise PipelineError(
            "pipeline.py: two fits on the same rows differ, so no run could be repeated: something draws random "
            "numbers without a seed. Give trial.seed to whatever takes a random_state, and draw none yourself."
        )
    exported = export.to_onnx(fitted)
    served = Model(contract, exported)
    try:
        ruler = export.Ruler.of(fitted)
    except TrainingError as error:
        raise PipelineError(str(error)) from None
    try:
        found = export.parity(fitted.predict, served.predict, train, export.range_ends(contract), seed, ruler)
    except ValueError as error:
        raise PipelineError(
            "pipeline.py: it cannot answer every row that the contract accepts (values missing, categories never seen, "
            f"ends of ranges): {error}"
        ) from error
    if not found.holds:
        whole = train.take(np.flatnonzero(~np.isnan(train.numbers).any(axis=1)))
        on_whole = ruler.difference(fitted.predict(whole), served.predict(whole)) if whole.rows else 0.0
        raise PipelineError(differs(found, on_whole, _neighbours(fitted)))
    return len(exported)


def _neighbours(fitted: Own) -> str | None:
    """The path and class of a step that looks for the nearest rows of train."""
    found = ((path, type(each)) for path, each in steps(fitted.pipeline) if hasattr(each, "n_neighbors"))
    return next((f"step {path} ({kind.__name__})" for path, kind in found), None)


def differs(found: export.Parity, whole: float, neighbours: str | None = None) -> str:
    """Why an export is refused: `whole` is the difference on rows of train that have every number.

    `neighbours` names the step that looks for the nearest rows, where there is one.
    """
    train = (found.train, _TRAIN if not whole <= found.tolerance else _MISSING)
    kinds = (train, (found.missing, _MISSING), (found.unknown, _UNKNOWN), (found.range_ends, _RANGE))
    largest, why = next((value, why) for value, why in kinds if not value <= found.tolerance)
    if neighbours is not None:
        why = f"in {neighbours}: {_NEIGHBOURS}"
    amount = f"by {largest:.2g}" if np.isfinite(largest) else "(one of the two is not a number)"
    return (
        f"pipeline.py: what is exported answers otherwise than what was fitted {amount}, and {found.tolerance:.0e} is "
        f"allowed, {why}."
    )
