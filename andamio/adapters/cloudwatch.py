"""Metrics of a system in CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from andamio import names
from andamio.adapters.refusals import refusal


class CloudWatchMetrics:
    """Figures in our namespace, by the dimension of a system; the client comes from the environment unless given."""

    def __init__(self, system: str, client: Any = None) -> None:
        self._dimensions = [{"Name": names.SYSTEM_DIMENSION, "Value": system}]
        self._given = client

    def put(self, values: Mapping[str, float]) -> None:
        """Put figures of this moment, by name; raises `AccessRefused` where IAM does not allow it."""
        from botocore.exceptions import ClientError

        data = [{"MetricName": name, "Dimensions": self._dimensions, "Value": value} for name, value in values.items()]
        try:
            self._client().put_metric_data(Namespace=names.METRICS, MetricData=data)
        except ClientError as error:
            refused = refusal(error, "cloudwatch", f"the namespace {names.METRICS}")
            if refused is not None:
                raise refused from error
            raise

    def _client(self) -> Any:
        # Made here: most steps put nothing.
        if self._given is None:
            import boto3

            self._given = boto3.client("cloudwatch")
        return self._given
