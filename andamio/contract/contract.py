"""The contract: what `problem.toml` says, as one frozen object.

Data only: the tables of the format are the classes of `andamio.contract.tables`; what is done with a
contract lies in the rooms above, as functions that take it: `andamio.records` parses and encodes.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from andamio.contract.canonical import composed
from andamio.contract.columns import category_columns, number_columns
from andamio.contract.messages import explain, unquoted_name
from andamio.contract.own_code import PREPARE_FILE, find_source, prepare_digest
from andamio.contract.tables import (
    NOT_BUILT,
    RESERVED,
    Batch,
    Column,
    Data,
    Feature,
    Gate,
    Monitor,
    ProblemTable,
    RawColumn,
    ReleaseTable,
    Section,
    Training,
)
from andamio.contract.task import Classification, Regression, Task
from andamio.errors import ContractError

FORMAT = 1
"""The version of the format of `problem.toml` that this version reads. `andamio check --upgrade` writes it."""
_LEVEL = 0.9
"""How often the interval of a regression holds the truth, where the contract does not say."""
_DATA_HALF = {
    "task",
    "target",
    "target_from",
    "labels",
    "target_min",
    "target_max",
    "id",
    "group",
    "time",
    "time_format",
}
"""The keys of [problem] that decide what a data version holds."""


class Contract(Section):
    """What a record is: features, types, units, ranges, target, metric, gates.

    Sealed when every category lists its values: training seals what it learned, and only a sealed
    contract can encode.
    """

    model_config = ConfigDict(ignored_types=(cached_property,))

    format: Annotated[int, Field(strict=True, ge=1, le=FORMAT)] = FORMAT
    problem: ProblemTable
    data: Data = Field(default_factory=Data)
    features: Annotated[dict[Column, Feature], Field(min_length=1)]
    raw: dict[Column, RawColumn] | None = None
    prepare: str | None = None
    """SHA-256 (hex) of the problem's prepare.py: no key of the file, but set where the file is read."""
    training: Training = Field(default_factory=Training)
    gate: Gate = Field(default_factory=Gate)
    release: ReleaseTable = Field(default_factory=ReleaseTable)
    batch: Batch = Field(default_factory=Batch)
    monitor: Monitor = Field(default_factory=Monitor)

    # Reading and writing

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `problem.toml`, or the one in a folder; raises `ContractError` that names file, table and key."""
        file = path / "problem.toml" if path.is_dir() else path
        try:
            text = file.read_text(encoding="utf-8-sig")  # with or without the mark that Windows puts first
        except FileNotFoundError:
            raise ContractError(
                f"{file}: no such file. A problem is a folder with a problem.toml in it: see problems/heart."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ContractError(f"{file}: cannot be read as UTF-8 text: {error}") from None
        contract = cls.from_toml(text, str(file), prepare=prepare_digest(find_source(file.parent)))
        if contract.needs_prepare and contract.prepare is None:
            raise ContractError(
                f"{file}: [raw], derived features and target_from need {PREPARE_FILE} beside the file, and there is "
                "none: docs/prepare.md says what stands in it."
            )
        return contract

    @classmethod
    def from_toml(cls, text: str, file: str = "problem.toml", *, prepare: str | None = None) -> Self:
        """Read the format as people write it, with the digest of its prepare.py; raises `ContractError`."""
        text = composed(text)
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ContractError(f"{file}: not valid TOML: {error}{unquoted_name(text, str(error))}") from None
        if "prepare" in raw:
            raise ContractError(f"{file}: prepare: unknown key; a {PREPARE_FILE} beside the file is found by itself")
        contract = cls._checked(raw if prepare is None else {**raw, "prepare": prepare}, file)
        contract._refuse_private_without_source(file)
        contract._refuse_labels_without_use(file)
        return contract

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read what `to_json` wrote, as a release keeps it; raises `ContractError`.

        Settings that nothing has ever read, which contracts of an older version carry, are left out.
        """
        try:
            raw = json.loads(body)
        except ValueError as error:
            raise ContractError(f"contract.json: not valid JSON: {error}") from None
        return cls._checked(_without_what_is_not_built(raw), "contract.json")

    @classmethod
    def _checked(cls, raw: object, file: str) -> Self:
        if not isinstance(raw, dict):
            raise ContractError(f"{file}: expected tables such as [problem] and [features.age]")
        version = raw.get("format")
        if isinstance(version, int) and version > FORMAT:  # all else that is unknown follows from it
            raise ContractError(
                f"{file}: has format {version}, and this version of Andamio reads up to format {FORMAT}: update Andamio"
            )
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise ContractError(explain(error, cls, file)) from None

    def to_json(self) -> bytes:
        """The whole contract, defaults included, in canonical JSON: what a release seals."""
        return _canonical(self.model_dump(mode="json", exclude_none=True))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all values that are not defaults; but [monitor], on which no model depends."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"monitor"})
        return hashlib.sha256(_canonical(said)).hexdigest()

    @property
    def data_digest(self) -> str:
        """SHA-256 (hex) of the half that decides what a data version holds: columns, labels, [data], [features], [raw].

        prepare.py is a part of it.
        """
        half = self.model_dump(
            mode="json",
            exclude_defaults=True,
            include={"problem": _DATA_HALF, "data": True, "features": True, "raw": True, "prepare": True},
        )
        half.get("data", {}).pop("files", None)  # sample files are where data come from, not what they mean
        # Nor do data depend on the texts that people are shown.
        if "labels" in half["problem"]:
            half["problem"]["labels"] = {key: label["values"] for key, label in half["problem"]["labels"].items()}
        for feature in (*half["features"].values(), *half.get("raw", {}).values()):
            for said in ("description", "unit", "example"):
                feature.pop(said, None)
            if "values" in feature:
                feature["values"] = list(feature["values"])
        return hashlib.sha256(_canonical(half)).hexdigest()

    @property
    def served_digest(self) -> str:
        """SHA-256 (hex) of what a client can tell: [problem], [data], columns, prepare.py, whether it is explained."""
        said = self.model_dump(
            mode="json", exclude_defaults=True, include={"problem", "data", "features", "raw", "prepare"}
        )
        if not self.release.explanations:
            said["explanations"] = False
        return hashlib.sha256(_canonical(said)).hexdigest()

    # What it says

    @cached_property
    def task(self) -> Task:
        """What is predicted, and everything that depends on it."""
        problem = self.problem
        if problem.task == "regression":
            level = _LEVEL if problem.interval is None else problem.interval
            log = problem.scale == "log"
            return Regression(problem.target_min, problem.target_max, problem.unit or "", log, level)
        return Classification(self.classes, self.positive_index)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The keys of the classes, in the order of `labels`: column j of every probability matrix is class j.

        A regression has none.
        """
        return tuple(self.problem.labels)

    @cached_property
    def texts(self) -> dict[str, str]:
        """The text shown for each class."""
        return {key: label.text for key, label in self.problem.labels.items()}

    @cached_property
    def positive_index(self) -> int:
        """The column of the positive class, or -1 when there are more than two."""
        if len(self.classes) != 2:
            return -1
        return self.classes.index(self.problem.positive) if self.problem.positive is not None else 1

    @cached_property
    def inputs(self) -> dict[str, Feature]:
        """The features that the model sees, in the order of the file."""
        return {name: feature for name, feature in self.features.items() if feature.available_at_prediction}

    @property
    def needs_prepare(self) -> bool:
        """Whether features or labels are made by code of the problem's own."""
        return self.has_raw or self.problem.target_from is not None

    @cached_property
    def prepares(self) -> bool:
        """Whether code of the problem's own makes features, in training and in every prediction."""
        return bool(self.made)

    @cached_property
    def has_raw(self) -> bool:
        """Whether files and requests have other columns than the features: those of [raw]."""
        return bool(self.raw) or any(feature.derived for feature in self.features.values())

    @cached_property
    def made(self) -> tuple[str, ...]:
        """The features that `prepare` makes: derived ones, and those that [raw] reads otherwise under the same name."""
        raw = self.raw or {}
        return tuple(name for name, feature in self.features.items() if feature.derived or name in raw)

    @property
    def sent(self) -> Self:
        """The contract of what files and requests hold: this one itself, unless there is a [raw] or a derived feature.

        Its features are columns of [raw], and the features that are sent as they are; a text is a category of any
        value.
        """
        return self._other_sent or self  # never kept in itself: contracts are compared with all that they keep

    @cached_property
    def _other_sent(self) -> Self | None:
        """What is sent where it differs from this contract."""
        if not self.has_raw:
            return None
        tables = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**tables, "features": self._columns_sent(), "raw": None, "prepare": None})

    @cached_property
    def number_columns(self) -> tuple[str, ...]:
        """The columns of the tensor `numbers`; a date makes three."""
        return number_columns(self.inputs)

    @cached_property
    def category_columns(self) -> tuple[str, ...]:
        """The columns of the tensor `categories`."""
        return category_columns(self.inputs)

    @property
    def sealed(self) -> bool:
        """Whether every category lists its values."""
        return all(feature.type != "category" or feature.values is not None for feature in self.inputs.values())

    def seal(self, values: Mapping[str, Sequence[str]]) -> Self:
        """The same contract with learned category values filled in; what is not listed becomes "other"."""
        features = dict(self.features)
        for name, listed in values.items():
            features[name] = features[name].model_copy(
                update={"values": {value: value for value in listed}, "unknown": "other"}
            )
        return self._with(features)

    @property
    def private(self) -> tuple[str, ...]:
        """The features that are never logged or captured."""
        return tuple(name for name, feature in self.features.items() if feature.private)

    @cached_property
    def label_column(self) -> str | None:
        """The column of files that holds the label, None where `target` of prepare.py makes it."""
        return self.problem.target if self.problem.target_from is None else None

    def hiding(self, names: Collection[str]) -> Self:
        """The same contract with these features private as well; names that it does not have are left out."""
        new = [name for name in names if name in self.features and not self.features[name].private]
        hidden = {name: self.features[name].model_copy(update={"private": True}) for name in new}
        return self._with({**self.features, **hidden}) if hidden else self

    def _with(self, features: Mapping[str, Feature]) -> Self:
        # Made anew: a copy would keep what was worked out from the old features.
        tables = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**tables, "features": dict(features)})

    @cached_property
    def label_index(self) -> dict[str, int]:
        """Which class each value of the target column means."""
        return {value: index for index, label in enumerate(self.problem.labels.values()) for value in label.values}

    # What must agree between tables

    @model_validator(mode="before")
    @classmethod
    def _task_has_defaults(cls, raw: Any) -> Any:
        """What a regression takes for metric and families where the file does not say."""
        problem, training = (raw.get(table, {}) for table in ("problem", "training"))
        if isinstance(problem, dict) and isinstance(training, dict) and problem.get("task") == Regression.name:
            defaults = {"metric": Regression.default_metric, "families": list(Regression.default_families)}
            return {**raw, "training": {**defaults, **training}}
        return raw

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problem = self.problem
        columns: dict[str, str] = {}
        for role in ("target", "id", "group", "time"):
            column = getattr(problem, role)
            if column is None:
                continue
            if column in columns and {role, columns[column]} != {"id", "group"}:
                raise ValueError(f"[problem] {role}: '{column}' is already the {columns[column]}")
            columns[column] = role
            if column in (self.raw or {}):
                raise ValueError(f"[raw.{column}]: '{column}' is the {role} of [problem]: take one of the two out")
            if column in self.features:
                raise ValueError(
                    f"[features.{column}]: '{column}' is the {role} of [problem]; a {role} is never a feature: "
                    "take one of the two out"
                )
        self._raw_agrees()
        for column in RESERVED:
            if column in columns or column in self.features or column in (self.raw or {}):
                raise ValueError(f"'{column}' is a column that data versions add: call yours otherwise")
        for column, times in Counter(number_columns(self.inputs)).items():
            if times > 1:
                raise ValueError(
                    f"[features]: '{column}' is there twice, once as a part of a date (NAME_age_days, NAME_month, "
                    "NAME_weekday): call one of the two otherwise"
                )
        if not self.inputs:
            raise ValueError("[features]: at least one feature must be available at prediction")
        if self.training.split == "time" and problem.time is None:
            raise ValueError('[training] split: "time" needs the column that orders rows: set time in [problem]')
        _fits_the_task(self.task, self.training, problem)
        if not isinstance(self.training.threshold, float) and len(problem.labels) != 2:
            raise ValueError("[training] threshold: a chosen threshold needs exactly two classes")
        return self

    def _refuse_labels_without_use(self, file: str) -> None:
        """Raise `ContractError` where replies would ask for labels that no window can use.

        Asked of what people write alone: a sealed contract of an older version is still read.
        """
        if self.monitor.audit_share and self.monitor.capture == "none":
            raise ContractError(
                f"{file}: [monitor] audit_share: replies would ask for labels that nothing uses, since capture = "
                '"none" keeps no prediction; set capture to "all" or "sample", or audit_share to 0'
            )

    def _refuse_private_without_source(self, file: str) -> None:
        """Raise `ContractError` where a private feature can only be made of values that are not private.

        Asked of what people write alone: a sealed contract of an older version is still read.
        """
        if any(column.private and column.available_at_prediction for column in self._columns_sent().values()):
            return
        for name, feature in self.inputs.items():
            if feature.private and name in self.made:
                raise ContractError(
                    f"{file}: [features.{name}] private: prepare makes it, and no column that is sent is private, so "
                    "a release would keep the values that it follows from: say private = true in [raw.NAME] or "
                    "[features.NAME] of each column that it is made of"
                )

    def _columns_sent(self) -> dict[str, Feature]:
        hidden = self.private  # a column is as private as the feature that is made of it under its name
        raw: dict[str, Feature] = {
            name: column.as_sent().model_copy(update={"private": column.private or name in hidden})
            for name, column in (self.raw or {}).items()
        }
        kept = {name: raw.get(name, feature) for name, feature in self.features.items() if not feature.derived}
        return {**kept, **{name: column for name, column in raw.items() if name not in kept}}

    def _raw_agrees(self) -> None:
        for name, feature in self.features.items():
            if feature.derived and name in (self.raw or {}):
                raise ValueError(
                    f"[features.{name}] derived: it is a column of [raw] too, from which prepare makes it: leave it out"
                )
        for name, column in (self.raw or {}).items():
            feature_of_it = self.features.get(name)
            if column.private and feature_of_it is not None and not feature_of_it.private:
                raise ValueError(
                    f"[features.{name}] private: [raw.{name}] is private, and it is made of that: say true"
                )
        if self.has_raw and not any(column.available_at_prediction for column in self._columns_sent().values()):
            raise ValueError("[raw]: at least one column must be available at prediction")


def _fits_the_task(task: Task, training: Training, problem: ProblemTable) -> None:
    success = problem.success_rule()
    for place, metric in (("[training] metric", training.metric), ("[problem] success", success and success[0])):
        if metric and metric not in task.metrics:
            raise ValueError(f"{place}: {metric} is no metric of a {task.name}; expected {', '.join(task.metrics)}")
    for family in training.families:
        if family not in task.families:
            raise ValueError(
                f"[training] families: {family} is no family of a {task.name}; expected {', '.join(task.families)}"
            )
    if isinstance(task, Regression):
        for key in ("threshold", "class_weight"):
            if getattr(training, key) != Training.model_fields[key].default:
                raise ValueError(f"[training] {key}: a regression has no classes; leave it out")


def _without_what_is_not_built(raw: object) -> object:
    """A sealed contract without reserved settings: they were accepted once, and changed nothing."""
    if not isinstance(raw, dict):
        return raw
    return {
        table: {key: said for key, said in keys.items() if (table, key) not in NOT_BUILT}
        if isinstance(keys, dict)
        else keys
        for table, keys in raw.items()
    }


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=False, separators=(",", ":"), ensure_ascii=False).encode()
