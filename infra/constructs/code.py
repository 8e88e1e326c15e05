"""The problem's own code as a Lambda layer: a package that holds prepare.py and pipeline.py as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from andamio import names
from infra.packing import archive

INIT = b'"""The code that the problem of this deployment brings."""\n'


class CodeLayer(lambda_.LayerVersion):
    """Python finds `andamio_code/prepare.py` in it. The same files make the same zip, so the same layer.

    `files` are the sources by their names, `name` is that of the layer.
    """

    def __init__(
        self, scope: Construct, id: str, *, system: str, name: str, files: Mapping[str, bytes], folder: Path
    ) -> None:
        path = folder / f"code-{archive.digest({**files, 'init': INIT})[:16]}.zip"
        package = f"python/{names.CODE_PACKAGE}"
        packed = {f"{package}/{file}": source for file, source in files.items()}
        archive.write_bytes(path, {f"{package}/__init__.py": INIT, **packed})
        super().__init__(
            scope,
            id,
            layer_version_name=names.resource(system, name),
            description=f"{' and '.join(files)} of {system}",
            code=lambda_.Code.from_asset(str(path)),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )
