"""The problem's own code as a Lambda layer: a package that holds prepare.py as it is in its folder."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from andamio import names
from infra.packing import archive

INIT = b'"""The code that the problem of this deployment brings."""\n'


class CodeLayer(lambda_.LayerVersion):
    """Python finds `andamio_code/prepare.py` in it. The same file makes the same zip, so the same layer."""

    def __init__(self, scope: Construct, id: str, *, system: str, prepare: bytes, folder: Path) -> None:
        path = folder / f"code-{archive.digest({'prepare': prepare, 'init': INIT})[:16]}.zip"
        package = f"python/{names.CODE_PACKAGE}"
        archive.write_bytes(path, {f"{package}/__init__.py": INIT, f"{package}/{names.PREPARE_FILE}": prepare})
        super().__init__(
            scope,
            id,
            layer_version_name=names.resource(system, "code"),
            description=f"{names.PREPARE_FILE} of {system}",
            code=lambda_.Code.from_asset(str(path)),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )
