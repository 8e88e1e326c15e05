"""A report says of every release that answered in its window what it is, and every sentence once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects, MemoryPredictionStore
from andamio.cli.models import monitor
from andamio.release.pointer import Pointer, PointerEntry, Strategy, Withdrawn, read_pointer, swap_pointer
from andamio.storage import documents, layout
from monitoring import words
from monitoring.delivery import read, store
from monitoring.events import WindowEvent
from monitoring.feedback import StoredPredictions
from monitoring.page import page
from monitoring.releases import others
from monitoring.report import REPORT, Finding, Report, Retraining
from monitoring.steps import GatherEvent, Watch, compare_step, gather_step
from rollout.retraining.retrainer import ContractRetrainer
from tests.support.capture import delivery, prediction
from tests.support.releases import heart
from tests.support.watched import watched_release

END = datetime(2026, 11, 27, 18, tzinfo=UTC)
AT = "2026-11-01T00:00:00Z"


def entry(release: str) -> PointerEntry:
    return PointerEntry(release, AT, f"run-{release}")


def pointer(strategy: Strategy = "canary") -> Pointer:
    gone = Withdrawn("d", "run-d", "", AT, "worse")
    return Pointer("heart", 9, entry("a"), entry("b"), 0.1, entry("c"), (gone,), None, strategy)


def test_a_release_is_what_the_pointer_says() -> None:
    made = {"e": 1, "d": 2, "c": 3, "b": 40, "a": 5}
    assert [(one.release, one.role, one.rows) for one in others(pointer(), made, "f")] == [
        ("b", "challenger", 40),
        ("a", "champion", 5),
        ("c", "earlier-champion", 3),
        ("d", "withdrawn", 2),
        ("e", "earlier", 1),
    ]


def test_a_shadow_is_said_although_it_answers_nobody() -> None:
    (said,) = others(pointer("shadow"), {}, "a")
    assert (said.release, said.role, said.rows) == ("b", "shadow", 0)
    assert [*words.of_releases([said])] == [
        "Release b: 0 predictions, not compared (a challenger that is scored in shadow now and answers nobody)."
    ]
    assert others(pointer("shadow"), {}, "b") == [], "it is the one that is compared"
    assert others(pointer(), {}, "a") == [], "a challenger that answers is told by its answers"


@pytest.fixture
def report() -> Report:
    """Of a window in which the champion before made two predictions, and the one of now none."""
    models, lake, contract = MemoryObjects("models"), MemoryObjects("lake"), heart()
    watched_release(models)
    before, etag = read_pointer(models, "heart")
    swap_pointer(models, replace(before, revision=before.revision + 1, previous=entry("9" * 16)), etag)
    table = MemoryPredictionStore()
    for number in range(2):
        line = prediction(number, at=END.replace(hour=12), release="9" * 16)
        store(read(delivery([line]), contract), contract, lake, table)
    watch = Watch(
        lake=lake,
        models=models,
        predictions=StoredPredictions(table, MemoryObjects("batch")),
        contract=contract,
        system="heart",
        metrics=None,  # type: ignore[arg-type]
        events=MemoryEvents(),
        retrainer=ContractRetrainer(lake, models, contract),
        now=END,
    )
    window = f"{END:%Y-%m-%dT%H:%M:%SZ}"
    gather_step(watch, GatherEvent(event={"end": window}, started=window))
    compare_step(watch, WindowEvent(window=window))
    return documents.read(lake, layout.monitoring(END, REPORT), Report)


def test_the_report_its_page_and_the_command_line_name_other_releases(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.traffic.other_releases == 2
    assert [(one.role, one.rows) for one in report.traffic.releases] == [("earlier-champion", 2)]
    said = f"Release {'9' * 16}: 2 predictions, not compared (the champion before)."
    assert said in page(report, heart()).decode()
    monitor._words(report, None)
    assert said in " ".join(capsys.readouterr().out.split())


def test_what_is_said_of_a_retraining_is_said_once(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    retraining = Retraining(status="missing", message="No retraining, although there is drift.", reason="drift")
    moved = [
        Finding(kind="drift", alarm=True, subject=str(one), message=f"{one}: moved.", since="", certainty="", advice="")
        for one in range(9)
    ]
    found = [*moved, *words.of_retraining(retraining, "2026-11-27T18:00:00Z")]
    asked = report.model_copy(
        update={
            "message": f"{report.message} {retraining.message}",
            "retraining": retraining,
            "findings": found,
        }
    )
    assert asked.headline == report.message
    monitor._words(asked, None)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(retraining.message) == 1, "also where other findings are many"
    assert "and 1 more: see the page" in printed
    assert report.headline == report.message
