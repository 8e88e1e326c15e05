"""Fetches the function's bundle, checks its digest, and becomes the step that the task's command names.

It runs as `python -c TEXT STEP ...` in an image that holds Python and boto3, so nobody builds an image.
ANDAMIO_BUNDLE is BUCKET/KEY of the zip, ANDAMIO_BUNDLE_SHA256 its digest in hexadecimal. ANDAMIO_PIPELINE is the
problem's pipeline.py, compressed, in Base64, where it has one.
"""

import base64
import hashlib
import os
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import boto3


def fetch(folder: Path) -> Path:
    """Unpack the bundle and return where; ends the process where it is not what was deployed."""
    bucket, _, key = os.environ["ANDAMIO_BUNDLE"].partition("/")
    archive = folder / "bundle.zip"
    boto3.client("s3").download_file(bucket, key, str(archive))
    with archive.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    if digest != os.environ["ANDAMIO_BUNDLE_SHA256"]:
        sys.exit(f"s3://{bucket}/{key} is not the bundle that was deployed: its SHA-256 is {digest}. Deploy again.")
    bundle = folder / "bundle"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(bundle)
    archive.unlink()
    if source := os.environ.get("ANDAMIO_PIPELINE"):
        package = bundle / "andamio_code"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "pipeline.py").write_bytes(zlib.decompress(base64.b64decode(source)))
    return bundle


if __name__ == "__main__":
    unpacked = fetch(Path(tempfile.mkdtemp()))
    path = os.pathsep.join(filter(None, (str(unpacked), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "lambdas.train.task", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})  # noqa: S606
