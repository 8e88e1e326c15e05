"""The template of each deployment option, synthesized without bundles, for checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra import REPOSITORY
from infra.bundling import Bundle
from infra.options import read_options
from infra.packing import archive

LOCAL = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
GIVEN_ROLE = "arn:aws:iam::123456789012:role/LabRole"
GIVEN_SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/ours"


@dataclass(frozen=True, slots=True)
class Case:
    """The input of one deployment: CDK context, and the environment that options are read from."""

    context: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "default": Case(),
    "arm64": Case({"bundle": "arm64"}),
    "snapstart": Case({"snapstart": "true"}),
    "existing role": Case({"existing_role_arn": GIVEN_ROLE}),
    "tracking URI": Case({"tracking_uri": "https://mlflow.test"}),
    "tracking server": Case({"tracking_uri": GIVEN_SERVER}),
    "who is told": Case({"alert_email": "you@example.org", "alert_webhook": "https://example.org/alerts"}),
    "local": Case(environ=LOCAL),
    "stage prod": Case({"stage": "prod"}),
    "second problem": Case({"problem": "tests/problems/fruit"}),
}
"""Every switch turned."""


def flags() -> dict[str, Any]:
    """CDK's feature flags, which the command line reads and an `App()` by itself does not."""
    found: dict[str, Any] = json.loads((REPOSITORY / "cdk.json").read_text())["context"]
    return found


def empty_bundles(folder: Path) -> Callable[[Sequence[str], str], Mapping[str, Bundle]]:
    """A provider of bundles that hold nothing, written into a folder."""

    def provide(names: Sequence[str], platform: str) -> dict[str, Bundle]:
        for name in names:
            archive.write_bytes(folder / f"{name}.zip", {f"{name}.txt": b""})
        kind = "x86_64" if platform == "host" else platform
        return {name: Bundle(name, kind, folder / f"{name}.zip", 0) for name in names}

    return provide


def template(case: Case, work: Path) -> dict[str, Any]:
    """The template of one case; cdk-nag judges it on the way. `work` is an empty folder."""
    from aws_cdk import App

    from infra.app import add_stack

    app = App(context={**flags(), **case.context}, outdir=str(work / "out"), builtin_cloud_formation_validation=False)
    stack = add_stack(app, read_options(app.node.try_get_context, case.environ), empty_bundles(work), work)
    made: dict[str, Any] = app.synth().get_stack_by_name(stack.stack_name).template
    return made
