"""The report of a window, as it is stored, served by `GET /monitoring` and drawn: docs/monitoring.md describes it."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import ConfigDict, Field

from andamio.contract.tables import TaskName
from andamio.storage.documents import Document, Part
from monitoring.results import DataDrift, Estimate, Performance

Status = Literal["quiet", "alarm", "not-enough-data"]
Alarm = Literal["drift", "rejects", "performance", "coverage"]
Kind = Literal[
    "drift",
    "joint",
    "predictions",
    "rejects",
    "performance",
    "coverage",
    "bias",
    "intervals",
    "orphans",
    "capture",
    "retraining",
]

REPORT, PAGE, WINDOW = "report.json", "report.html", "window.json"
"""The files of a window."""


class Span(Part):
    """The hours compared; ISO 8601, UTC."""

    start: str
    end: str
    hours: int


class Model(Part):
    """The champion that the window is compared with, since when it is served, and the run that made it.

    `task` is what it predicts, `unit` that of a regression's target.
    """

    release: str
    since: str
    run: str
    task: TaskName = "classification"
    unit: str = ""


Role = Literal["champion", "challenger", "shadow", "earlier-champion", "withdrawn", "earlier"]
"""What a release was when the report was made; "earlier" served at some time, as what is not known any more."""


class OtherRelease(Part):
    """A release that is not compared, what it is, and how many predictions of the window it made.

    A shadow answers nobody, so that it has made none; how it did is in `andamio status`.
    """

    release: str
    role: Role
    rows: int


class Traffic(Part):
    """What was asked of the service in the window.

    `rows` are predictions of the champion, `compared` of them are in this report (a uniform sample where there are
    many), `other_releases` are predictions of other releases, which are not compared, and `releases` says of each of
    these what it is. `rejected` rows were refused.
    `failed` are requests that were answered with another error than a refused record, by the kind of problem, whichever
    release served, and `releases_refused` is how often the API could not load a release.
    `median_ms` and `p99_ms` are what a prediction took in the function, to a tenth, null where none was logged: what a
    client waits for is longer.
    `capture_lag_seconds` is how long after the end of its hour the latest delivery of the window came, 0 where all came
    within their hour, null where none came.
    """

    requests: int
    rows: int
    compared: int
    other_releases: int
    rejected: int
    capture_lag_seconds: float | None
    failed: dict[str, int] = Field(default_factory=dict)
    releases_refused: int = 0
    median_ms: float | None = None
    p99_ms: float | None = None
    releases: list[OtherRelease] = Field(default_factory=list)


class Labels(Part):
    """Labels that came for predictions that are judged, and others.

    `orphans` have a prediction that is not found in time, `elsewhere` one that was made before the hours that a window
    looks at: they came later than `[monitor] label_delay_hours` lets expect. Of the predictions that are judged and
    kept `asked` ones asked for their label in the reply (`[monitor] audit_share`), and `answered` of them have one.
    """

    joined: int
    orphans: int
    elsewhere: int = 0
    asked: int = 0
    answered: int = 0


class Persistence(Part):
    """In which of the newest windows drift was seen: windows that follow each other and share no prediction.

    `looked_at` has the ends of those that there are, newest first, at most `windows` of them; `with_drift` those that
    had drift. It is `persistent` from `needed` on.
    """

    windows: int
    needed: int
    looked_at: list[str]
    with_drift: list[str]
    persistent: bool


class Retraining(Part):
    """Whether the watch starts a training for this window, and why, or why not.

    "missing": something lacks that a training needs, a sentence each in `missing`; "waiting": a training was started
    before. `records` have a label and may be trained on; `new` of them are not in the current data version, by class in
    `classes`. `equal` ones equal a row of it, of which `contradicting` have a label that no such row has. `left_out`
    counts labels that are of no use here, by the reason.
    """

    status: Literal["not-needed", "missing", "waiting", "start"]
    message: str
    reason: str | None
    missing: list[str] = Field(default_factory=list)
    records: int = 0
    new: int = 0
    classes: dict[str, int] = Field(default_factory=dict)
    equal: int = 0
    contradicting: int = 0
    left_out: dict[str, int] = Field(default_factory=dict)


class Finding(Part):
    """One thing that a person should know: what, since when, how sure, and what to do.

    `since` is the end of the first window that had it, of windows without a break. `subject` is a feature or a field
    where it is about one.
    """

    kind: Kind
    alarm: bool
    subject: str | None
    message: str
    since: str
    certainty: str
    advice: str


class Point(Part):
    """One stretch of the window: its start, predictions, the share without a value, and the mean of the others."""

    time: str
    rows: int
    missing: float
    mean: float | None


class Trend(Part):
    """How one feature went through the window; `reference_*` are what it was in training. Dates have no mean."""

    feature: str
    reference_missing: float
    reference_mean: float | None
    points: list[Point]


class Report(Document):
    """What was found in one window.

    `status` "alarm": one of `alarms` is raised; "not-enough-data": nothing is, and too little could be compared, or
    nothing was captured for hours, to say that all is well. `message` says it in a sentence, `findings` has what a
    person should know, the gravest first, `notes` what limits the report. `new` are alarms that the report before
    did not have. `since` says of an alarm and `features_since` of a feature which window had it first. `data`,
    `performance` and `estimate` are null where they could not be made: a note says why. `retraining` is null where the
    contract does not ask for it. `metrics` are what CloudWatch gets; a decision that could not be made has none.
    """

    # Reports of before are read without a field that came later; those of now have all.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    problem: str
    system: str
    window: Span
    model: Model
    created: str
    status: Status
    message: str
    alarms: list[Alarm]
    new: list[Alarm]
    since: dict[str, str]
    features_since: dict[str, str]
    findings: list[Finding]
    notes: list[str]
    traffic: Traffic
    labels: Labels
    persistence: Persistence
    data: DataDrift | None
    performance: Performance | None
    estimate: Estimate | None
    trends: list[Trend]
    metrics: dict[str, float]
    retraining: Retraining | None = None
    page: str = Field(description="The key of the page of this report, in the lake.")

    @property
    def headline(self) -> str:
        """The message without what is said of retraining, which is a finding of its own."""
        said = None if self.retraining is None else self.retraining.message
        return self.message if said is None else self.message.removesuffix(said).rstrip()


class LatestReport(Document):
    """`monitoring/latest.json`: the newest window that has a report, where its files are, and what was told.

    `told` are alarms that an event was sent for, and that no window since has found to be over.
    """

    window: str
    release: str
    status: Status
    report: str
    page: str
    told: list[Alarm] = Field(default_factory=list)


def schema() -> str:
    """The JSON Schema of a report, as docs/monitoring.schema.json has it."""
    return json.dumps(Report.model_json_schema(mode="serialization"), indent=1) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
