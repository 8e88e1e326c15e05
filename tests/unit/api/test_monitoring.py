"""GET /monitoring: the newest report of the watch as JSON, with every field that the document promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects, MemoryPredictionStore
from lambdas.api.models.monitoring import Finding, MonitoringReport
from monitoring import report as reports
from monitoring.events import WindowEvent
from monitoring.feedback import StoredPredictions
from monitoring.steps import GatherEvent, Watch, compare_step, gather_step, publish_step
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.api import Api
from tests.support.releases import heart
from tests.support.watched import watched_release

END = "2026-11-27T18:00:00Z"


class Unmeasured:
    """`Metrics` that keeps nothing."""

    def put(self, values: object) -> None:
        """Nothing."""


@pytest.fixture
def watched(api: Api) -> Api:
    """The service with a report of an empty window."""
    models = MemoryObjects("models")
    watched_release(models)
    watch = Watch(
        lake=api.lake,
        models=models,
        contract=heart(),
        system="heart",
        metrics=Unmeasured(),
        events=MemoryEvents(),
        predictions=StoredPredictions(MemoryPredictionStore(), MemoryObjects("batch")),
        retrainer=ContractRetrainer(api.lake, models, heart()),
        now=datetime(2026, 11, 27, 18, tzinfo=UTC),
    )
    gather_step(watch, GatherEvent(event={"end": END}, started=END))
    compare_step(watch, WindowEvent(window=END))
    publish_step(watch, WindowEvent(window=END))
    return api


def test_it_is_the_newest_report_as_the_document_describes_it(watched: Api) -> None:
    answer = watched.get("/monitoring")
    assert answer.status == 200
    assert MonitoringReport.model_validate(answer.json).status == "not-enough-data"
    assert answer.json["window"]["end"] == END
    assert answer.headers["cache-control"] == "no-store"


def test_before_the_first_report_it_says_how_to_make_one(api: Api) -> None:
    answer = api.get("/monitoring")
    assert answer.status == 404
    assert "andamio monitor" in answer.json["detail"]


def test_the_document_names_every_field_of_a_report_and_no_other() -> None:
    assert set(MonitoringReport.model_fields) == set(reports.Report.model_fields)
    assert set(Finding.model_fields) == set(reports.Finding.model_fields)
