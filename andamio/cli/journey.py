"""The ways through the system that a person takes: data in, a model out, a prediction back."""

from __future__ import annotations

import csv
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.markup import escape

from andamio import names
from andamio.adapters.aws import Account, Execution
from andamio.cli import api, deploying, local, show
from andamio.cli.console import done, err, note
from andamio.cli.follow import follow, follow_etl, training_arn
from andamio.cli.home import account as account_of
from andamio.cli.trials import Progress
from andamio.contract import Contract
from andamio.errors import CommandError
from andamio.schema import example_record
from andamio.serving import Served, read_pointer


def demo(folder: Path) -> None:
    """From nothing to a served prediction; run again, it finds everything there."""
    contract = Contract.load(folder)
    files = _sample_files(folder, contract)
    err.rule(f"[bold]Andamio: {escape(contract.problem.title or contract.problem.name)}")
    local.run("up")
    deployed = deploying.deploy(folder, aws=False, context=[])
    local.run("wait")
    ingest(deployed, files, wait=True)
    features = _first_record(files[0], contract)
    reply = api.call(deployed, "POST", "/predict", {"features": features})
    done("A prediction, asked for through API Gateway:")
    show.prediction(reply)
    show.next_steps(deployed, features)


def ingest(deployed: dict[str, Any], files: list[Path], *, wait: bool) -> None:
    """Upload files under raw/ and follow what that sets off; nothing to do when they are there and a model serves."""
    account = account_of(deployed)
    machine = deployed["state_machines"]["etl"]
    lake = deployed["buckets"]["lake"]
    for file in files:
        if not file.is_file():
            raise CommandError(f"{file}: no such file")
    since = _newest(account, machine)
    landed = [file for file in files if account.upload(lake, names.RAW + file.name, file)]
    for file in files:
        if file in landed:
            done(f"{file.name} is in s3://{lake}/{names.RAW}")
    if files and not landed and _champion(deployed, account) is not None:
        note("The data are in the lake already, and a model trained on them serves.")
        return
    if landed:
        if not wait:
            return
        etl = follow_etl(account, machine, since)
    else:
        arn = account.start(machine, f"manual-{secrets.token_hex(6)}", {})
        if not wait:
            return
        etl = follow(account, arn, "ETL")
    _say_etl(etl)
    if etl.output.get("version"):
        _follow_training(deployed, account, etl.output["version"])


def train(deployed: dict[str, Any], asked: dict[str, Any], *, wait: bool) -> None:
    """Start a training run on the current data version; `asked` takes the place of what the contract says."""
    account = account_of(deployed)
    payload = {name: value for name, value in asked.items() if value}
    arn = account.start(deployed["state_machines"]["train"], f"manual-{secrets.token_hex(6)}", payload)
    if not wait:
        note(f"Started {arn.rsplit(':', 1)[1]}; andamio status shows how it goes.")
        return
    _say_training(_follow_trials(deployed, account, arn))


def _follow_trials(deployed: dict[str, Any], account: Account, arn: str) -> Execution:
    progress = Progress(account, arn, account.objects(deployed["buckets"]["models"]))
    return follow(account, arn, "Training", progress.look)


def _follow_training(deployed: dict[str, Any], account: Account, version: str) -> None:
    arn = training_arn(deployed["state_machines"]["train"], names.training_execution(version))
    execution = account.execution(arn)
    # A name is used once. Its execution may have failed some time ago, or have served a stack that is gone.
    lost = execution.status != "SUCCEEDED" or _champion(deployed, account) is None
    if not execution.running and lost:
        note("These data were trained on before, but no model came of it that serves: training again.")
        arn = account.start(deployed["state_machines"]["train"], f"again-{secrets.token_hex(6)}", {"dataset": version})
    _say_training(_follow_trials(deployed, account, arn))


def _champion(deployed: dict[str, Any], account: Account) -> Served | None:
    pointer, _ = read_pointer(account.objects(deployed["buckets"]["models"]), deployed["problem"])
    return pointer.champion


def _say_etl(execution: Execution) -> None:
    output = execution.output
    status = output.get("status")
    if status == "empty":
        raise CommandError("There is no data under raw/ yet. Bring some: andamio ingest FILE")
    rows = output.get("rows") or {}
    counts = ", ".join(f"{count} {what}" for what, count in rows.items())
    done(f"Data version {output.get('version')} ({status}): {counts}")
    for warning in output.get("warnings") or []:
        note(f"  [yellow]Leakage audit:[/yellow] {escape(warning)}")
    more = int(output.get("suspects") or 0) - len(output.get("warnings") or [])
    if more > 0:
        note(f"  [yellow]Leakage audit:[/yellow] and {more} more.")
    if output.get("report"):
        note("  What the data look like: andamio report")


def _say_training(execution: Execution) -> None:
    output = execution.output
    what = {
        "promoted": "The challenger is champion now",
        "rejected": "The challenger was not promoted",
        "tied": "The challenger is the champion itself: it goes on serving",
        "no_parity": "No candidate could be exported faithfully: nothing changed",
    }.get(str(output.get("status")), f"Training ended: {output.get('status')}")
    done(what)
    if output.get("reason"):
        note(f"  {output['reason']}")


def _newest(account: Account, machine: str) -> datetime:
    """A moment after every execution there is now, by the account's own clock."""
    started = [execution.started for execution in account.executions(machine, limit=20)]
    if not started:
        return datetime.now(UTC) - timedelta(days=1)
    return max(started) + timedelta(microseconds=1)


def _sample_files(folder: Path, contract: Contract) -> list[Path]:
    if not contract.data.files:
        raise CommandError(
            f"{folder / 'problem.toml'}: [data] files lists no sample data. Name a CSV, Parquet or JSON Lines file of "
            "this folder there, or deploy (andamio deploy) and bring data with andamio ingest."
        )
    return [folder / name for name in contract.data.files]


def _first_record(file: Path, contract: Contract) -> dict[str, Any]:
    """A real record to predict: the first complete one of a CSV or JSON Lines file, else the schema's example."""
    rows: list[dict[str, Any]] = []
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8-sig") as lines:
            dialect = csv.Sniffer().sniff(lines.readline())
            lines.seek(0)
            rows = list(csv.DictReader(lines, dialect=dialect))
    elif file.suffix in (".jsonl", ".ndjson"):
        rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    table_of = {name: [row.get(name) for row in rows] for name in contract.inputs}
    if rows:
        table = contract.parse(table_of, len(rows), text=file.suffix == ".csv")
        for row in range(len(rows)):
            if not table.bad[row]:
                return {name: _json_value(table.columns[name][row]) for name in contract.inputs}
    return example_record(contract)


def _json_value(value: Any) -> Any:
    """A parsed cell as a client would send it: text, a whole or a decimal number, a date, or null."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain == "" or plain != plain:
        return None
    if isinstance(plain, float):
        return int(plain) if plain.is_integer() else plain
    return str(plain)
