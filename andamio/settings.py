"""Settings of functions from environment variables: one frozen dataclass for each function.

`infra` writes the variables with `as_env()`, the handler reads them with `from_env()`: a name is
spelled in one place, and a missing variable is an error at cold start that names it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from andamio.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that come from `ANDAMIO_*` variables, a field each.

    A field is `str`, `int`, `float`, or `tuple[str, ...]`, which is a JSON list in its variable.
    """

    PREFIX: ClassVar[str] = "ANDAMIO_"

    problem: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read every field; raises `SettingsError` that names each variable missing or malformed."""
        source = os.environ if environ is None else environ
        values: dict[str, str | int | float | tuple[str, ...]] = {}
        wrong: list[str] = []
        for field in fields(cls):
            name = cls.PREFIX + field.name.upper()
            text = source.get(name, "")
            if not text:
                wrong.append(f"{name} is not set")
                continue
            try:
                values[field.name] = _READ[str(field.type)](text)
            except ValueError:
                wrong.append(f"{name} must be of type {field.type}")
        if wrong:
            raise SettingsError(f"{cls.__name__}: {'; '.join(wrong)}. Deploy again: infra/ writes these variables.")
        return cls(**values)  # type: ignore[arg-type]

    def as_env(self) -> dict[str, str]:
        """The variables that `from_env` reads back as these settings."""
        return {self.PREFIX + field.name.upper(): _text(getattr(self, field.name)) for field in fields(self)}


def _texts(text: str) -> tuple[str, ...]:
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("not a list of texts")
    return tuple(found)


def _text(value: str | int | float | tuple[str, ...]) -> str:
    return json.dumps(value) if isinstance(value, tuple) else str(value)


_READ: Mapping[str, Callable[[str], str | int | float | tuple[str, ...]]] = {
    "str": str,
    "int": int,
    "float": float,
    "tuple[str, ...]": _texts,
}


@dataclass(frozen=True, slots=True)
class EtlSettings(Settings):
    """`lambdas/etl`: where raw data land and data versions go."""

    lake: str


@dataclass(frozen=True, slots=True)
class TrainSettings(Settings):
    """`lambdas/train`: where data versions are read from, and runs and releases written to.

    `compute` is what the deployment offers: "auto", "function" or "task", as `[training] compute` has it. `seconds` and
    `memory_mb` are what the function or the task has, for which a trial is estimated before it starts.
    """

    lake: str
    models: str
    compute: str
    seconds: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class SearchSettings(Settings):
    """`lambdas/search`: where runs are."""

    models: str


@dataclass(frozen=True, slots=True)
class RegistrySettings(Settings):
    """`lambdas/registry`: the buckets, the MLflow server or app, and the digest of the lock file it was built from.

    `system` names the experiment and the registered model, for stages and problems may share a server.
    """

    system: str
    lake: str
    models: str
    tracking_uri: str
    lock: str


@dataclass(frozen=True, slots=True)
class ScoreSettings(Settings):
    """`lambdas/score`: the buckets, the predictions table, and how many bytes of a file make a shard.

    `capture_share` of the scored rows are kept for the watch, from 0 to 1, without the features in `private`: those
    that the deployed contract marks so, whatever the release's says.
    """

    lake: str
    models: str
    batch: str
    table: str
    shard_bytes: int
    capture_share: float
    private: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MonitorSettings(Settings):
    """`lambdas/monitor`: the buckets and the predictions table; `system` names metrics and events."""

    system: str
    lake: str
    models: str
    batch: str
    table: str


@dataclass(frozen=True, slots=True)
class CaptureSettings(Settings):
    """`lambdas/capture`: where predictions are kept, and the table that they are looked up in."""

    lake: str
    table: str


@dataclass(frozen=True, slots=True)
class ApiSettings(Settings):
    """`lambdas/api`: where releases, batches, predictions and labels are; seconds between reads of the pointer.

    `capture_share` of predictions are logged with their record, `audit_share` ask for their label: each from 0 to 1.
    `private` are features that are not logged: those that the deployed contract marks so, whatever the release's says.
    """

    lake: str
    models: str
    batch: str
    table: str
    refresh_seconds: int
    capture_share: float
    audit_share: float
    private: tuple[str, ...]
