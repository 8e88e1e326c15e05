"""Terminal output of predictions, explanations, releases, services and logs."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from andamio import names
from andamio.cli.cloud import local
from andamio.cli.console import ago, fail, note, out
from andamio.cli.home import account as account_of
from andamio.cli.home import home
from andamio.cli.models import api, monitor
from andamio.cli.models.challenger import challenger_rows, unjudged_rows
from andamio.cli.models.releases import figure, list_releases
from andamio.cli.models.terms import terms_of
from andamio.dataset.documents import CurrentDataset, DatasetManifest, SourceFile
from andamio.dataset.version import MANIFEST
from andamio.errors import ReleaseError, UsageError
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.storage import documents, layout
from andamio.storage.noise import is_noise
from andamio.storage.ports import Objects

INSTEAD = "An intact release can serve instead: andamio promote VERSION. Or train a new one: andamio train"
"""What to do about a champion that cannot be read."""

FUNCTIONS = names.FUNCTIONS
_POLL_SECONDS = 1.0
_BAR = 20
_MAX_VALUE_LENGTH = 40
_MAX_NAMES = 20
"""Features whose names are listed where their contributions are not shown."""
_TAIL_LINES = 200
_FILES_SHOWN = 10
_OBJECTS_COUNTED = 10_000


def _plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def prediction(reply: dict[str, Any], texts: Mapping[str, str]) -> None:
    """Print a prediction; `texts` are the display texts of the classes."""
    model, terms = reply["model"], terms_of(reply)
    out.print(f"  [bold]{terms.headline}[/bold]  ({escape(model['name'])}, release {model['version']})")
    for line in terms.details(texts):
        out.print(f"  {line}")
    out.print(f"  [dim]prediction_id {reply['prediction_id']}[/dim]")


def explanation(reply: dict[str, Any]) -> None:
    """Print the contribution of each feature to a prediction; bars to the right raise it."""
    model, terms = reply["model"], terms_of(reply)
    subject = f"{terms.subject}, " if terms.subject else ""
    out.print(f"  [bold]{terms.headline}[/bold]  ({escape(model['name'])}, release {model['version']})")
    out.print(f"  {terms.amount(reply['average'])}  [dim]{subject}on average[/dim]")
    out.print()
    told = [item for item in reply["contributions"] if not 0 < abs(item["contribution"]) <= item.get("margin", 0.0)]
    untold = [item for item in reply["contributions"] if item not in told]
    widest = max((abs(item["contribution"]) for item in told), default=0.0) or 1.0
    table = _plain_table("", "", "", "", "")
    table.show_header = False
    for item in told:
        size = item["contribution"]
        bar = "█" * round(abs(size) / widest * _BAR)
        below, above = (bar, "") if size < 0 else ("", bar)
        value = "no value" if item["value"] is None else json.dumps(item["value"], ensure_ascii=False).strip('"')
        table.add_row(
            f"  {terms.change(size)}",
            f"[dim]± {terms.margin(item['margin'])}[/dim]" if item.get("margin") else "",
            f"[blue]{below:>{_BAR}}[/blue]│[red]{above:<{_BAR}}[/red]",
            escape(item["feature"]),
            f"[dim]{escape(value[:_MAX_VALUE_LENGTH])}[/dim]",
        )
    out.print(table)
    if untold:
        together = sum(item["contribution"] for item in untold)
        out.print(
            f"  {terms.change(together)}  [dim]{len(untold):,} other features together; none of them can be "
            "told from 0 within its error[/dim]"
        )
        named = ", ".join(item["feature"] for item in untold[:_MAX_NAMES]) + (
            ", ..." if len(untold) > _MAX_NAMES else ""
        )
        out.print(f"           [dim]{escape(named)}[/dim]")
    out.print()
    out.print(f"  {terms.amount(terms.total)}  [dim]{subject}for this record[/dim]")
    if reply["method"]["held"]:
        out.print(f"  [dim]held at the record's values: {escape(', '.join(reply['method']['held']))}[/dim]")


def next_steps(deployed: dict[str, Any], features: dict[str, Any]) -> None:
    """Print the next commands to try."""
    out.print()
    table = _plain_table("", "")
    table.show_header = False
    table.add_row("API", f"{deployed['api_url']}  [dim](docs at /docs)[/dim]")
    table.add_row("Key", deployed["api_key"])
    table.add_row("MLflow", deployed["mlflow_url"])
    out.print(table)
    out.print("\nPredict with curl:")
    out.print(f"  {escape(api.curl(deployed, features))}", soft_wrap=True)
    out.print("\nThen:")
    for command, what in (
        ("andamio status", "services, champion and its metric"),
        ("andamio card", "the model card"),
        ("andamio report", "the report of the data; --open shows the page"),
        ("andamio explain --set NAME=VALUE", "the contribution of each feature to a prediction"),
        ("andamio batch FILE", "score a file"),
        ("andamio monitor", "whether predictions go on as in training"),
        ("andamio models", "the releases, with stage and metric"),
        ("andamio ingest FILE", "add data: ETL and training follow"),
        ("andamio logs api", "the log of the API"),
        ("make down", "stop everything; PURGE=1 deletes the state too"),
    ):
        path = command if command.startswith("make") else f".venv/bin/{command}"
        out.print(f"  [bold]{path:42}[/bold] [dim]{what}[/dim]")


def outputs_rows(deployed: dict[str, Any]) -> list[tuple[str, str]]:
    """The outputs as flat names, such as `buckets.lake`, with values."""
    rows = []
    for key, value in deployed.items():
        if isinstance(value, dict):
            rows += [(f"{key}.{part}", str(item)) for part, item in value.items()]
        else:
            rows.append((key, str(value)))
    return rows


def show_outputs(deployed: dict[str, Any]) -> None:
    """Print the outputs of a deploy."""
    table = _plain_table("output", "value")
    for key, value in outputs_rows(deployed):
        table.add_row(key, value)
    out.print(table)


def models(deployed: dict[str, Any]) -> None:
    """Print the releases, newest first."""
    found = list_releases(account_of(deployed).objects(deployed["buckets"]["models"]), deployed["problem"])
    if not found:
        note("There is no release yet. Upload data: andamio ingest FILE. Training follows.")
        return
    table = _plain_table("release", "stage", "family", "holdout (95% interval)", "data version", "sealed")
    for release in found:
        style = "red" if release.refused else {"champion": "green"}.get(release.stage, "")
        said = f"{release.stage}, refused" if release.refused else release.stage
        table.add_row(
            release.version,
            f"[{style}]{said}[/{style}]" if style else said,
            release.model,
            f"{release.metric} {release.value}",
            release.dataset,
            ago(release.sealed),
        )
    out.print(table)
    for release in found:
        if release.refused:
            fail(release.refused)
            if release.stage == "champion":
                note(INSTEAD)


def services() -> None:
    """Print the services of the local cloud with their addresses."""
    found = local.services()
    states = found.get("services", {})
    if all(service.get("state") == "stopped" for service in states.values()):
        note("The local cloud is not running. Start it: andamio up")
        return
    table = _plain_table("service", "state", "where", "pid")
    for name, service in states.items():
        state = str(service.get("state"))
        state = f"[{'green' if state == 'running' else 'yellow' if state == 'starting' else 'red'}]{state}[/]"
        where = {"emulator": found.get("endpoint_url"), "mlflow": found.get("mlflow_url")}.get(name) or ""
        table.add_row(name, state, where, str(service.get("pid") or ""))
    out.print(table)
    for sentence in found.get("trouble", []):
        fail(sentence)
    if found.get("emulator") == "localstack":
        note("The emulator is LocalStack: it enforces no IAM roles, and forgets everything when it stops.")
    elif found.get("iam") is False:
        note("IAM roles are not enforced. To enforce them: andamio up --iam")


def system(deployed: dict[str, Any]) -> None:
    """Print a deployed system: addresses, champion, data version, metric and latest executions."""
    out.print()
    table = _plain_table("", "")
    table.show_header = False
    stage_text = f", stage {deployed['stage']}" if deployed["stage"] else ""
    place = "the local cloud" if deployed["emulator"] else f"AWS account {deployed['account']}, {deployed['region']}"
    table.add_row("problem", f"[bold]{deployed['problem']}[/bold]{stage_text}, stack {deployed['stack']}, on {place}")
    table.add_row("API", deployed["api_url"])
    account = account_of(deployed)
    judged_by = account.executions(deployed["state_machines"]["rollout"])
    pointer, _ = read_pointer(account.objects(deployed["buckets"]["models"]), deployed["problem"])
    for row in [*_serving_rows(deployed), *unjudged_rows(pointer, judged_by)]:
        table.add_row(*row)
    for row in [*file_rows(deployed), *monitor.status_rows(deployed)]:
        table.add_row(*row)
    out.print(table)
    _executions(deployed)


def _serving_rows(deployed: dict[str, Any]) -> list[tuple[str, str]]:
    account = account_of(deployed)
    objects = account.objects(deployed["buckets"]["models"])
    pointer, _ = read_pointer(objects, deployed["problem"])
    if pointer.champion is None:
        return [("champion", "[yellow]none yet[/yellow]: andamio ingest FILE")]
    served = pointer.champion
    since = datetime.fromisoformat(served.since)
    rows = [("champion", f"[green]{served.release}[/green] since {since:%Y-%m-%d %H:%M} UTC ({ago(since)})")]
    tried = challenger_rows(pointer)
    try:
        release = Release.open(objects, served.release)
        release.verify()
        metric, value = figure(release.json("evaluation.json"))
    except ReleaseError as error:
        rows[0] = ("champion", f"[red]{served.release}, refused[/red]")
        return [*rows, ("", f"[red]{escape(str(error))}[/red]"), ("", INSTEAD), *tried]
    rows.append(("model", f"{release.info.get('family', '')}, {metric} {value} on the holdout"))
    rows.append(("data version", str(release.info["dataset"])))
    if pointer.previous is not None:
        rows.append(("previous", pointer.previous.release))
    return rows + tried


def file_rows(deployed: dict[str, Any]) -> list[tuple[str, str]]:
    """Raw files of the current data version that hold nothing usable, and how many objects are no data files."""
    account = account_of(deployed)
    lake, batch = (account.objects(deployed["buckets"][name]) for name in ("lake", "batch"))
    failed = _failed_files(lake)[:_FILES_SHOWN]
    rows = [("file not used", f"[red]{escape(file.key)}[/red] {escape(file.refused or '')}") for file in failed]
    for objects, prefix in ((lake, layout.RAW), (batch, layout.INCOMING)):
        looked = islice(objects.list(prefix), _OBJECTS_COUNTED)
        noise = [info.key for info in looked if is_noise(info) and not info.key.endswith("/")]
        if noise:
            rows.append(("passed over", f"{len(noise)} under {prefix} that are no data, such as {escape(noise[0])}"))
    return rows


def _failed_files(lake: Objects) -> list[SourceFile]:
    current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
    if current is None:
        return []
    manifest = documents.find(lake, layout.dataset(current.version, MANIFEST), DatasetManifest)
    return [] if manifest is None else [file for file in manifest.files if file.refused]


def _executions(deployed: dict[str, Any]) -> None:
    account = account_of(deployed)
    table = _plain_table("machine", "execution", "state", "started")
    for name, machine in deployed["state_machines"].items():
        for execution in account.executions(machine, limit=3):
            style = {"SUCCEEDED": "green", "RUNNING": "yellow"}.get(execution.status, "red")
            table.add_row(
                name, execution.name, f"[{style}]{execution.status.lower()}[/{style}]", ago(execution.started)
            )
    if table.row_count:
        out.print()
        out.print(table)


def service_log(name: str | None, *, follow: bool) -> None:
    """Print the log of a local service; without a name, list the logs."""
    files = {file.stem: file for file in sorted((home() / "logs").glob("*.log"))}
    if name is None:
        out.print(f"Functions: {', '.join(FUNCTIONS)}")
        out.print(f"Local services: {', '.join(files) or 'none'}")
        return
    if name not in files:
        raise UsageError(f"There is no log '{name}'. Known logs: {', '.join([*FUNCTIONS, *files])}.")
    _file_lines(files[name], follow=follow)


def function_log(name: str, deployed: dict[str, Any], *, follow: bool, minutes: int) -> None:
    """Print the log of a function."""
    account = account_of(deployed)
    group = names.log_group(names.resource(deployed["system"], name))
    since = int((time.time() - minutes * 60) * 1000)
    while True:
        for moment, line in account.log_lines(group, since):
            out.print(f"[dim]{datetime.fromtimestamp(moment / 1000):%H:%M:%S}[/dim] {escape(line)}", soft_wrap=True)
            since = moment + 1
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _file_lines(file: Path, *, follow: bool) -> None:
    with file.open(errors="replace") as lines:
        for line in deque(lines, maxlen=_TAIL_LINES):
            out.print(escape(line.rstrip("\n")), soft_wrap=True)
        while follow:
            line = lines.readline()
            if line:
                out.print(escape(line.rstrip("\n")), soft_wrap=True)
            else:
                time.sleep(_POLL_SECONDS)
