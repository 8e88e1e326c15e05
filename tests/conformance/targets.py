"""Where the tests run: each emulator, started on a port of its own with nothing in it, moto in this process, or AWS."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend

from localstack import emulator, opencore
from localstack.emulator import MINISTACK, Emulator
from localstack.home import Home
from localstack.opencore import LOCALSTACK, OpenCore
from localstack.ports import claim

REGION = "us-east-1"
START_SECONDS = 120.0
LOCAL = (emulator.KIND, opencore.KIND, "moto")
NAMES = (*LOCAL, "aws")

NO_RUNTIME = "no runtime without Docker"
LACKS_OF_MOTO = {
    "runtime": NO_RUNTIME,
    "gateway": "an API has no address",
    "clock": "nothing happens by itself",
    "events": "rules and alarms reach no one",
    "races": "looks first and writes then",
}


@dataclass(slots=True)
class Target:
    """A target that runs. `patience` in seconds: how long something that comes later may take.

    `endpoint` is None for AWS. `lacks` says of which parts a target has nothing: `runtime` (functions run as Lambda
    runs them), `gateway` (an API answers requests), `clock` (schedules), `events` (they reach more than queues) and
    `races` (of two requests at once).
    """

    name: str
    endpoint: str | None = None
    region: str = REGION
    patience: float = 10.0
    lacks: Mapping[str, str] = field(default_factory=dict)
    functions: dict[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    """Handlers by name, where functions are called in this process."""

    @property
    def is_aws(self) -> bool:
        """Whether what is made here costs money, and takes its time."""
        return self.name == "aws"

    def client(self, service: str, **config: Any) -> Any:
        """A client that tries once, so that what comes is the target's first answer."""
        options: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "read_timeout": 60, "proxies": {}, **config}
        if self.is_aws:
            return boto3.client(service, region_name=self.region, config=Config(**options))
        options = {"s3": {"addressing_style": "path"}} | options
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**options),
        )

    def api_url(self, api: str, stage: str) -> str:
        """The address of a stage of a REST API, without a slash at its end."""
        if self.is_aws:
            return f"https://{api}.execute-api.{self.region}.amazonaws.com/{stage}"
        return f"{self.endpoint}/_aws/execute-api/{api}/{stage}"


class NoCredentials(Exception):
    """AWS was asked for, and there is nobody to be there."""


@contextmanager
def running(name: str) -> Iterator[Target]:
    """A target that runs while the block does; raises `NoCredentials`."""
    with {"moto": _moto, "aws": _aws}.get(name, lambda: _emulator(name))() as target:
        yield target


@contextmanager
def _emulator(name: str) -> Iterator[Target]:
    software, service_type = (LOCALSTACK, OpenCore) if name == opencore.KIND else (MINISTACK, Emulator)
    software.install(print)
    home = Home.at(tempfile.mkdtemp(prefix="andamio-"))
    home.scratch.mkdir(parents=True)
    port = claim(0)
    service = service_type(home, port.port)
    identity = service.start(port)
    port.close()
    try:
        service.wait(identity, START_SECONDS)
        yield Target(name, f"http://127.0.0.1:{port.port}")
    finally:
        service.stop(identity, patience=5)
        shutil.rmtree(home.path, ignore_errors=True)


@contextmanager
def _moto() -> Iterator[Target]:
    target = Target("moto", lacks=LACKS_OF_MOTO, patience=2.0)

    def invoke(
        backend: object, function_name: str, qualifier: object, body: Any, headers: object, response: dict[str, Any]
    ) -> bytes:
        try:
            return json.dumps(target.functions[function_name.rsplit(":", 1)[-1]](json.loads(body), None)).encode()
        except Exception as error:
            response["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()

    config: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
    with mock_aws(config=config), patch.object(LambdaSimpleBackend, "invoke", invoke):
        yield target


@contextmanager
def _aws() -> Iterator[Target]:
    # As the AWS CLI and the CDK do; boto3 itself does not read AWS_REGION.
    region = os.environ.get("AWS_REGION") or boto3.Session().region_name or REGION
    try:
        boto3.client("sts", region_name=region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise NoCredentials(f"AWS needs credentials that it accepts: {error}") from error
    yield Target("aws", region=region, patience=300.0)
