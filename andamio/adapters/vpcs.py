"""Whether a region has room for one more VPC."""

from __future__ import annotations

from botocore.exceptions import ClientError

from andamio.adapters.aws import Account

_QUOTA = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
_DEFAULT = 5


def full(account: Account) -> str:
    """How many VPCs the region has of how many, where it may have no more; "" where it may, or it cannot be read.

    Raises `CommandError` without a connection or credentials.
    """
    try:
        pages = account.guarded("ec2").pages("describe_vpcs")
        count = sum(len(page["Vpcs"]) for page in pages)
    except ClientError:
        return ""
    if count < _DEFAULT:
        return ""
    try:
        most = int(account.guarded("service-quotas").get_service_quota(**_QUOTA)["Quota"]["Value"])
    except ClientError:
        most = _DEFAULT
    return f"{count} of {most} VPCs" if count >= most else ""
