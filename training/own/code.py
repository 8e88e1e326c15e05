"""pipeline.py as a function: loaded, called, and its errors told by file and line."""

from __future__ import annotations

import linecache
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import TargetEncoder

from andamio.contract.own_code import deployed_source, source_digest
from andamio.contract.task import Classification, Task
from andamio.names import PIPELINE_FILE
from training.own.trial import PipelineError, Trial


@dataclass(frozen=True, slots=True)
class PipelineCode:
    """The function of a pipeline.py; `digest` is that of its source."""

    digest: str
    file: str
    function: Callable[[Any], Any] = field(repr=False)

    def build(self, trial: Trial, task: Task) -> Pipeline:
        """The unfitted pipeline of a trial, seeded and on one thread; raises `PipelineError` that names file and line.

        Every `random_state` that is None gets the trial's seed, so do the folds of a `TargetEncoder`, and every
        `n_jobs` is one: the same rows give the same model on any machine.
        """
        try:
            pipeline = self.function(trial)
        except Exception as error:
            raise PipelineError(f"{_place(self.file, error)}: {_said(error)}") from error
        _check(self.file, pipeline, task)
        settings = {"random_state": trial.seed, "n_jobs": 1}
        for name, value in pipeline.get_params(deep=True).items():
            last = name.rpartition("__")[2]
            if (last == "random_state" and value is None) or (last == "n_jobs" and value not in (None, 1)):
                pipeline.set_params(**{name: settings[last]})
            if isinstance(value, TargetEncoder) and isinstance(value.cv, int):
                folds = StratifiedKFold if isinstance(task, Classification) else KFold
                value.set_params(cv=folds(value.cv, shuffle=True, random_state=trial.seed))
        return pipeline


def load(source: bytes, file: str = PIPELINE_FILE) -> PipelineCode:
    """Load a pipeline.py; raises `PipelineError` with the line where it is no Python, or is not what is expected."""
    try:
        text = source.decode("utf-8-sig")
        program = compile(text, file, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{file}, line {line}" if line else file
        raise PipelineError(f"{where}: is not Python: {getattr(error, 'msg', error)}") from None
    # A file that is not on disk, as in a layer's archive, shows its lines in tracebacks all the same.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = types.ModuleType("pipeline")
    module.__file__ = file
    try:
        exec(program, module.__dict__)  # noqa: S102 - the problem's own code, which comes with the deploy
    except Exception as error:
        raise PipelineError(f"{_place(file, error)}: cannot be loaded: {_said(error)}") from error
    function = getattr(module, "pipeline", None)
    if not callable(function):
        raise PipelineError(f"{file}: expected def pipeline(trial) that returns a sklearn.pipeline.Pipeline")
    return PipelineCode(source_digest(source), file, function)


def deployed() -> PipelineCode | None:
    """The code that this function was deployed with, None where it was deployed without; raises `PipelineError`."""
    source = deployed_source(PIPELINE_FILE)
    return None if source is None else load(source)


def _check(file: str, pipeline: Any, task: Task) -> None:
    if not isinstance(pipeline, Pipeline):
        raise PipelineError(
            f"{file}: pipeline(trial) returned a {type(pipeline).__name__}; expected a sklearn.pipeline.Pipeline of "
            "steps, the last of them the model"
        )
    last = pipeline.steps[-1][1]
    name = type(last).__name__
    if isinstance(task, Classification):
        if not is_classifier(pipeline):
            raise PipelineError(f"{file}: the last step is a {name}; the target is a class, which needs a classifier")
        if not hasattr(last, "final_estimator"):  # which of the methods a stack has is known when it is fitted
            check_probabilities(file, pipeline)
    elif not is_regressor(pipeline):
        raise PipelineError(f"{file}: the last step is a {name}; the target is a number, which needs a regressor")


def check_probabilities(file: str, pipeline: Pipeline) -> None:
    """Raise `PipelineError` where a pipeline of classes gives no probabilities."""
    if not hasattr(pipeline, "predict_proba"):
        name = type(pipeline.steps[-1][1]).__name__
        raise PipelineError(
            f"{file}: the last step is a {name}, which gives no probabilities (predict_proba); wrap it: "
            f"CalibratedClassifierCV({name}(...), ensemble=False)"
        )


def _place(file: str, error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {frames[-1].lineno}" if frames else file


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
