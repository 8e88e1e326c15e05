"""Two services that LocalStack's open core has no provider for on a machine without Java: its bundled moto serves them.

LocalStack uses `dynamodb:moto` where `PROVIDER_OVERRIDE_DYNAMODB=moto`, and `ecr:default` always; `cdk bootstrap` makes
a repository. What a client stores is in memory alone.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider


@aws_provider(api="dynamodb", name="moto")
def dynamodb() -> Service:
    """DynamoDB, without streams."""
    return _moto("dynamodb")


@aws_provider(api="ecr")
def ecr() -> Service:
    """ECR, without images."""
    return _moto("ecr")


def _moto(name: str) -> Service:
    model = load_service(name)
    return Service(name, skeleton=Skeleton(model, dict.fromkeys(model.operation_names, _call)))


def _call(context: Any, request: Any) -> Any:
    return call_moto(context)
