"""Options of a deployment: CDK context (`cdk -c KEY=VALUE`), and environment variables of the local cloud."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from andamio import names
from infra import REPOSITORY
from infra.regions import lacks_mlflow_app

PLATFORMS = ("host", "x86_64", "arm64")
EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")

DEFAULT_SHARD_MIB = 32
# A shard of a few rows costs more to start than to score; what comes of a larger one may not fit on a function's disk.
SMALLEST_SHARD_MIB, LARGEST_SHARD_MIB = 0.001, 128
MOST_WORKERS = 10_000
"""What a Distributed Map runs at once."""
DEFAULT_WORKERS = 2
"""With as many, all state machines at once leave room for the API and for captures in a new account (ADR 20)."""

DEFAULT_RATE = 200
# What API Gateway gives an account in a region, unless it is asked for more.
MOST_A_SECOND, MOST_AT_ONCE = 10_000, 5_000


class OptionError(Exception):
    """A context value is not valid."""


@dataclass(frozen=True, slots=True)
class Options:
    """One deployment's choices.

    problem            the problem's folder
    stage              which of several deployments of the problem this is (dev; empty on the local cloud)
    local              AWS_ENDPOINT_URL is set: an emulator, whose state may be thrown away
    bundle             platform of the functions: host (local default) | x86_64 (AWS default) | arm64
    tracking_uri       an MLflow server's URL or ARN; empty: the stack makes SageMaker's MLflow app
    snapstart          publish the API function with SnapStart, behind an alias
    existing_role_arn  a role that everything runs as, for accounts that may not create roles; empty: own roles
    quiet_seconds      how long ETL waits for more files
    refresh_seconds    how often the API looks for a new champion (60; 5 on the local cloud)
    shard_bytes        how much of a batch's file one call scores (context `shard_mib`, 32; fractions are fine)
    workers            how many calls score at once (2)
    rate               requests a second that the API takes before it answers 429 (200)
    burst              requests that it takes at once (twice the rate)
    alert_email        who is told of alarms and failed executions by email; empty: nobody is
    alert_webhook      an endpoint of HTTPS that is told of them; empty: none is
    monitor_minutes    how often the watch compares (60); whole hours
    tasks              whether training may run as Fargate tasks: not under a given role, which need not trust ECS, and
                       not on a local cloud that says it has no ECS
    """

    problem: Path
    stage: str
    local: bool
    bundle: str
    tracking_uri: str
    snapstart: bool
    existing_role_arn: str
    quiet_seconds: int
    refresh_seconds: int
    shard_bytes: int
    workers: int
    rate: int
    burst: int
    alert_email: str
    alert_webhook: str
    monitor_minutes: int
    tasks: bool


def read_options(context: Callable[[str], object], environ: Mapping[str, str] | None = None) -> Options:
    """Options from CDK context (a function from key to value or None) and environment; raises `OptionError`."""
    environ = os.environ if environ is None else environ
    local = bool(environ.get("AWS_ENDPOINT_URL"))
    folder = Path(_text(context, "problem", "problems/heart"))
    bundle = _text(context, "bundle", "host" if local else "x86_64")
    if bundle not in PLATFORMS:
        raise OptionError(f"Context 'bundle' must be one of {', '.join(PLATFORMS)}. Got '{bundle}' instead.")
    if bundle == "host" and not local:
        raise OptionError(
            "Context 'bundle=host' is for the local cloud, which runs functions on this machine's interpreter. "
            "Use x86_64 or arm64 on AWS, or set AWS_ENDPOINT_URL."
        )
    role = _text(context, "existing_role_arn", "")
    if role and not (role.startswith("arn:") and ":role/" in role):
        raise OptionError(f"Context 'existing_role_arn' must be the ARN of an IAM role. Got '{role}' instead.")
    rate = _requests(context, "rate", DEFAULT_RATE, MOST_A_SECOND, "a second")
    return Options(
        problem=folder if folder.is_absolute() else REPOSITORY / folder,
        stage=_stage(context, "" if local else names.DEFAULT_STAGE),
        local=local,
        bundle=bundle,
        tracking_uri=_tracking_uri(context, environ, local),
        snapstart=_switch(context, "snapstart", False),
        existing_role_arn=role,
        quiet_seconds=_seconds(context, "quiet_seconds", 2 if local else 30, least=1),
        refresh_seconds=_seconds(context, "refresh_seconds", 5 if local else 60, least=1),
        shard_bytes=_shard_bytes(context),
        workers=_workers(context, DEFAULT_WORKERS),
        rate=rate,
        burst=_requests(context, "burst", min(2 * rate, MOST_AT_ONCE), MOST_AT_ONCE, "at once"),
        alert_email=_email(context),
        alert_webhook=_webhook(context),
        monitor_minutes=_whole_hours(context, "monitor_minutes", 60),
        tasks=not role and not (local and _local_cloud(environ).get("tasks") is False),
    )


def system_name(problem: str, stage: str) -> str:
    """What everything that is deployed is named by; raises `OptionError` when it is too long for AWS."""
    system = names.system(problem, stage)
    if len(system) > names.LONGEST_SYSTEM:
        raise OptionError(
            f"Problem and stage make the name '{system}', which may have {names.LONGEST_SYSTEM} characters: AWS allows "
            f"no more for the longest name that is made of it. It has {len(system)}: choose a shorter stage or problem."
        )
    return system


def _stage(context: Callable[[str], object], default: str) -> str:
    text = _text(context, "stage", default)
    if text and not STAGE.fullmatch(text):
        raise OptionError(
            f"Context 'stage' must be 1 to 12 of a-z and 0-9, starting with a letter. Got '{text}' instead."
        )
    return text


def _tracking_uri(context: Callable[[str], object], environ: Mapping[str, str], local: bool) -> str:
    """What is given; locally also the environment's or the running local cloud's; empty: make one on AWS."""
    given = _text(context, "tracking_uri", "")
    region = environ.get("CDK_DEFAULT_REGION") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    if not given and not local and lacks_mlflow_app(region):
        raise OptionError(
            f"CloudFormation has no AWS::SageMaker::MlflowApp in {region}, which the stack would make. Give an MLflow "
            "server of yours with `--context tracking_uri=https://...` (or the ARN of one of SageMaker's), or deploy "
            "to another region: docs/deploy.md lists those that have it."
        )
    if given or not local:
        return given
    found = environ.get("MLFLOW_TRACKING_URI", "") or str(_local_cloud(environ).get("mlflow_url") or "")
    if not found:
        raise OptionError(
            "The local cloud has no MLflow of its own: give its URL with `cdk -c tracking_uri=http://...` or in "
            f"MLFLOW_TRACKING_URI, or start the local cloud, which writes it to {_cloud_file(environ)} (`andamio up`)."
        )
    return found


def _cloud_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("ANDAMIO_HOME") or REPOSITORY / ".andamio") / "cloud.json"


def _local_cloud(environ: Mapping[str, str]) -> dict[str, object]:
    """What the local cloud says of itself; nothing where there is none."""
    file = _cloud_file(environ)
    found: dict[str, object] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def _text(context: Callable[[str], object], key: str, default: str) -> str:
    value = context(key)
    return default if value is None or value == "" else str(value)


def _switch(context: Callable[[str], object], key: str, default: bool) -> bool:
    text = _text(context, key, str(default)).lower()
    if text not in ("true", "false", "on", "off"):
        raise OptionError(f"Context '{key}' must be true or false. Got '{text}' instead.")
    return text in ("true", "on")


def _seconds(context: Callable[[str], object], key: str, default: int, *, least: int) -> int:
    text = _text(context, key, str(default))
    if not text.isdecimal() or not least <= int(text) <= 86_400:
        raise OptionError(f"Context '{key}' must be whole seconds from {least} to 86400. Got '{text}' instead.")
    return int(text)


def _whole_hours(context: Callable[[str], object], key: str, default: int) -> int:
    """Minutes that are whole hours: captures are kept by the hour, and a scheduled window ends with a full one."""
    text = _text(context, key, str(default))
    if not text.isdecimal() or not 60 <= int(text) <= 1440 or int(text) % 60:
        raise OptionError(
            f"Context '{key}' must be minutes that make whole hours: 60, 120, up to 1440. Got '{text}' instead. "
            "To compare at once: andamio monitor."
        )
    return int(text)


def _shard_bytes(context: Callable[[str], object]) -> int:
    text = _text(context, "shard_mib", str(DEFAULT_SHARD_MIB))
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    # Written so that "nan", which compares with nothing, is refused too.
    if not SMALLEST_SHARD_MIB <= size <= LARGEST_SHARD_MIB:
        raise OptionError(
            f"Context 'shard_mib' must be a number of MiB from {SMALLEST_SHARD_MIB} to {LARGEST_SHARD_MIB} "
            f"(0.5 is half of one). Got '{text}' instead."
        )
    return int(size * 2**20)


def _workers(context: Callable[[str], object], default: int) -> int:
    text = _text(context, "workers", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise OptionError(
            f"Context 'workers' must be a whole number from 1 to {MOST_WORKERS}: how many calls score at once. "
            f"Got '{text}' instead."
        )
    return int(text)


def _email(context: Callable[[str], object]) -> str:
    text = _text(context, "alert_email", "")
    if text and not EMAIL.fullmatch(text):
        raise OptionError(f"Context 'alert_email' must be one address such as you@example.org. Got '{text}' instead.")
    return text


def _webhook(context: Callable[[str], object]) -> str:
    """An address of HTTPS. What is wrong with it is said without it: it may hold a secret."""
    text = _text(context, "alert_webhook", "")
    if not text:
        return ""
    try:
        address = urlsplit(text)
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    asked = "Context 'alert_webhook' must be an address such as https://example.org/alerts"
    if host is None or address.scheme != "https" or re.search(r"\s", text):
        raise OptionError(f"{asked}: SNS sends alerts by HTTPS only. What was given is no such address.")
    if address.username is not None or address.fragment:
        raise OptionError(
            f"{asked}, without a user name, a password or a fragment: messages are signed, and the endpoint checks the "
            "signature (docs/deploy.md)."
        )
    if port not in (None, 443) and not 1024 <= port <= 65535:
        raise OptionError(f"{asked}, on port 443 or one from 1024 to 65535. Got port {port} instead.")
    return text


def _requests(context: Callable[[str], object], key: str, default: int, most: int, when: str) -> int:
    text = _text(context, key, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise OptionError(
            f"Context '{key}' must be a whole number from 1 to {most}: how many requests {when} the API takes before "
            f"it answers 429. Got '{text}' instead."
        )
    return int(text)
