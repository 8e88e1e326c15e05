"""The problem's contract as a Lambda layer: a package that holds problem.toml as it is in its folder."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from andamio import names
from infra.packing import archive

INIT = b'"""The contract of the problem that this deployment serves."""\n'


class ContractLayer(lambda_.LayerVersion):
    """Python finds `andamio_problem/problem.toml` in it. The same file makes the same zip, so the same layer."""

    def __init__(self, scope: Construct, id: str, *, system: str, toml: bytes, folder: Path) -> None:
        path = folder / f"contract-{archive.digest({'toml': toml, 'init': INIT})[:16]}.zip"
        package = f"python/{names.PROBLEM_PACKAGE}"
        archive.write_bytes(path, {f"{package}/__init__.py": INIT, f"{package}/{names.PROBLEM_FILE}": toml})
        super().__init__(
            scope,
            id,
            layer_version_name=names.resource(system, "contract"),
            description=f"{names.PROBLEM_FILE} of {system}",
            code=lambda_.Code.from_asset(str(path)),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )
