"""Deploying: the CDK app handed to the CDK command line, and what it made written down for programs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andamio import names
from andamio.adapters.aws import Account
from andamio.cli.console import done, note, step
from andamio.cli.home import REPO, cloud, home, read_json, write_json
from andamio.cli.local import aws_environment, started
from andamio.contract import Contract
from andamio.errors import CommandError

_SOURCES = ("andamio", "training", "scoring", "lambdas", "infra", "stepfunctions")
_FILES = ("uv.lock", "package-lock.json", "cdk.json")
_TAIL = 25


def deploy(folder: Path, *, aws: bool, context: list[str], force: bool = False) -> dict[str, Any]:
    """Deploy a problem and return what `outputs.json` says; nothing is done when nothing changed."""
    contract = Contract.load(folder)
    problem = contract.problem.name
    recorded = None if aws else started()
    environment = dict(os.environ) if recorded is None else aws_environment(recorded)
    region = _region(environment)
    account = Account(None if recorded is None else recorded["endpoint_url"], region)
    fingerprint = _fingerprint(folder, [*context, str(recorded and recorded["endpoint_url"])])
    before = read_json(home() / "outputs" / f"{problem}.json") or {}
    if not force and before.get("fingerprint") == fingerprint and account.stack_outputs(names.stack(problem)):
        note(f"Stack {names.stack(problem)} is up to date.")
        return _write(before)
    arguments = ["--context", f"problem={folder.resolve()}"]
    if recorded is not None and not any(pair.startswith("tracking_uri=") for pair in context):
        # Said aloud: the shell's MLFLOW_TRACKING_URI may well name a server of something else.
        context = [*context, f"tracking_uri={recorded['mlflow_url']}"]
    for pair in context:
        arguments += ["--context", pair]
    if recorded is not None and account.stack_outputs("CDKToolkit") is None:
        target = f"aws://{recorded['account']}/{region}"
        # From a folder without a cdk.json: the account's own stack has nothing to do with the app.
        _cdk(["bootstrap", target], environment, "Preparing the account (cdk bootstrap)", folder=home())
    _cdk(
        ["deploy", names.stack(problem), "--require-approval", "never", "--progress", "events", *arguments],
        environment,
        f"Deploying {names.stack(problem)} (cdk deploy)",
    )
    made = account.stack_outputs(names.stack(problem))
    if made is None:
        raise CommandError(f"cdk deploy went through, but stack {names.stack(problem)} is not there: see {_log()}")
    return _write(_outputs(contract, folder, made, account, recorded) | {"fingerprint": fingerprint})


def destroy(folder: Path, *, aws: bool) -> None:
    """Take a problem's stack down; locally its data go too, on AWS buckets and table are kept."""
    problem = Contract.load(folder).problem.name
    recorded = None if aws else started()
    environment = dict(os.environ) if recorded is None else aws_environment(recorded)
    deployed = read_json(home() / "outputs" / f"{problem}.json")
    if recorded is not None and deployed is not None:
        account = Account(recorded["endpoint_url"], recorded["region"])
        for bucket in deployed["buckets"].values():
            account.empty(bucket)
    arguments = ["destroy", names.stack(problem), "--force", "--context", f"problem={folder.resolve()}"]
    _cdk(arguments, environment, f"Destroying {names.stack(problem)} (cdk destroy)")
    (home() / "outputs" / f"{problem}.json").unlink(missing_ok=True)
    if (read_json(home() / "outputs.json") or {}).get("problem") == problem:
        (home() / "outputs.json").unlink()


def _outputs(
    contract: Contract, folder: Path, made: dict[str, str], account: Account, recorded: dict[str, Any] | None
) -> dict[str, Any]:
    """What programs read: see the README for each key."""
    api_url = made["ApiUrl"].rstrip("/")
    if recorded is not None:
        api = re.search(r"([a-z0-9]+)\.execute-api|/restapis/([a-z0-9]+)/", api_url)
        if api:
            # The emulator's own path form: names under .localhost resolve in some programs only.
            identity = api.group(1) or api.group(2)
            api_url = f"{recorded['endpoint_url']}/restapis/{identity}/{names.API_STAGE}/_user_request_"
    problem = contract.problem.name
    return {
        "problem": problem,
        "contract": contract.digest,
        "folder": str(folder.resolve()),
        "stack": names.stack(problem),
        "emulator": recorded is not None,
        "endpoint_url": account.endpoint_url,
        "region": account.region,
        "api_url": api_url,
        "api_key": account.api_key(made["ApiKeyId"]),
        "mlflow_url": recorded["mlflow_url"] if recorded else made["MlflowUri"],
        "buckets": {"lake": made["LakeBucket"], "models": made["ModelsBucket"], "batch": made["BatchBucket"]},
        "state_machines": {"etl": made["EtlMachine"], "train": made["TrainMachine"], "batch": made["BatchMachine"]},
        "predictions_table": made["PredictionsTable"],
        "alerts_topic": made["AlertsTopic"],
        "batch_topic": made["BatchTopic"],
        "deployed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write(content: dict[str, Any]) -> dict[str, Any]:
    write_json(home() / "outputs" / f"{content['problem']}.json", content)
    write_json(home() / "outputs.json", content)
    return content


def _cdk(arguments: list[str], environment: dict[str, str], what: str, folder: Path = REPO) -> None:
    """Run the pinned CDK command line with the pinned Node; its lines go to a log, the last one to the screen."""
    cdk = REPO / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if not cdk.exists():
        raise CommandError("The CDK command line is not installed. Run: make install")
    bin_folder = Path(sys.executable).parent
    environment = environment | {
        "PATH": f"{bin_folder}{os.pathsep}{environment.get('PATH', '')}",
        "ANDAMIO_HOME": str(home()),
        "CDK_DISABLE_VERSION_CHECK": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    output = ["--output", str(home() / "cdk.out"), "--no-notices", "--ci"]
    shutil.rmtree(home() / "cdk.out", ignore_errors=True)  # the CDK keeps the zips of every synth
    log = _log()
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with step(what) as status, log.open("a") as file:
        file.write(f"\n--- {datetime.now(UTC).isoformat(timespec='seconds')} cdk {arguments[0]}\n")
        process = subprocess.Popen(
            [str(bin_folder / "node"), str(cdk), *arguments, *output],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        for line in process.stdout or ():
            file.write(line)
            if line.strip():
                lines.append(line.rstrip())
                status.update(f"{what}: {line.strip()}")
        code = process.wait()
    if code:
        raise CommandError(
            f"{what} failed:\n  " + "\n  ".join(lines[-_TAIL:]) + f"\nThe whole log: {log}\n"
            "Mend what it names, then run the same command again: it goes on where it stopped."
        )
    done(what)


def _log() -> Path:
    return home() / "logs" / "cdk.log"


def _region(environment: dict[str, str]) -> str:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise CommandError("Which AWS region? Set AWS_REGION, for example: AWS_REGION=eu-west-1 andamio deploy --aws")
    return region


def _fingerprint(folder: Path, said: list[str]) -> str:
    """A digest of all that a deploy is made from."""
    digest = hashlib.sha256("\n".join(said).encode())
    files = [REPO / name for name in _FILES]
    files += [folder / "problem.toml"]
    for source in _SOURCES:
        files += [file for file in (REPO / source).rglob("*") if file.is_file() and file.suffix != ".pyc"]
    for file in sorted(files):
        if file.exists():
            digest.update(f"{file.relative_to(REPO) if file.is_relative_to(REPO) else file.name}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    local = cloud()
    if local is not None:
        digest.update(str(local.get("mlflow_url")).encode())
    return digest.hexdigest()
