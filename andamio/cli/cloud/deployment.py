"""Deployment: runs the CDK app and writes the stack outputs for programs."""

from __future__ import annotations

import hashlib
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from platform import machine
from typing import Any

import typer

from andamio import names
from andamio.adapters.alarms import has_subscriber
from andamio.adapters.aws import API_ID
from andamio.cli.cloud import addresses, cdk, local, outputs
from andamio.cli.cloud.target import Target, stage_of, system_of, target
from andamio.cli.console import note
from andamio.cli.home import REPO, home
from andamio.cli.home import account as account_of
from andamio.contract import Contract
from andamio.errors import AccountError, AwsError, NotDeployed, ToolError, UsageError

ECS_ROLE = "AWSServiceRoleForECS"
"""The service-linked role of ECS: AWS makes one an account."""
_SOURCES = (
    "andamio",
    "etl",
    "training",
    "registry",
    "scoring",
    "monitoring",
    "rollout",
    "lambdas",
    "infra",
    "stepfunctions",
)
_FILES = ("uv.lock", "package-lock.json", "cdk.json")


def deploy(
    folder: Path,
    *,
    aws: bool,
    context: list[str],
    stage: str | None = None,
    yes: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Deploy a problem and return its outputs; an unchanged problem is not deployed again.

    On AWS the CDK asks before it widens permissions, unless `yes`. Raises `CommandError`, also where ETL would refuse
    a file of [data] files by its columns, or the problem's own code is not what is expected.
    """
    contract = Contract.load(folder)
    if contract.data.files:
        from andamio.cli.models.sample import check_columns  # pyarrow: no other command of this module needs it

        check_columns(folder, contract)
    if (folder / names.PREPARE_FILE).exists():
        from andamio.cli.models.own_code import check_prepare

        check_prepare(folder, contract)
    if (folder / names.PIPELINE_FILE).exists():
        from andamio.cli.models.own_code import check_pipeline

        check_pipeline(folder, contract)
    context, stage = _split_stage(context, stage)
    stage = stage_of(stage, local=not aws)
    system = system_of(contract.problem.name, stage)
    where = target(aws=aws)
    if where.recorded is not None:
        addresses.follow(where.recorded)
    fingerprint = _fingerprint(folder, [where.identity, system, *context])
    last_outputs = outputs.read(where.name, system) or {}
    stack = names.stack(system)
    if not force and last_outputs.get("fingerprint") == fingerprint and where.account.stack_outputs(stack):
        _complete(where, stack, last_outputs)
        note(f"Stack {stack} is up to date {where}.")
        return outputs.write(last_outputs)
    _say_what_is_interrupted(contract, where, last_outputs, yes=yes)
    require_role_of_ecs(contract, where, context)
    arguments = cdk_context(folder, stage, context)
    if where.recorded is not None and not _names(context, "tracking_uri"):
        # Explicit: MLFLOW_TRACKING_URI in the shell may name another server.
        arguments += ["--context", f"tracking_uri={where.recorded['mlflow_url']}"]
    if where.recorded is not None and where.recorded.get("docker") and not _names(context, "bundle"):
        # Functions are containers of Lambda's Linux there.
        arguments += ["--context", f"bundle={'arm64' if machine() in ('arm64', 'aarch64') else 'x86_64'}"]
    approval, interactive = _approval(where, stack, folder, stage, context, yes=yes)
    if where.local and where.account.stack_outputs("CDKToolkit") is None:
        environment_name = f"aws://{where.number}/{where.region}"
        # In a folder without cdk.json: the bootstrap stack does not depend on the app.
        cdk.run(
            ["bootstrap", environment_name], where.environment, "Preparing the account (cdk bootstrap)", folder=home()
        )
    cdk.run(
        ["deploy", stack, "--require-approval", approval, "--progress", "events", *arguments],
        where.environment,
        f"Deploying {stack} (cdk deploy)",
        interactive=interactive,
    )
    stack_outputs = where.account.stack_outputs(stack)
    if stack_outputs is None:
        raise ToolError(f"cdk deploy succeeded, but there is no stack {stack}: see {cdk.log()}")
    if where.recorded is not None:
        local.save(where.recorded)
    content = _outputs(contract, folder, stack_outputs, where, stage) | {"context": context, "fingerprint": fingerprint}
    return outputs.write(content)


def _say_what_is_interrupted(contract: Contract, where: Target, deployed: dict[str, Any], *, yes: bool) -> None:
    """Say what a prepare.py that changed or is gone does to the champion.

    On AWS go on only with `yes`, or where a person agrees.
    """
    if not deployed:
        return
    from andamio.cli.models.own_code import interruption

    found = interruption(contract, deployed, where.account)
    if not found:
        return
    note(found)
    if where.local or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{found} Nothing was deployed. To deploy all the same: andamio deploy --aws --yes")
    typer.confirm("Deploy all the same?", abort=True)


def require_role_of_ecs(contract: Contract, where: Target, context: list[str]) -> None:
    """Raise `AccountError` where a deployment has tasks, and the account certainly lacks the role that ECS works with.

    AWS makes it when ECS is used for the first time, which may be too late for the stack's cluster.
    """
    if where.local or contract.training.compute == "function" or _names(context, "existing_role_arn"):
        return
    if where.account.has_role(ECS_ROLE) is False:
        raise AccountError(
            f"ECS, which runs training that is larger than a function, needs its own role {ECS_ROLE} {where}, once. "
            "Create it: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com\n"
            'Or do without tasks: compute = "function" in [training] of problem.toml.'
        )


def say_who_is_told(deployed: dict[str, Any]) -> None:
    """Say so where nobody hears of alarms and failed executions; nothing where the subscribers cannot be read."""
    try:
        heard = has_subscriber(account_of(deployed), deployed["alerts_topic"])
    except AwsError:
        return
    if not heard:
        note(
            "Nobody is told of alarms and failed executions: the alerts topic has no subscriber that confirmed. Deploy "
            "with -c alert_email=you@example.org, and follow the link in the message that comes."
        )


def _complete(where: Target, stack: str, deployed: dict[str, Any]) -> None:
    """Raise `CommandError` where the stack is there, and what it made is not: no deploy would notice."""
    if gone := where.account.lacking(deployed):
        aws = "" if where.local else " --aws"
        raise NotDeployed(
            f"CloudFormation says that stack {stack} is deployed {where}, but it is not complete. Missing: "
            f"{', '.join(gone)}. Another deploy would not restore them. Create the stack again: andamio destroy{aws}, "
            f"then andamio deploy{aws}."
            + (" If that fails: make down PURGE=1 forgets the local cloud." if where.local else "")
        )


def cdk_context(folder: Path, stage: str, context: list[str]) -> list[str]:
    """The CDK context of a deployment, as arguments."""
    pairs = [f"problem={folder.resolve()}", *([f"stage={stage}"] if stage else []), *context]
    return [word for pair in pairs for word in ("--context", pair)]


def _split_stage(context: list[str], stage: str | None) -> tuple[list[str], str | None]:
    """The context without a stage, and the stage; raises `UsageError` when two stages are given."""
    values = [pair.removeprefix("stage=") for pair in context if pair.startswith("stage=")]
    if len({*values, *([stage] if stage else [])}) > 1:
        raise UsageError(f"Expected one stage. Got --stage {stage} and --context stage={', '.join(values)}.")
    return [pair for pair in context if not pair.startswith("stage=")], stage or (values[0] if values else None)


def _names(context: list[str], key: str) -> bool:
    return any(pair.startswith(f"{key}=") for pair in context)


def _approval(
    where: Target, stack: str, folder: Path, stage: str, context: list[str], *, yes: bool
) -> tuple[str, bool]:
    """CDK's approval setting, and whether the CDK may ask; raises `UsageError` when there is no terminal to ask."""
    if where.local or yes:
        return "never", False
    if sys.stdin.isatty():
        return "broadening", True
    context_arguments = shlex.join(cdk_context(folder, stage, context))
    raise UsageError(
        "A deploy to AWS asks before it widens permissions, and there is no terminal. Review the changes:\n"
        f'  PATH="$PWD/.venv/bin:$PATH" node_modules/.bin/cdk diff {stack} {context_arguments}\n'
        "then run the same andamio deploy with --yes."
    )


def _outputs(
    contract: Contract, folder: Path, stack_outputs: dict[str, str], where: Target, stage: str
) -> dict[str, Any]:
    """The outputs of a deploy; docs/deploy.md describes each key."""
    api_url = stack_outputs["ApiUrl"].rstrip("/")
    recorded = where.recorded
    if recorded is not None:
        api = API_ID.search(api_url)
        if api:
            # The path form of the emulator: names under .localhost do not resolve in every program.
            identity = api.group(1) or api.group(2)
            api_url = f"{recorded['endpoint_url']}/restapis/{identity}/{names.API_STAGE}/_user_request_"
    problem = contract.problem.name
    system = system_of(problem, stage)
    return {
        "problem": problem,
        "stage": stage,
        "system": system,
        "contract": contract.digest,
        "folder": str(folder.resolve()),
        "stack": names.stack(system),
        "emulator": where.local,
        "cloud": recorded["cloud"] if recorded is not None else None,
        "account": where.number,
        "endpoint_url": where.account.endpoint_url,
        "region": where.region,
        "api_url": api_url,
        "api_key": where.account.api_key(stack_outputs["ApiKeyId"]),
        "mlflow_url": stack_outputs["MlflowUri"],
        "mlflow_own": recorded is not None and stack_outputs["MlflowUri"] == recorded["mlflow_url"],
        "buckets": {
            "lake": stack_outputs["LakeBucket"],
            "models": stack_outputs["ModelsBucket"],
            "batch": stack_outputs["BatchBucket"],
        },
        "state_machines": {
            "etl": stack_outputs["EtlMachine"],
            "train": stack_outputs["TrainMachine"],
            "batch": stack_outputs["BatchMachine"],
            "monitor": stack_outputs["MonitorMachine"],
            "rollout": stack_outputs["RolloutMachine"],
        },
        "predictions_table": stack_outputs["PredictionsTable"],
        "alerts_topic": stack_outputs["AlertsTopic"],
        "batch_topic": stack_outputs["BatchTopic"],
        "deployed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _fingerprint(folder: Path, values: list[str]) -> str:
    """A digest of the sources and the target of a deploy, without addresses, which may change."""
    folder = folder.resolve()
    digest = hashlib.sha256("\n".join(values).encode())
    files = [REPO / name for name in _FILES]
    files += [folder / name for name in (names.PROBLEM_FILE, names.PREPARE_FILE, names.PIPELINE_FILE)]
    for source in _SOURCES:
        files += [file for file in (REPO / source).rglob("*") if file.is_file() and file.suffix != ".pyc"]
    for file in sorted(files):
        if file.exists():
            digest.update(f"{file.relative_to(REPO) if file.is_relative_to(REPO) else file.name}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
