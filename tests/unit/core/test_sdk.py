"""A boto3 that knows no conditional writes is refused before anything is read or written."""

from __future__ import annotations

import boto3
import botocore
import pytest
from botocore.session import Session

from andamio.adapters.s3 import S3Objects
from andamio.adapters.sdk import OLDEST, check_sdk
from andamio.errors import SettingsError


@pytest.mark.parametrize("version", ["1.35.69", "1.35.100", "1.36.0", "1.43.106", "2.0.0", "1.42.0.dev1"])
def test_one_that_knows_them_passes(version):
    check_sdk(version)


@pytest.mark.parametrize("version", ["1.35.68", "1.35.9", "1.34.145", "0.99.99", "", "unknown"])
def test_an_older_one_is_refused_with_both_versions_and_what_to_do(version):
    with pytest.raises(SettingsError, match=r"need botocore 1\.35\.69 or newer") as raised:
        check_sdk(version)
    message = str(raised.value)
    assert f"This is {version or 'one without a version'}." in message
    assert "runtime management back to 'Auto'" in message
    assert "IN_THE_RUNTIME in infra/packing/uv.py" in message


def test_the_pinned_one_has_what_the_check_stands_for():
    """The version stands for these parameters; a botocore that loses or renames them is told by its own model."""
    check_sdk(botocore.__version__)
    model = Session().get_service_model("s3")
    for operation in ("PutObject", "CompleteMultipartUpload"):
        assert {"IfMatch", "IfNoneMatch"} <= set(model.operation_model(operation).input_shape.members)
    assert tuple(map(int, botocore.__version__.split(".")[:3])) >= OLDEST


def test_a_bucket_is_not_opened_with_an_old_one(monkeypatch):
    monkeypatch.setattr(botocore, "__version__", "1.34.145")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: pytest.fail("a client was made"))
    with pytest.raises(SettingsError, match=r"This is 1\.34\.145"):
        S3Objects("lake")
