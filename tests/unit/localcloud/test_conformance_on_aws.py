"""What `tests/conformance` does on AWS alone: its region, its patience, and that it deletes what it creates."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from tests.conformance import conftest, test_api
from tests.conformance.account import Account
from tests.conformance.targets import Target, running


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-central-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, "eu-central-1"),
        ({}, "us-east-1"),
    ],
)
def test_the_region_is_the_one_that_the_command_line_takes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with mock_aws(), running("aws") as target:
        assert target.region == region


@pytest.mark.parametrize(("target", "seconds"), [("moto", 400), ("aws", 1500)])
def test_a_behaviour_may_take_longer_on_aws(target: str, seconds: int) -> None:
    marks: list[Any] = []
    item: Any = SimpleNamespace(
        fixturenames=["account"],
        callspec=SimpleNamespace(params={"target": target}),
        add_marker=marks.append,
    )
    conftest.pytest_collection_modifyitems([item])
    assert [(mark.name, mark.args) for mark in marks] == [("timeout", (seconds,))]


class Gateway:
    """API Gateway, as far as it refuses a deletion: a plan that has a stage, and an API with a stage in a plan."""

    def __init__(self) -> None:
        self.stages: dict[str, list[str]] = {}
        self.there: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        return lambda **_: {"id": name, "items": [{"id": "root"}]}

    def create_rest_api(self, **_: object) -> dict[str, Any]:
        self.there.append("api")
        return {"id": "api"}

    def create_api_key(self, *, name: str, **_: object) -> dict[str, Any]:
        return {"id": name, "value": name}

    def create_usage_plan(self, *, name: str, apiStages: list[dict[str, str]], **_: object) -> dict[str, Any]:  # noqa: N803
        self.stages[name] = [f"{it['apiId']}:{it['stage']}" for it in apiStages]
        return {"id": name}

    def update_usage_plan(self, *, usagePlanId: str, patchOperations: list[dict[str, str]]) -> None:  # noqa: N803
        (asked,) = patchOperations
        assert (asked["op"], asked["path"]) == ("remove", "/apiStages")
        self.stages[usagePlanId].remove(asked["value"])

    def delete_usage_plan(self, *, usagePlanId: str) -> None:  # noqa: N803
        assert not self.stages.pop(usagePlanId), "Cannot delete a usage plan that has API stages"

    def delete_rest_api(self, *, restApiId: str) -> None:  # noqa: N803
        assert not self.stages, "Active stages pointing to this API must be moved or deleted"
        self.there.remove(restApiId)


def test_an_api_and_its_plans_are_deleted_in_the_order_that_aws_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway()
    account = Account(Target("aws"))
    monkeypatch.setattr(test_api, "eventually", lambda *_, **__: True)
    monkeypatch.setattr(Account, "client", lambda self, service, **_: gateway)
    monkeypatch.setattr(Account, "function", lambda self, *_, **__: "function")
    monkeypatch.setattr(Account, "arn", lambda self, name: name)
    with account.cleanup:
        test_api.api(account)
        assert len(gateway.stages) == 2
    assert gateway.stages == {}
    assert gateway.there == []
