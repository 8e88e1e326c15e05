"""The last part of the demo: labels come, the watch trains again, the gate answers, a person tries and takes back.

Nothing of it is arranged: the labels are the file's own, and where the gate promotes the new model, that is the end.
"""

from __future__ import annotations

import time
from itertools import batched
from typing import Any

from andamio import names
from andamio.adapters.aws import Account
from andamio.cli.console import done, err, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api, history, monitor, serving
from andamio.cli.models.follow import execution_arn, follow, report_training
from andamio.cli.models.story import Elsewhere, predict
from andamio.contract import Contract
from andamio.release.pointer import read_pointer
from andamio.storage.ports import Objects
from monitoring.report import Report
from rollout.retraining import lock

TRY = "the demo: a person tries on a share of the records what the gate did not promote"
SERVE = "the demo: a person may overrule the gate"
TAKE_BACK = "the demo: one command takes back what the gate did not promote"
"""What the demo gives as reasons; by them it knows its own changes when it was cut off in the middle."""
_LOOKS = 3
_LABELS_AT_ONCE = 1000
_STEPS = 5


def act(deployed: dict[str, Any], elsewhere: Elsewhere, contract: Contract) -> None:
    """Send the labels of records of another place, and follow what comes of them, up to the champion serving again.

    Where the watch starts no training, as in a second demo, it says why.
    """
    if not contract.monitor.retrain:
        note(
            f"They have labels: send them with andamio feedback, or learn from them: andamio ingest {elsewhere.file}. "
            "With [monitor] retrain = true the watch would do so by itself."
        )
        return
    began = time.monotonic()
    account = account_of(deployed)
    models = account.objects(deployed["buckets"]["models"])
    release = _cut_off(models, deployed["problem"])
    if release is None:
        report = _labels(deployed, elsewhere)
        if report is None or report.retraining is None:
            return
        done(f"The watch: {report.retraining.message}")
        if report.retraining.status == "start":
            release = _retrained(deployed, account, report)
    if release is not None:
        _by_hand(deployed, models, contract, release, elsewhere)
    err.print()
    done(f"What served when, and why, the newest last ({time.monotonic() - began:.0f} s for this part):")
    history.show(deployed, _STEPS, as_json=False)


def _cut_off(models: Objects, problem: str) -> str | None:
    """The release that an earlier demo was trying, or had let serve, when it was cut off."""
    change = read_pointer(models, problem)[0].change
    return change.after if change is not None and change.reason in (TRY, SERVE) else None


def _labels(deployed: dict[str, Any], elsewhere: Elsewhere) -> Report | None:
    """Send the labels, and compare until the watch has them all, or trains."""
    said = [{"prediction_id": prediction, "label": label} for prediction, label in elsewhere.labels.items()]
    for chunk in batched(said, _LABELS_AT_ONCE, strict=False):
        api.call(deployed, "POST", "/feedback", list(chunk))
    err.print()
    done(f"{len(said)} labels: for these predictions the truth has become known (POST /feedback).")
    report = None
    for _ in range(_LOOKS):
        time.sleep(1)  # a look compares whole seconds: the labels of its own are the next one's
        report = monitor.compare(deployed)
        if report is None or report.labels.joined >= len(said):
            break
        if report.retraining is not None and report.retraining.status == "start":
            break  # it had enough of them, and the next look would say that it waits
    return report


def _retrained(deployed: dict[str, Any], account: Account, report: Report) -> str | None:
    """Follow the training that the watch started; the release that the gate refused, None where it did not."""
    start = lock.read(account.objects(deployed["buckets"]["lake"])).last
    if start is None or start.window != report.window.end:
        note("Another look was first: andamio status has its training.")
        return None
    machines = deployed["state_machines"]
    etl = follow(account, execution_arn(machines["etl"], start.execution), "ETL, with the records that have labels now")
    version = etl.output.get("version")
    if not version:
        note(f"There is no data version: {etl.output.get('status')}. andamio history, andamio logs etl")
        return None
    rows = etl.output["rows"]
    done(f"ETL: data version {version}, {rows['train']} rows to train on and {rows['holdout']} to judge by.")
    arn = execution_arn(machines["train"], names.training_execution(version))
    training = follow(account, arn, "Training")
    report_training(training)
    return str(training.output["release"]) if training.output.get("status") == "rejected" else None


def _by_hand(deployed: dict[str, Any], models: Objects, contract: Contract, release: str, elsewhere: Elsewhere) -> None:
    """What a person may do with a release that the gate did not allow: try it, let it serve, take it back."""
    pointer, _ = read_pointer(models, deployed["problem"])
    if pointer.champion is None or pointer.champion.release != release:
        err.print()
        serving.challenge(deployed, release, "canary", reason=TRY, force=False)
        ids = [f"{elsewhere.file.stem}-{number}" for number in range(1, len(elsewhere.records) + 1)]
        made = predict(deployed, elsewhere.records, ids)
        answered = sum(one["model"]["version"] == release for one in made)
        done(
            f"The canary: the challenger answered {answered} of the same {len(made)} records, the champion the others. "
            "The record's id decides, so that a record always meets the same model."
        )
        err.print()
        began = time.monotonic()
        serving.promote(deployed, release, reason=SERVE, force=False)
        done(f"Promoted by hand, before the trial's {contract.release.minutes} minutes are over: {_took(began)}.")
    err.print()
    began = time.monotonic()
    serving.roll_back(deployed, None, reason=TAKE_BACK, force=False)
    done(f"Rolled back: {_took(began)}.")


def _took(began: float) -> str:
    return f"the API and MLflow followed within {time.monotonic() - began:.1f} s"
