"""Is the AWS SDK recent enough? On Lambda it is the runtime's own, in a version that AWS chooses."""

from __future__ import annotations

import re

from andamio.errors import SettingsError

OLDEST = (1, 35, 69)
"""The first botocore whose `put_object` takes `IfMatch` (November 2024); `IfNoneMatch` came with 1.35.2."""


def check_sdk(version: str) -> None:
    """Raises `SettingsError` for a botocore that is too old for conditional writes, or has no version."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        raise SettingsError(
            f"Writes to S3 under a condition need botocore {'.'.join(map(str, OLDEST))} or newer. This is "
            f"{version or 'one without a version'}. On Lambda it belongs to the runtime: take the function's runtime "
            "management back to 'Auto', or put boto3 into the function's bundle (IN_THE_RUNTIME in "
            "infra/packing/uv.py) and deploy again. Elsewhere, install what uv.lock pins: make install."
        )
