"""The commands demo, ingest and train: upload of data, ETL, training and the first prediction."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from rich.markup import escape

from andamio import names
from andamio.adapters.aws import Account, Execution
from andamio.cli.batches import report
from andamio.cli.batches.batch import Batches, ResultOptions, find_predictions
from andamio.cli.cloud import addresses, deployment, local
from andamio.cli.console import done, err, note
from andamio.cli.home import account as account_of
from andamio.cli.home import home
from andamio.cli.models import acting, api, show, story
from andamio.cli.models.follow import execution_arn, follow, follow_etl, report_training
from andamio.cli.models.sample import first_record, sample_files, unlabelled
from andamio.cli.models.serving import await_release
from andamio.cli.models.tracking import TrackingWatch
from andamio.cli.models.trials import TrialProgress
from andamio.contract import Contract
from andamio.contract.tables import Family
from andamio.dataset.documents import CurrentDataset
from andamio.errors import (
    DataError,
    DocumentError,
    InputFileError,
    NoData,
    NoModel,
    ObjectNotFound,
    UsageError,
)
from andamio.release.pointer import PointerEntry, read_pointer
from andamio.release.release import Release
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.suggestion import nearest
from etl.collect import Sources
from training.documents import TrainingPlan
from training.run import PLAN_FILE

_POLL_SECONDS = 0.5
_REJECTS_SHOWN = 3
_ROWS_SHOWN = 3


def demo(folder: Path, emulator: str | None = None, *, short: bool = False) -> None:
    """Run the whole system once, on that emulator or the running one; a second run reuses what exists.

    A `short` one ends with the drift that the watch sees; the whole one goes on with what follows from it.
    """
    contract = Contract.load(folder)
    files = sample_files(folder, contract)
    err.rule(f"[bold]Andamio: {escape(contract.problem.title or contract.problem.name)}")
    local.up(emulator)
    addresses.follow(local.started())
    deployed = deployment.deploy(folder, aws=False, context=[])
    local.run("wait", "mlflow")
    ingest(deployed, files, wait=True)
    account = account_of(deployed)
    served = _champion(deployed, account)
    if served is None:
        raise NoModel(
            "There is no champion yet: the gate did not promote the first model, for the reason above. Add rows "
            f"(andamio ingest FILE), or features that predict '{contract.problem.target}' better (problem.toml), and "
            "run this command again."
        )
    # A record under the contract of the champion: problem.toml may have changed since.
    release = Release.open(account.objects(deployed["buckets"]["models"]), served.release)
    features = first_record(files[0], release.contract())
    await_release(deployed, served.release)
    reply = api.call(deployed, "POST", "/predict", {"features": features})
    done("A prediction, through API Gateway:")
    show.prediction(reply, api.texts(deployed))
    _demo_batch(deployed, files[0], release.contract())
    elsewhere = story.watch(deployed, folder, files[0], release.contract())
    if not short:
        last_part(deployed, elsewhere, contract)
    show.next_steps(deployed, features)


def last_part(deployed: dict[str, Any], elsewhere: story.Elsewhere | None, contract: Contract) -> None:
    """What follows from drift, where records of another place have labels; else what would show it."""
    if elsewhere is not None and elsewhere.labelled:
        acting.act(deployed, elsewhere, contract)
        return
    err.print()
    note(story.left_out(contract, None if elsewhere is None else elsewhere.file))


def _demo_batch(deployed: dict[str, Any], sample: Path, contract: Contract) -> None:
    """Score the sample as a batch, print its first rows and look one of them up."""
    file = unlabelled(sample, contract, home() / "demo" / deployed["problem"] / "sample.csv")
    err.print()
    result = Batches(deployed).score(file, ResultOptions())
    if result is None:
        return
    done("A batch: a file in S3, scored:")
    report.result(result)
    report.scored_rows(result, _ROWS_SHOWN)
    for first in report.first_rows(result, 1):
        done("One of its predictions, from API Gateway:")
        (reply,) = find_predictions(deployed, first[result.plan.names_out["prediction_id"]], None)
        report.prediction(reply, result.plan.texts)


def ingest(deployed: dict[str, Any], files: list[Path], *, remove: Sequence[str] = (), wait: bool) -> None:
    """Upload files to raw/ and wait for ETL and training; without a change, nothing is started.

    `remove` names raw files to delete first. A deletion starts no execution, so ETL is then started here.
    """
    account = account_of(deployed)
    machine = deployed["state_machines"]["etl"]
    lake = deployed["buckets"]["lake"]
    for file in files:
        if not file.is_file():
            raise InputFileError(f"{file}: {'is not a file' if file.exists() else 'no such file'}")
    duplicates = [name for name, count in Counter(file.name for file in files).items() if count > 1]
    if duplicates:
        raise UsageError(
            f"Several files have the name {duplicates[0]}, but raw/ holds one file of a name. Rename the others."
        )
    _remove_raw_files(account, lake, remove)
    since = _newest(account, machine)
    uploaded = [file for file in files if account.upload(lake, layout.RAW + file.name, file)]
    for file in files:
        if file in uploaded:
            done(f"{file.name} is in s3://{lake}/{layout.RAW}")
    if files and not uploaded and not remove:
        if not in_use(account.objects(lake)):
            note(
                "The files are in the lake already, but the current data version is not made of what lies under "
                f"{layout.RAW} now: ETL was interrupted, or refused them. ETL runs again; finished steps are kept."
            )
        elif _champion(deployed, account) is not None and has_decision(deployed, account):
            note("The files are in the lake already, and the champion was trained on them.")
            return
    if uploaded:
        if not wait:
            return
        etl = follow_etl(account, machine, since)
    else:
        arn = account.start(machine, f"manual-{secrets.token_hex(6)}", {})
        if not wait:
            return
        etl = follow(account, arn, "ETL")
    _report_etl(etl)
    if etl.output.get("version"):
        _follow_training(deployed, account, etl.output["version"], is_known=etl.output.get("status") == "unchanged")


def in_use(lake: Objects) -> bool:
    """Whether the current data version is made of the raw objects that lie in the lake now, and of no others."""
    try:
        made_of = documents.read(lake, layout.CURRENT_DATASET, CurrentDataset).input
        return Sources.load(lake, made_of).are_current(lake)
    except (ObjectNotFound, DataError):
        return False


def _remove_raw_files(account: Account, lake: str, remove: Sequence[str]) -> None:
    """Delete raw files by name, all or none; S3 keeps their versions."""
    raw_keys = {info.key for info in account.objects(lake).list(layout.RAW)}
    keys = [layout.RAW + name.removeprefix(layout.RAW) for name in remove]
    unknown = [key for key in keys if key not in raw_keys]
    if unknown:
        raise UsageError(
            f"There is no {unknown[0]}. In s3://{lake}/ there {'are' if len(raw_keys) > 1 else 'is'}: "
            f"{', '.join(sorted(raw_keys)) or 'nothing under ' + layout.RAW}"
        )
    for key in keys:
        account.delete(lake, key)
        done(f"{key} is removed. Its versions are kept in s3://{lake}/")


def families(names_given: Sequence[str]) -> list[str]:
    """Family names, which may be separated by commas; raises `UsageError` for an unknown one."""
    result = [name.strip() for text in names_given for name in text.split(",") if name.strip()]
    known = get_args(Family)
    for name in result:
        if name not in known:
            near = nearest(name, known)
            hint = f" Did you mean {near}?" if near else ""
            raise UsageError(f"There is no family '{name}'.{hint} Known families: {', '.join(known)}.")
    return list(dict.fromkeys(result))


def train(deployed: dict[str, Any], overrides: dict[str, Any], *, wait: bool) -> None:
    """Start a training run on the current data version; `overrides` replace settings of the contract."""
    account = account_of(deployed)
    payload = {name: value for name, value in overrides.items() if value}
    arn = account.start(deployed["state_machines"]["train"], f"manual-{secrets.token_hex(6)}", payload)
    if not wait:
        note(f"Started {arn.rsplit(':', 1)[1]}. andamio status shows its progress.")
        return
    report_training(_follow_trials(deployed, account, arn))


def _follow_trials(deployed: dict[str, Any], account: Account, arn: str) -> Execution:
    progress = TrialProgress(account, arn, account.objects(deployed["buckets"]["models"]))
    tracking = TrackingWatch(deployed["mlflow_url"] if deployed.get("mlflow_own") else None)

    def look() -> str:
        tracking.look()
        return progress.update()

    return follow(account, arn, "Training", look)


def _follow_training(deployed: dict[str, Any], account: Account, version: str, *, is_known: bool) -> None:
    """Follow the training of a data version, and start it again when it left no champion or the contract changed."""
    arn = execution_arn(deployed["state_machines"]["train"], names.training_execution(version))
    execution = account.execution(arn)
    # An execution name is used once: this one may have failed, or belong to a deleted stack.
    has_no_champion = execution.status != "SUCCEEDED" or _champion(deployed, account) is None
    if not execution.running and (has_no_champion or not has_decision(deployed, account)):
        note(
            "An earlier training on this data version left no champion. Training again."
            if has_no_champion
            else "problem.toml changed since the last training on this data version. Training again."
        )
        arn = account.start(deployed["state_machines"]["train"], f"again-{secrets.token_hex(6)}", {"dataset": version})
    elif is_known and not execution.running:
        note("There is a champion trained on this data version. To train again: andamio train")
        return
    report_training(_follow_trials(deployed, account, arn))


def has_decision(deployed: dict[str, Any], account: Account) -> bool:
    """Whether a run on the current data version and the deployed contract reached the gate."""
    contract_digest = deployed.get("contract")
    current = documents.find(account.objects(deployed["buckets"]["lake"]), layout.CURRENT_DATASET, CurrentDataset)
    if current is None:
        return False
    models = account.objects(deployed["buckets"]["models"])
    decided_runs = {
        item.key.split("/")[1] for item in models.list(layout.RUNS) if item.key.split("/")[2] == "decisions"
    }
    plans = (_plan(models, run) for run in decided_runs)
    return any(plan and (plan.contract, plan.dataset) == (contract_digest, current.version) for plan in plans)


def _plan(models: Objects, run: str) -> TrainingPlan | None:
    """The plan of a run, None where another version of Andamio wrote it: its runs are not resumed."""
    try:
        return documents.read(models, layout.run(run, PLAN_FILE), TrainingPlan)
    except DocumentError:
        return None


def _champion(deployed: dict[str, Any], account: Account) -> PointerEntry | None:
    pointer, _ = read_pointer(account.objects(deployed["buckets"]["models"]), deployed["problem"])
    return pointer.champion


def _report_etl(execution: Execution) -> None:
    output = execution.output
    status = output.get("status")
    if status == "empty":
        raise NoData("There are no data in raw/ yet. Upload a file: andamio ingest FILE")
    rows = output.get("rows") or {}
    counts = ", ".join(f"{count} {what}" for what, count in rows.items())
    done(f"Data version {output.get('version')} ({status}): {counts}")
    for warning in output.get("warnings") or []:
        note(f"  Leakage audit: {warning}")
    more = int(output.get("suspects") or 0) - len(output.get("warnings") or [])
    if more > 0:
        note(f"  Leakage audit: and {more} more.")
    for finding in output.get("findings") or []:
        note(f"  Values: {finding}")
    if output.get("report"):
        note("  Report of the data: andamio report")
    rejects = output.get("rejects") or {}
    for message in (rejects.get("first") or [])[:_REJECTS_SHOWN]:
        note(f"  rejected: {message}")


def _newest(account: Account, machine: str) -> datetime:
    """A time after the start of every existing execution, by the clock of the account."""
    started = [execution.started for execution in account.executions(machine, limit=20)]
    if not started:
        return datetime.now(UTC) - timedelta(days=1)
    return max(started) + timedelta(microseconds=1)
