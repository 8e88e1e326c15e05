"""A bucket of moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.s3.models import s3_backends

from andamio.adapters.s3 import S3Objects

BUCKET = "lake"


@pytest.fixture(scope="module")
def moto_s3() -> Iterator[Any]:
    """S3 of moto, with a client as the adapter makes one."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        yield S3Objects(BUCKET)._s3


@pytest.fixture
def s3(moto_s3: Any) -> S3Objects:
    """An empty bucket with versions; a client is made once a module, because that takes most of the time."""
    s3_backends.reset()
    moto_s3.create_bucket(Bucket=BUCKET)
    moto_s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return S3Objects(BUCKET, moto_s3)
