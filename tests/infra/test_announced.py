"""What `andamio verify` says that it creates is what the template makes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.cli.cloud.target import Target
from andamio.cli.verify.announcement import CREATED, announcement, created
from andamio.contract import Contract
from infra.templates import GIVEN_ROLE, GIVEN_SERVER

HEART = Contract.load(Path(__file__).parents[2] / "problems" / "heart")
ACCOUNT: Any = SimpleNamespace()
AWS = Target(ACCOUNT, "123456789012", "us-east-1", {}, None)
LOCAL = Target(ACCOUNT, "000000000000", "us-east-1", {}, {"cloud": "c", "tasks": True})
WITH_ANOTHER = {"SQS", "KMS"}
"""Services whose resources are named in the phrase about another one's."""


def services(types: set[str]) -> set[str]:
    return {name.split("::")[1] for name in types} - {"CDK"}


def test_every_service_of_the_template_is_announced_and_every_announced_type_is_made(aws) -> None:
    types = {resource["Type"] for resource in aws.resources.values()}
    assert set(CREATED) <= types
    assert services(types) == services(set(CREATED)) | WITH_ANOTHER
    assert created(HEART, AWS, []) == CREATED


@pytest.mark.parametrize(
    ("template", "where", "context"),
    [
        ("local", LOCAL, []),
        ("given_role", AWS, [f"existing_role_arn={GIVEN_ROLE}", f"tracking_uri={GIVEN_SERVER}"]),
        ("switched", AWS, ["tracking_uri=https://mlflow.test"]),
    ],
)
def test_what_a_deployment_does_not_create_is_not_announced(
    request: pytest.FixtureRequest, template: str, where: Target, context: list[str]
) -> None:
    types = {resource["Type"] for resource in request.getfixturevalue(template).resources.values()}
    assert set(created(HEART, where, context)) == set(CREATED) & types


def with_compute(compute: Any) -> Contract:
    return HEART.model_copy(update={"training": HEART.training.model_copy(update={"compute": compute})})


def test_a_problem_that_trains_in_functions_is_told_of_no_cluster_and_one_that_trains_in_tasks_of_their_price() -> None:
    functions = " ".join(announcement(with_compute("function"), "s", AWS, ["tracking_uri=x"], conformance=False))
    assert not any(word in functions for word in ("ECS", "VPC", "MLflow app", "Fargate"))
    tasks = " ".join(announcement(with_compute("task"), "s", AWS, [], conformance=False))
    assert "on which training runs as Fargate tasks" in tasks
    assert "without the MLflow app and Fargate tasks" in tasks
