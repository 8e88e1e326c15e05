"""The tables of `problem.toml`: keys, types, defaults, and messages for what is wrong with them."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from andamio.contract.canonical import canonical, composed
from andamio.contract.dates import date_format

EXACT_INTEGER = 2**24
"""The largest integer up to which float32 holds every integer."""
LARGEST_NUMBER = (2 - 2**-23) * 2.0**127
"""The largest number that float32 holds."""
RESERVED = ("_key", "_row")
"""Columns that a data version adds: no column of the data may be called so."""

TaskName = Literal["classification", "regression"]
ClassificationMetric = Literal["roc_auc", "log_loss", "brier", "f1", "accuracy", "average_precision"]
RegressionMetric = Literal["rmse", "mae", "r2", "pinball"]
Metric = Literal[ClassificationMetric, RegressionMetric]
Classifier = Literal[
    "logistic_regression",
    "random_forest",
    "extra_trees",
    "gradient_boosting",
    "hist_gradient_boosting",
    "mlp",
    "svm",
    "pipeline",
]
Regressor = Literal[
    "ridge", "random_forest", "extra_trees", "gradient_boosting", "hist_gradient_boosting", "mlp", "pipeline"
]
Family = Literal[Classifier, "ridge"]
DEFAULT_FAMILIES: tuple[Family, ...] = get_args(Classifier)[:6]
"""Those that are tried where a contract names none; `svm` keeps rows of train in the model that is served."""
DEFAULT_REGRESSORS: tuple[Family, ...] = get_args(Regressor)[:6]
Compute = Literal["auto", "function", "task"]
FeatureType = Literal["integer", "number", "boolean", "category", "date"]

NOT_BUILT = frozenset(
    {
        ("data", "images"),
    }
)
"""Tables and keys that are reserved: nothing reads them yet, so a file that sets one is refused."""

_SUCCESS = re.compile(r"^\s*(\w+)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$")


def _canonical_key(value: object) -> object:
    return canonical(value) if isinstance(value, str | int | float | bool) else value


def _composed_name(value: object) -> object:
    return composed(value) if isinstance(value, str) else value


CanonicalText = Annotated[str, BeforeValidator(_canonical_key), Field(min_length=1, max_length=200)]
Column = Annotated[
    str, BeforeValidator(_composed_name), Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
]


class Section(BaseModel):
    """A table of the file: its keys never change after reading, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Label(Section):
    """One class: the text shown for it, and the values of the target column that mean it."""

    text: str = Field(min_length=1)
    """The text shown."""
    values: Annotated[tuple[CanonicalText, ...], Field(min_length=1)]
    """The values of the target column that mean it."""


class ProblemTable(Section):
    """[problem]: what is predicted."""

    name: str
    """2 to 31 lower-case letters, digits and hyphens, no two hyphens in a row; names the stack, the functions, the
    MLflow model."""
    title: str = ""
    """For people: on the API's page and the model card."""
    description: str = ""
    """For people: on the API's page and the model card."""
    objective: str = ""
    """For people: what the model is for."""
    success: str = ""
    """A figure to reach on the holdout, such as `"roc_auc >= 0.85"`; checked in every evaluation, stated in
    every decision, and a bar with `[gate] success = "bar"`."""
    task: TaskName = "classification"
    """What is predicted: one of several classes, or a number ([regression](../regression.md))."""
    target: Column
    """The column with the label, or with the number."""
    labels: dict[CanonicalText, Label] = Field(default_factory=dict)
    """`{ "0" = "Healthy", "1" = "Ill" }`: value in the data = text shown; their order is the order of classes.
    When several values mean one class: `ill = { text = "Ill", values = ["1", "2"] }`. Needed for classification, and
    for it alone."""
    positive: CanonicalText | None = None
    """The positive class of two; left out, the second."""
    target_min: Annotated[float, Field(strict=True)] | None = None
    """Of a regression: the smallest number that the target can be. A row below it is rejected, no prediction is."""
    target_max: Annotated[float, Field(strict=True)] | None = None
    """Of a regression: the largest number that the target can be."""
    unit: str | None = None
    """Of a regression: the unit of the target, for people and in every reply."""
    scale: Literal["linear", "log"] | None = None
    """Of a regression: `log` fits the logarithm of the target (which needs a `target_min` above 0), so that errors
    are ratios; predictions are numbers in the target's unit all the same. Left out, `linear`."""
    interval: Annotated[float, Field(strict=True, ge=0.5, le=0.99)] | None = None
    """Of a regression: how often the interval of a prediction shall hold the truth; left out, 0.9."""
    id: Column | None = None
    """The column that identifies a record; only with it does a later row replace an earlier one."""
    group: Column | None = None
    """Rows that share it stay together, in the holdout and in cross-validation."""
    time: Column | None = None
    """The column that orders rows; never a feature. The age of a date is counted up to it."""
    time_format: str | None = None
    """How the times in that column are written, such as `"%d/%m/%Y %H:%M"`; left out, in ISO 8601."""
    target_from: Literal["prepare"] | None = None
    """`"prepare"`: the label is made by `target` of [prepare.py](../prepare.md), and files have no column of that
    name."""

    @field_validator("name")
    @classmethod
    def _name_fits_resources(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,30}", value):
            raise ValueError("expected 2 to 31 lower-case letters, digits and hyphens that start with a letter")
        if "--" in value:
            raise ValueError("expected no '--', which stands before a stage in the names of what is deployed")
        return value

    @field_validator("labels", mode="before")
    @classmethod
    def _long_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        result: dict[object, object] = {}
        for key, said in value.items():
            if not isinstance(said, str | dict | Label):
                raise ValueError(f'\'{key}\': expected the text shown, or {{ text = "...", values = ["..."] }}')
            known = _canonical_key(key)
            if known in result:
                raise ValueError(f"'{known}' is listed twice (0, 0.0 and \"0\" are one value)")
            result[known] = {"text": said, "values": [known]} if isinstance(said, str) else said
        return result

    @field_validator("success")
    @classmethod
    def _success_is_a_comparison(cls, value: str) -> str:
        match = _SUCCESS.match(value)
        if value and (match is None or match.group(1) not in get_args(Metric)):
            raise ValueError(
                f'expected a comparison such as "roc_auc >= 0.85" with one of {", ".join(get_args(Metric))}'
            )
        return value

    @field_validator("time_format")
    @classmethod
    def _time_format_is_readable(cls, value: str | None) -> str | None:
        return value if value is None else date_format(value).text

    @model_validator(mode="after")
    def _time_format_has_a_time(self) -> Self:
        if self.time_format is not None and self.time is None:
            raise ValueError("time_format: there is no time column; name it as time")
        return self

    @model_validator(mode="after")
    def _keys_fit_the_task(self) -> Self:
        if self.task == "classification":
            for key in ("target_min", "target_max", "unit", "scale", "interval"):
                if getattr(self, key) is not None:
                    raise ValueError(f'{key}: only a regression has one; leave it out, or set task = "regression"')
            if "labels" not in self.model_fields_set:
                raise ValueError("labels: is missing")
            return self
        for key in ("labels", "positive"):
            if getattr(self, key):
                raise ValueError(f"{key}: a regression has no classes; leave it out")
        for key in ("target_min", "target_max"):
            bound = getattr(self, key)
            if bound is not None and abs(bound) > LARGEST_NUMBER:
                raise ValueError(f"{key}: a number beyond 3.4e38 cannot be held; use another unit")
        low, high = self.target_min, self.target_max
        if low is not None and high is not None and low >= high:
            raise ValueError(f"target_min: {low:.15g} must be below target_max, which is {high:.15g}")
        if self.scale == "log" and (low is None or low <= 0):
            raise ValueError(
                'scale: "log" needs a target_min above 0, since no other number has a logarithm; set target_min to the '
                "smallest number that can be, or leave scale out"
            )
        return self

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Self:
        if self.task == "regression":
            return self
        if not 2 <= len(self.labels) <= 100:
            raise ValueError(
                f"labels: expected 2 to 100 classes, each a value and the text shown; got {len(self.labels)}"
            )
        seen: dict[str, str] = {}
        for key, label in self.labels.items():
            for value in label.values:
                if value in seen:
                    raise ValueError(f"labels: the value '{value}' stands under both '{seen[value]}' and '{key}'")
                seen[value] = key
        if self.positive is not None:
            if len(self.labels) != 2:
                raise ValueError("positive: only a problem with two classes has a positive one")
            if self.positive not in self.labels:
                raise ValueError(f"positive: '{self.positive}' is not one of the labels: {', '.join(self.labels)}")
        return self

    def success_rule(self) -> tuple[str, str, float] | None:
        """`success` as (metric, comparison, bound), or None when it is not set."""
        match = _SUCCESS.match(self.success)
        return (match.group(1), match.group(2), float(match.group(3))) if match else None


class Data(Section):
    """[data]: the files shipped with the problem, and how to read them."""

    files: tuple[str, ...] = ()
    """The sample data of this folder: CSV, Parquet or JSON Lines, with a header."""
    missing: tuple[str, ...] = ("",)
    """Values that mean "no value", in CSV, JSON Lines, Parquet and a request alike: `"?"` is no value in any
    format, and `"-999"` is none as a number too. The empty text always means none."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The delimiter of a CSV file; left out, it is detected."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark of numbers in CSV; left out, it is detected."""
    thousands: Literal[".", ",", " ", "'"] | None = None
    """The mark between thousands of numbers in CSV; left out, a number that may have one is refused."""
    encoding: str | None = None
    """The encoding of text files, by its name in Python; left out, it is detected."""

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both '{self.decimal}': no number can be read like that")
        return self

    @field_validator("files")
    @classmethod
    def _files_differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if value.count(name) > 1:
                raise ValueError(f"'{name}' is listed twice: its rows would be read twice")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                b"a\xff".decode(value, "backslashreplace")  # punycode and idna know no bytes that are no text
            except (LookupError, UnicodeError):
                raise ValueError(f"'{value}' is not an encoding that Python knows, such as utf-8 or latin-1") from None
        return value


class Feature(Section):
    """[features.NAME]: one column that a record has."""

    type: FeatureType
    """The type of a value. Images are not built yet."""
    unit: str = ""
    """For people: on the API's page."""
    min: Annotated[float, Field(strict=True)] | None = None
    """The smallest value of an integer or a number."""
    max: Annotated[float, Field(strict=True)] | None = None
    """The largest value of an integer or a number."""
    description: str = ""
    """For people: on the API's page."""
    values: dict[CanonicalText, str] | None = None
    """Of a category: a list, or `{ value = "text" }`. Left out: the 100 most frequent of train, sealed with the
    release."""
    unknown: Literal["reject", "other"] | None = None
    """A category that is not listed: `reject` the record, or read the value as `other`. Left out: `reject`, and
    `other` when the values are learned."""
    format: str | None = None
    """How a date is written, such as `"%d/%m/%Y"`: `%d`, `%m`, `%Y`, and `%H`, `%M`, `%S` of a moment. Left out, in
    ISO 8601. It holds for texts of any format, files and requests; a date that Parquet holds as one needs none."""
    required: Annotated[bool, Field(strict=True)] = True
    """`false`: may be missing, when training and when serving; imputed inside the model."""
    on_invalid: Literal["reject", "missing"] = "reject"
    """Outside the range: `reject` the record, or count the value and read it as `missing` (needs
    `required = false`)."""
    private: Annotated[bool, Field(strict=True)] = False
    """Never logged, captured or stored outside the lake, except in [scored files](../batch.md), to which it is
    copied."""
    available_at_prediction: Annotated[bool, Field(strict=True)] = True
    """`false`: known only after the prediction; kept in the lake, never a feature."""
    derived: Literal[True] | None = None
    """`true`: made by `prepare` of [prepare.py](../prepare.md), no column of files and requests. [features] alone."""

    @property
    def accepts_unknown(self) -> bool:
        """Whether a category that is not listed passes (as "other") instead of being rejected."""
        return self.unknown == "other" or (self.unknown is None and self.values is None)

    @field_validator("format")
    @classmethod
    def _format_is_readable(cls, value: str | None) -> str | None:
        return value if value is None else date_format(value).text

    @field_validator("type", mode="before")
    @classmethod
    def _images_come_later(cls, value: object) -> object:
        if value == "image":
            raise ValueError('"image" is not supported yet; use integer, number, boolean, category or date')
        return value

    @field_validator("values", mode="before")
    @classmethod
    def _list_or_table(cls, value: object) -> object:
        pairs: list[tuple[object, object]]
        if isinstance(value, list | tuple):
            pairs = [(item, item) for item in value]
        elif isinstance(value, dict):
            pairs = list(value.items())
        else:
            return value
        if not pairs:
            raise ValueError("expected at least one value; leave it out to learn the values from the data")
        result: dict[object, object] = {}
        for key, text in pairs:
            if not isinstance(key, str | int | float) or not isinstance(text, str | int | float):
                raise ValueError('expected a list of values, or a table { "value" = "text shown" }')
            known = _canonical_key(key)
            if known in result:
                raise ValueError(f"'{known}' is listed twice (4, 4.0 and \"4\" are one value)")
            result[known] = text if isinstance(text, str) else canonical(text)
        return result

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> Self:
        ranged = self.type in ("integer", "number")
        if not ranged:
            for key in ("min", "max"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: only an integer or a number has a range, not a {self.type}")
            if self.on_invalid == "missing":
                raise ValueError(f"on_invalid: only an integer or a number has a range, not a {self.type}")
        if self.format is not None and self.type != "date":
            raise ValueError(f"format: only a date has one, not a {self.type}")
        if self.type != "category":
            for key in ("values", "unknown"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: only a category has one, not a {self.type}")
        elif self.values is None and self.unknown == "reject":
            raise ValueError('unknown: "reject" needs the values listed; learned values always accept others')
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min: {self.min:.15g} must be below max, which is {self.max:.15g}")
        for key in ("min", "max"):
            bound = getattr(self, key)
            if self.type == "integer" and bound is not None and abs(bound) > EXACT_INTEGER:
                raise ValueError(
                    f"{key}: an integer beyond {EXACT_INTEGER} cannot be held exactly; "
                    "use a category, a date, or subtract an offset"
                )
            if bound is not None and abs(bound) > LARGEST_NUMBER:
                raise ValueError(f"{key}: a number beyond 3.4e38 cannot be held; use its logarithm or another unit")
        whole = self.type == "integer" and self.min is not None and self.max is not None
        if whole and math.ceil(self.min or 0) > math.floor(self.max or 0):
            raise ValueError(f"min: no integer lies between {self.min:.15g} and {self.max:.15g}")
        if self.on_invalid == "missing" and self.required:
            raise ValueError('on_invalid: "missing" needs required = false, or the row is rejected all the same')
        return self


class RawColumn(Feature):
    """[raw.NAME]: one column of files and requests that is not what the model sees, with the keys of a feature."""

    type: FeatureType | Literal["text"]  # type: ignore[assignment]
    """As of a feature, or `text`: any text."""
    example: str | int | float | None = None
    """A value for the examples of the API's page, as a client sends it; a `text` needs one."""

    @model_validator(mode="after")
    def _fits_a_column(self) -> Self:
        if self.derived:
            raise ValueError("derived: only a feature is made by prepare")
        if self.type == "text" and self.available_at_prediction and self.example is None:
            raise ValueError('example: a text needs one, such as example = "$1,250.00": the API shows and tries it')
        return self

    def as_sent(self) -> Sent:
        """The column as it is read: a text is a category of any value."""
        said = self.model_dump()
        text = self.type == "text"
        return Sent(**{**said, "type": "category" if text else self.type, "as_written": text})


class Sent(Feature):
    """A column of [raw] as it is read from files and requests, and shown."""

    example: str | int | float | None = None
    """A value for the examples of the API's page."""
    as_written: bool = False
    """Whether it is a `text`: prepare.py gets its cells as a file writes them, whatever its decimal mark."""


class Costs(Section):
    """What a false positive and a false negative cost, in any one unit."""

    cost_fp: Annotated[float, Field(strict=True, gt=0)]
    """What a false alarm costs."""
    cost_fn: Annotated[float, Field(strict=True, gt=0)]
    """What a missed case costs."""


def _threshold(value: object) -> object:
    if isinstance(value, bool) or not (isinstance(value, int | float | dict | Costs) or value == "f1"):
        raise ValueError('expected a number between 0 and 1, "f1", or { cost_fp = 1, cost_fn = 5 }')
    if isinstance(value, int | float):
        if not 0 < value < 1:
            raise ValueError("expected a number between 0 and 1")
        return float(value)
    return Costs.model_validate(value) if isinstance(value, dict) else value


class Training(Section):
    """[training]: how a model is searched for."""

    metric: Metric = "roc_auc"
    """The metric that models are compared by: macro, one against the rest, for more than two classes. A regression
    has `rmse` (left out, this one), `mae`, `r2` or `pinball`, which is half of `mae`."""
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = DEFAULT_FAMILIES
    """The families of models to try; left out, all but `svm`, which [keeps rows of train](../contract.md#svm) in
    the model. A run's plan lists those that it skipped. A regression has `ridge` in place of `logistic_regression`, and
    no `svm`. `pipeline` is the problem's own [pipeline.py](../pipeline.md), tried too where this is left out."""
    trials: Annotated[int, Field(strict=True, ge=1, le=2000)] = 24
    """The maximum number of trials. First every family with its defaults, logistic regression before all others, then
    the suggestions of the search. The majority class is scored too, and logistic regression with its defaults when
    its family is not in `families`: as baselines, which are never served."""
    parallel: Annotated[int, Field(strict=True, ge=1, le=40)] = 3
    """The number of trials at the same time ([why 3](../adr/0020-waiting-for-room-to-run.md)); also the size of a
    round (or a hundredth of `trials`, if that is more)."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = 7
    """The seed of everything random."""
    holdout: Annotated[float, Field(strict=True, ge=0.05, le=0.5)] = 0.2
    """The share of rows that no training run ever sees; sealed by the first data version."""
    split: Literal["hash", "time"] = "hash"
    """How rows are divided; with `time` the newest share is the holdout."""
    threshold: Annotated[float | Literal["f1"] | Costs, BeforeValidator(_threshold)] = 0.5
    """The threshold of the positive class; or `"f1"`, or `{ cost_fp = 1, cost_fn = 5 }`: chosen on calibrated
    out-of-fold scores, sealed in the release."""
    class_weight: Literal["none", "balanced"] = "none"
    """Whether rare classes have the same weight as frequent ones in training."""
    repeats: Annotated[int, Field(strict=True, ge=1, le=20)] | None = None
    """How often the folds of cross-validation are drawn anew; left out, twice, and once from 75,000 rows of train on,
    where a second drawing doubles the time and makes the standard error smaller by an eighth."""
    patience: Annotated[int, Field(strict=True, ge=1, le=100)] = 3
    """The search ends after this many rounds without a better mean, once every family was tried."""
    budget_minutes: Annotated[float, Field(strict=True, gt=0, le=1440)] = 30.0
    """No new round starts after so many minutes of work on the run: where it was interrupted, the pause does not
    count."""
    compute: Compute = "auto"
    """Where trials, fit and evaluation run: in functions, or as [tasks](../deploy.md#larger-than-a-function), which
    have no limit of 15 minutes and up to 120 GB of memory. `auto` takes tasks where the data are too large for a
    function; with `function` the stack has no tasks."""
    leakage: Literal["warn", "stop"] = "warn"
    """The effect of a suspect of the [leakage audit](../contract.md#the-leakage-audit): a warning; with `stop` the
    ETL run ends as `Rejected`, and no training follows."""


class Gate(Section):
    """[gate]: what a challenger must show."""

    confidence: Annotated[float, Field(strict=True, ge=0.5, lt=1)] = 0.95
    """How sure the gate must be, as a probability ([the rules](../gate.md))."""
    min_gain: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """The gain of a challenger must be greater than this, when there are no rows newer than the champion's data
    ([the rules](../gate.md))."""
    max_latency_ms: Annotated[float, Field(strict=True, gt=0)] = 5.0
    """The median of 500 single-row calls after warm-up must not exceed it."""
    max_size_mb: Annotated[float, Field(strict=True, gt=0)] = 50.0
    """A trial whose model would be larger is pruned while searching; when an export is larger after all,
    the next-best trial is exported."""
    slices: Literal["warn", "bar"] = "warn"
    """With `bar`, a challenger that is worse than the champion on a slice of the holdout, beyond chance, is not
    promoted."""
    success: Literal["warn", "bar"] = "warn"
    """The effect of a missed `[problem] success`: a note in the decision, and "Do not rely on this model" on
    the card; with `bar` the model is not promoted, under any rule
    ([why](../adr/0015-success-is-no-bar-unless-asked-for.md))."""


class ReleaseTable(Section):
    """[release]: how a new champion takes over, and whether it explains itself."""

    strategy: Literal["direct", "shadow", "canary"] = "direct"
    """How a model that the gate allows [takes over](../rollout.md): at once; after it was scored beside the champion
    (`shadow`); or after it answered a `share` of the requests (`canary`)."""
    share: Annotated[float, Field(strict=True, gt=0, le=0.5)] = 0.1
    """With `canary`, the share of records that the challenger answers."""
    minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] = 30
    """So long a challenger is watched before it is promoted or withdrawn."""
    min_requests: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 100
    """With fewer records scored by the challenger it is watched for longer, up to ten times `minutes`; then it is
    withdrawn."""
    max_disagreement: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.2
    """With `shadow`, the largest share of records whose label may differ between champion and challenger."""
    approve: Literal["auto", "manual"] = "auto"
    """With `manual`, what the gate allows waits for `andamio approve` before it serves, the first model too."""
    approve_hours: Annotated[int, Field(strict=True, ge=1, le=720)] = 72
    """After so many hours without an answer it is rejected."""
    explanations: Annotated[bool, Field(strict=True)] = True
    """`false`: `POST /explain` answers 404. Sealed with the release: it changes with the next one that is
    promoted."""


class Batch(Section):
    """[batch]: whether predictions of files are kept in the table, and how long."""

    store: Literal["auto", "always", "never"] = "auto"
    """Whether the predictions of a [scored file](../batch.md) go into the predictions table: with `auto` up to
    100,000 rows; `always` and `never` hold for any file."""
    keep_days: Annotated[int, Field(strict=True, ge=1)] = 90
    """How long files, their results and their predictions are kept."""


class Monitor(Section):
    """[monitor]: what is kept of predictions, how they are compared, and when that is an alarm."""

    window_hours: Annotated[int, Field(strict=True, ge=1, le=8760)] = 24
    """The hours of predictions that are compared with the champion's reference."""
    drift_psi: Annotated[float, Field(strict=True, gt=0)] = 0.1
    """How far a feature must have moved, as a population stability index, before a significant difference is drift."""
    min_rows: Annotated[int, Field(strict=True, ge=20)] = 200
    """With fewer rows in a window the answer is "not enough data"."""
    windows: Annotated[int, Field(strict=True, ge=1, le=100)] = 3
    """Drift is persistent when `persistence` of so many windows, the newest ones, have it."""
    persistence: Annotated[int, Field(strict=True, ge=1, le=100)] = 2
    """See `windows`; at most as many."""
    label_delay_hours: Annotated[int, Field(strict=True, ge=0, le=87600)] = 0
    """How long the truth takes to become known: a younger prediction without a label is waiting, not uncovered. A label
    that comes more than `window_hours` later than this is too late to be used."""
    margin: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """How far below zero the interval of the difference in the metric must lie before the model counts as worse; of a
    metric in the target's unit, as a share of what the metric was."""
    audit_share: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    """The share of predictions, chosen at random, whose reply asks for a label; 0 where `capture` is `"none"`."""
    capture: Literal["all", "sample", "none"] = "all"
    """Whether the records of predictions are kept, those of a `sample`, or none; private features never are."""
    sample: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.1
    """The share that is kept where `capture` is `sample`."""
    keep_days: Annotated[int, Field(strict=True, ge=1)] = 400
    """How long kept records, labels and reports of the watch stay in the lake."""
    orphan_hours: Annotated[int, Field(strict=True, ge=1)] = 24
    """A label whose prediction is not found after so many hours is an orphan, and reported."""
    retrain: Annotated[bool, Field(strict=True)] = False
    """Whether the watch starts a training itself when drift is persistent or the model has become worse, and enough
    labels came ([the rule](../monitoring.md#retraining))."""
    cooldown_hours: Annotated[int, Field(strict=True, ge=1, le=8760)] = 24
    """The watch starts no training sooner than so many hours after the one before it."""
    retrain_per_week: Annotated[int, Field(strict=True, ge=1, le=168)] = 2
    """How many trainings the watch starts in seven days, at most."""

    @property
    def capture_share(self) -> float:
        """The share of predictions whose records are kept, from 0 to 1."""
        return {"all": 1.0, "sample": self.sample, "none": 0.0}[self.capture]

    @property
    def drawn_share(self) -> float:
        """The share of the API's predictions whose records are kept: of a sample also those that want a label."""
        share = self.capture_share
        return share + (1 - share) * self.audit_share if 0 < share < 1 else share

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.persistence > self.windows:
            raise ValueError(
                f"[monitor] persistence: {self.persistence} of {self.windows} windows cannot be; at most windows"
            )
        hours = self.window_hours + self.label_delay_hours
        if self.keep_days * 24 < hours:
            raise ValueError(
                f"[monitor] keep_days: {self.keep_days} days are shorter than window_hours and label_delay_hours "
                f"together ({hours} hours); at least {-(-hours // 24)}"
            )
        if self.retrain and self.capture == "none":
            raise ValueError(
                '[monitor] retrain: true needs the records of predictions, and capture = "none" keeps none; '
                'set capture to "all"'
            )
        return self
