"""What the watch found: the newest report, with its figures as objects that docs/monitoring.md describes."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lambdas.api.models import ApiModel

Object = dict[str, Any]


class Finding(ApiModel):
    """One thing that a person should know."""

    kind: Annotated[str, Field(description="What it is about, such as drift, rejects, performance or coverage")]
    alarm: bool
    subject: Annotated[str | None, Field(description="The feature or field, where it is about one")]
    message: str
    since: Annotated[str, Field(description="The end of the first window that had it")]
    certainty: Annotated[str, Field(description="How sure it is")]
    advice: Annotated[str, Field(description="What to do")]


class MonitoringReport(ApiModel):
    """The newest window of predictions against the champion."""

    format: int
    problem: str
    system: str
    window: Annotated[Object, Field(description="start, end (ISO 8601) and hours")]
    model: Annotated[Object, Field(description="The release that it is compared with, since when it serves, its run")]
    created: str
    status: Literal["quiet", "alarm", "not-enough-data"]
    message: Annotated[str, Field(description="What was found, in a sentence or two")]
    alarms: Annotated[list[str], Field(description="Of drift, rejects, performance and coverage those that are raised")]
    new: Annotated[list[str], Field(description="Those that the report before did not have")]
    since: Annotated[dict[str, str], Field(description="By alarm: the end of the first window that had it")]
    features_since: Annotated[dict[str, str], Field(description="The same by feature that moved")]
    findings: Annotated[list[Finding], Field(description="The gravest first")]
    notes: Annotated[list[str], Field(description="What limits this report")]
    traffic: Annotated[Object, Field(description="What was asked of the service")]
    labels: Annotated[Object, Field(description="Labels that came: joined and orphans")]
    persistence: Annotated[Object, Field(description="In which of the newest windows drift was seen")]
    data: Annotated[Object | None, Field(description="Features, predictions and refused records against the reference")]
    performance: Annotated[Object | None, Field(description="Where labels came: how good the model was")]
    estimate: Annotated[Object | None, Field(description="What the probabilities let expect before labels come")]
    trends: Annotated[list[Object], Field(description="How features that moved went through the window")]
    metrics: Annotated[dict[str, float], Field(description="What CloudWatch gets")]
    retraining: Annotated[Object | None, Field(description="Whether a training starts, and why or why not")]
    page: Annotated[str, Field(description="The key of the page, in the lake")]
