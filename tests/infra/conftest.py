"""Templates to look at: made once, from zips that hold nothing, with the context that cdk.json gives the CLI."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import templates
from infra.bundling import Bundle
from infra.options import read_options
from infra.templates import GIVEN_ROLE, GIVEN_SERVER, LOCAL, flags

Resource = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """A synthesized stack: its template, and what validation found."""

    template: dict[str, Any]
    findings: list[dict[str, Any]]

    @property
    def resources(self) -> dict[str, Resource]:
        return self.template["Resources"]

    def of_type(self, kind: str) -> dict[str, Resource]:
        return {name: found["Properties"] for name, found in self.resources.items() if found["Type"] == kind}

    def named(self, kind: str, prefix: str) -> Resource:
        """The properties of the one resource of a type whose logical id starts like this."""
        (found,) = [item for name, item in self.of_type(kind).items() if name.startswith(prefix)]
        return found


Synthesize = Callable[..., Deployment]
EmptyBundles = Callable[[Sequence[str], str], Mapping[str, Bundle]]


@pytest.fixture(scope="session")
def empty_bundles(tmp_path_factory) -> EmptyBundles:
    return templates.empty_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def synthesize(empty_bundles, tmp_path_factory) -> Synthesize:
    # After `infra`, which says which Node CDK starts when it is imported.
    from aws_cdk import App

    from infra.app import add_stack

    def run(environ: Mapping[str, str] | None = None, *, schemas: bool = False, **context: str) -> Deployment:
        work = tmp_path_factory.mktemp("synth")
        app = App(context={**flags(), **context}, outdir=str(work / "out"), builtin_cloud_formation_validation=schemas)
        stack = add_stack(app, read_options(app.node.try_get_context, environ or {}), empty_bundles, work)
        assembly = app.synth()
        report = json.loads((Path(assembly.directory) / "validation-report.json").read_text())
        return Deployment(assembly.get_stack_by_name(stack.stack_name).template, report["pluginReports"])

    return run


@pytest.fixture(scope="session")
def aws(synthesize) -> Deployment:
    """What `cdk deploy` sends to AWS."""
    return synthesize()


@pytest.fixture(scope="session")
def validated(synthesize) -> Deployment:
    """The same, checked against CloudFormation's own schemas too: what most of the time of a synth goes into."""
    return synthesize(schemas=True)


@pytest.fixture(scope="session")
def local(synthesize) -> Deployment:
    """What `cdk deploy` sends to the local cloud."""
    return synthesize(LOCAL)


@pytest.fixture(scope="session")
def given_role(synthesize) -> Deployment:
    """What an account deploys that may not create roles; its MLflow server is one of SageMaker's, given by ARN."""
    return synthesize(existing_role_arn=GIVEN_ROLE, tracking_uri=GIVEN_SERVER)


@pytest.fixture(scope="session")
def switched(synthesize) -> Deployment:
    """Every other switch turned: SnapStart, arm64, a given MLflow, other waits, smaller shards, more workers."""
    return synthesize(
        snapstart="true",
        bundle="arm64",
        tracking_uri="https://mlflow.test",
        quiet_seconds="7",
        refresh_seconds="11",
        shard_mib="0.5",
        workers="100",
        rate="50",
        burst="60",
        alert_email="you@example.org",
        alert_webhook="https://example.org/alerts",
    )


@pytest.fixture(scope="session")
def prod(synthesize) -> Deployment:
    """A second stage of the same problem in the same account."""
    return synthesize(stage="prod")


@pytest.fixture(params=["aws", "local", "given_role", "switched"])
def deployment(request) -> Deployment:
    """Each of them: for what must hold everywhere."""
    return request.getfixturevalue(request.param)
