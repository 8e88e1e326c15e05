"""The size of a fitted model, estimated before its export."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.families.catalog import FittedPipeline
from training.own.fit import Own

_NODE, _LEAF, _NUMBER, _FIXED = 33, 12, 4, 4096
"""Bytes of a tree's node, of one weight of a leaf, of a coefficient, and of the graph around them (measured)."""


def estimate(fitted: FittedPipeline) -> int:
    """The bytes of the ONNX file that the pipeline becomes, within a quarter of it for ensembles that matter."""
    model = fitted.pipeline.named_steps["model"]
    columns = fitted.pipeline.named_steps["columns"]
    texts = columns.named_transformers_.get("categories")
    words = sum(len(str(value).encode()) + 8 for values in texts.categories_ for value in values) if texts else 0
    return int(_FIXED + words + 4 * _NUMBER * fitted.numbers + _model(model))


def columns(fitted: FittedPipeline) -> int:
    """How many encoded columns the model itself sees, after any selection; of the problem's own, its last step."""
    if isinstance(fitted, Own):
        return int(getattr(fitted.pipeline.steps[-1][1], "n_features_in_", len(fitted.names)))
    return int(fitted.pipeline.named_steps["model"].n_features_in_)


def _model(model: Any) -> int:
    if hasattr(model, "_predictors"):
        nodes = [predictor.nodes for stage in model._predictors for predictor in stage]
        return sum(_NODE * len(each) + _LEAF * int(each["is_leaf"].sum()) for each in nodes)
    if hasattr(model, "estimators_"):
        trees = [each.tree_ for each in np.ravel(model.estimators_)]
        # A forest's leaf holds a weight for each class (one where there are two), a boosted tree's leaf one.
        weights = max(1, trees[0].value.shape[2] if trees[0].value.shape[2] > 2 else 1)
        return sum(_NODE * tree.node_count + _LEAF * weights * tree.n_leaves for tree in trees)
    if hasattr(model, "calibrated_classifiers_"):
        machine = model.calibrated_classifiers_[0].estimator
        return _NUMBER * int(machine.support_vectors_.size + machine.dual_coef_.size)
    if hasattr(model, "coefs_"):
        return sum(_NUMBER * layer.size for layer in (*model.coefs_, *model.intercepts_))
    if hasattr(model, "coef_"):
        return _NUMBER * int(model.coef_.size + model.intercept_.size)
    return 0
