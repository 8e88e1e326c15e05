"""The accounts of tests read descriptions of services once, and say the same as without."""

from __future__ import annotations

import sys

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from moto import mock_aws

from andamio.testing import read_once as module
from andamio.testing.read_once import read_once


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def new_client() -> object:
    """S3 through a session of its own, as each function makes one."""
    return boto3.session.Session(region_name="us-east-1").client("s3")


def test_sessions_share_each_file_and_have_what_they_would_have_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = module._load

    def counted(loader: JSONFileLoader, path: str) -> object:
        read.append(path)
        return load(loader, path)

    monkeypatch.setattr(module, "_load", counted)
    module._content.cache_clear()
    plain = new_client().meta.service_model.operation_names  # type: ignore[attr-defined]
    with read_once():
        shared = [new_client().meta.service_model.operation_names for _ in range(3)]  # type: ignore[attr-defined]
    assert shared == [plain] * 3
    assert any("s3" in path for path in read)
    assert len(read) == len(set(read))
    before = len(read)
    new_client()
    assert len(read) == before, "outside, a session reads for itself"


def test_requests_to_s3_do_not_load_its_addresses_again() -> None:
    with read_once(), mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="lake")
        bases = sys.modules["moto.s3.urls"].url_bases
        s3.put_object(Bucket="lake", Key="raw/a.csv", Body=b"1")
        assert s3.get_object(Bucket="lake", Key="raw/a.csv")["Body"].read() == b"1"
        assert sys.modules["moto.s3.urls"].url_bases is bases
