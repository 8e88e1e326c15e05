"""An account in this process, for the time of a test: made by moto, with nothing of a person's own account in reach."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from andamio import names
from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.testing.cloud import REGION, ROLE, LocalAws
from andamio.testing.machines import ENVIRONMENT, MACHINES, deployed
from andamio.testing.moto_gaps import corrected
from andamio.testing.network import no_network
from andamio.testing.read_once import read_once

BUCKETS = ("lake", "models", "batch")
_KEPT_OUT = ("AWS_", "ANDAMIO_")
"""Variables of a person's shell that begin so are not seen in here."""
_EXCEPT = ("ANDAMIO_RECORD", "ANDAMIO_HOME", "ANDAMIO_BUNDLES")
_one = threading.Lock()


@contextmanager
def local_aws[Kind: LocalAws](
    problem: str | Path,
    *,
    machines: Sequence[str] = MACHINES,
    environment: Mapping[str, str] | None = None,
    kind: type[Kind] = LocalAws,  # type: ignore[assignment]
) -> Iterator[Kind]:
    """An account for the problem in a folder: buckets, table, functions and state machines, all in this process.

    machines     state machines to deploy with their functions: etl, train, batch
    environment  more variables for functions, such as ANDAMIO_SHARD_BYTES. ANDAMIO_TRACKING_URI names a real MLflow
                 (`sqlite:///FILE`); without it runs are remembered, and no MLflow is loaded
    kind         a subclass of `LocalAws` to use instead

    No credentials, settings or network of this machine are in reach, and nothing is left changed. Raises
    `ContractError` for a problem.toml that is not valid, `RuntimeError` within another `local_aws`.
    """
    folder = Path(problem)
    contract = Contract.load(folder)
    name = contract.problem.name
    buckets = {part: names.resource(name, part) for part in BUCKETS}
    table = names.resource(name, "predictions")
    if not _one.acquire(blocking=False):
        raise RuntimeError("Expected one local_aws at a time: functions share this process. Leave the other one first.")
    with ExitStack() as exits:
        exits.callback(_one.release)
        temporary = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="andamio-testing-")))
        variables = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANDAMIO_PROBLEM": name,
            "ANDAMIO_SYSTEM": name,
            "ANDAMIO_TABLE": table,
            **{f"ANDAMIO_{part.upper()}": bucket for part, bucket in buckets.items()},
            **ENVIRONMENT,
            **(environment or {}),
        }
        exits.enter_context(_variables(variables))
        layer = exits.enter_context(_layer(temporary, folder))
        exits.enter_context(no_network())
        exits.enter_context(read_once())
        exits.enter_context(patch.object(boto3, "DEFAULT_SESSION", None))
        settings: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
        exits.enter_context(mock_aws(config=settings))
        s3 = boto3.client("s3")
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        boto3.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        _create_table(table)
        lake, models, batch = (S3Objects(bucket, s3) for bucket in buckets.values())
        aws = kind(name, layer, lake, models, batch, DynamoPredictionStore(table))
        exits.enter_context(corrected(aws.invoke))
        exits.callback(aws.close)
        if machines:
            exits.enter_context(deployed(aws, machines, variables))
        yield aws


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """The environment with these variables, and without what a shell says of AWS and of Andamio."""
    with patch.dict(os.environ):
        for variable in [each for each in os.environ if each.startswith(_KEPT_OUT) and each not in _EXCEPT]:
            del os.environ[variable]
        os.environ.update(values)
        yield


@contextmanager
def _layer(temporary: Path, folder: Path) -> Iterator[Path]:
    """The layers that hold the contract and the problem's own code, as functions find them; the contract's package."""
    contents = {
        names.PROBLEM_FILE: names.PROBLEM_PACKAGE,
        names.PREPARE_FILE: names.CODE_PACKAGE,
        names.PIPELINE_FILE: names.CODE_PACKAGE,
    }
    packages = set(contents.values())
    for name, package in contents.items():
        if (folder / name).exists():
            layer = temporary / "layer" / package
            layer.mkdir(parents=True, exist_ok=True)
            (layer / "__init__.py").write_text("")
            (layer / name).write_bytes((folder / name).read_bytes())
    earlier = {package: sys.modules.pop(package) for package in packages if package in sys.modules}
    sys.path.insert(0, str(temporary / "layer"))
    try:
        yield temporary / "layer" / names.PROBLEM_PACKAGE
    finally:
        sys.path.remove(str(temporary / "layer"))
        for package in packages:
            sys.modules.pop(package, None)
        sys.modules.update(earlier)


def _create_table(name: str) -> None:
    """The predictions table as `infra/constructs/table.py` makes it."""
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "prediction_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in ("prediction_id", "record_id", "created")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": names.BY_RECORD,
                "KeySchema": [
                    {"AttributeName": "record_id", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
