"""The watch on the command line: compare now, and print what was found in words."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from andamio import names
from andamio.adapters.alarms import has_subscriber, ringing
from andamio.cli.console import ago, note, out
from andamio.cli.home import account as account_of
from andamio.cli.home import home
from andamio.cli.models.follow import follow
from andamio.errors import AwsError, DocumentError, NoData, NotDeployed, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring import words
from monitoring.report import REPORT, LatestReport, Report
from monitoring.window import moment
from rollout.retraining import lock

_STYLES = {"quiet": "green", "alarm": "red", "not-enough-data": "yellow"}
_VERDICTS = {"quiet": "all quiet", "alarm": "ALARM", "not-enough-data": "not enough data"}
_FINDINGS, _RETRAINING = 8, "retraining"
"""Findings that are shown, of those that are about records or the model; what is said of a retraining always is."""
_MONITOR = "monitor"


def run(deployed: dict[str, Any], *, as_json: bool = False, show: bool = False) -> Report | None:
    """Compare the predictions up to now with the champion, and print what was found; None without a champion."""
    report = compare(deployed)
    if report is not None:
        _print(account_of(deployed).objects(deployed["buckets"]["lake"]), report, as_json=as_json, show=show)
    return report


def compare(deployed: dict[str, Any]) -> Report | None:
    """Compare the predictions up to now with the champion; None, and a note, without a champion."""
    machine = deployed["state_machines"].get(_MONITOR)
    if machine is None:
        raise NotDeployed(f"{deployed['stack']} was deployed without the watch. Deploy it again: andamio deploy")
    account = account_of(deployed)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    arn = account.start(machine, f"manual-{secrets.token_hex(6)}", {"end": now})
    ended = follow(account, arn, "Monitor")
    if ended.output["status"] == "no-model":
        note(ended.output["message"])
        return None
    lake = account.objects(deployed["buckets"]["lake"])
    return documents.read(lake, layout.monitoring(moment(now), REPORT), Report)


def last(deployed: dict[str, Any], *, as_json: bool = False, show: bool = False) -> Report:
    """Print the newest report; raises `NoData` when there is none yet."""
    lake = account_of(deployed).objects(deployed["buckets"]["lake"])
    latest = documents.find(lake, layout.LATEST_REPORT, LatestReport)
    if latest is None:
        raise NoData("There is no report of the watch yet. Make one: andamio monitor")
    report = documents.read(lake, latest.report, Report)
    _print(lake, report, as_json=as_json, show=show)
    return report


def status_rows(deployed: dict[str, Any]) -> list[tuple[str, str]]:
    """The newest report's verdict, the alarms that ring, and whether anybody is told of them."""
    return [*_verdict(deployed), *_retraining(deployed), *_alarms(deployed)]


def _print(lake: Objects, report: Report, *, as_json: bool, show: bool) -> None:
    file = _page(lake, report)
    if as_json:
        out.print(report.to_json().decode(), soft_wrap=True, markup=False)
    else:
        _words(report, file)
    if show and file is not None and not webbrowser.open(file.resolve().as_uri()):
        note("No browser was found. Open the file yourself.")


def _words(report: Report, file: Path | None) -> None:
    style, traffic = _STYLES[report.status], report.traffic
    out.print(f"  [bold {style}]{_VERDICTS[report.status]}[/bold {style}]  {escape(report.headline)}", soft_wrap=True)
    out.print(
        f"  [dim]{traffic.rows:,} predictions of release {report.model.release} up to {report.window.end}, "
        f"{traffic.rejected:,} refused records, {report.labels.joined:,} labels[/dim]"
    )
    for said in words.of_releases(traffic.releases):
        out.print(f"  [dim]{escape(said)}[/dim]", soft_wrap=True)
    others = report.findings[_FINDINGS:]
    shown = [*report.findings[:_FINDINGS], *(finding for finding in others if finding.kind == _RETRAINING)]
    for finding in shown:
        out.print(f"  [{style}]•[/{style}] {escape(finding.message)}", soft_wrap=True)
        out.print(f"    [dim]{escape(finding.certainty)}; since {finding.since}[/dim]", soft_wrap=True)
    if len(report.findings) > len(shown):
        out.print(f"    [dim]and {len(report.findings) - len(shown)} more: see the page[/dim]")
    for advice in dict.fromkeys(finding.advice for finding in shown):
        out.print(f"  What to do: {escape(advice)}", soft_wrap=True)
    for text in report.notes:
        out.print(f"  [dim]{escape(text)}[/dim]", soft_wrap=True)
    if file is not None:
        out.print(f"  Report: {escape(str(file))}", soft_wrap=True)


def _page(lake: Objects, report: Report) -> Path | None:
    """The page of a report as a local file; None where it could not be drawn."""
    try:
        body = lake.get(report.page).body
    except ObjectNotFound:
        note("This report has no page: drawing it failed. See andamio logs monitor")
        return None
    file = home() / "reports" / f"monitoring-{moment(report.window.end):%Y%m%dT%H%M%S}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return file


def _verdict(deployed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    lake = account_of(deployed).objects(deployed["buckets"]["lake"])
    try:
        latest = documents.find(lake, layout.LATEST_REPORT, LatestReport)
    except DocumentError as error:
        yield "watch", f"[red]{escape(str(error))}[/red]"
        return
    if latest is None:
        yield "watch", "[dim]no report yet: andamio monitor[/dim]"
        return
    style = _STYLES[latest.status]
    when = ago(moment(latest.window))
    yield "watch", f"[{style}]{_VERDICTS[latest.status]}[/{style}] in the window up to {when} (andamio monitor --last)"


def _retraining(deployed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The training that the watch started last, and why the newest window starts none."""
    lake = account_of(deployed).objects(deployed["buckets"]["lake"])
    try:
        last_start = lock.read(lake).last
        latest = documents.find(lake, layout.LATEST_REPORT, LatestReport)
        report = None if latest is None else documents.find(lake, latest.report, Report)
    except DocumentError as error:
        yield "retraining", f"[red]{escape(str(error))}[/red]"
        return
    if last_start is not None:
        began = "is about to start" if last_start.started is None else f"started {ago(moment(last_start.since))}"
        yield "retraining", f"{began}, because of {escape(last_start.reason)}"
    if report is not None and report.retraining is not None and report.retraining.status in ("missing", "waiting"):
        yield "retraining", f"[yellow]{escape(report.retraining.message)}[/yellow]"


def _alarms(deployed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    account = account_of(deployed)
    try:
        # With the hyphen: the alarms of heart, and not those of the stage heart--prod.
        for alarm in ringing(account, names.resource(deployed["system"], "alarm-")):
            why = alarm.description or alarm.reason
            yield "alarm", f"[red]{escape(alarm.name)}[/red] since {ago(alarm.since)}: {escape(why)}"
        if not has_subscriber(account, deployed["alerts_topic"]):
            yield "alarms", "[yellow]nobody is told of them[/yellow]: the topic has no subscriber (docs/operations.md)"
    except AwsError as error:
        yield "alarms", f"[yellow]{escape(str(error))}[/yellow]"
