"""Predictions, by their id and by the caller's."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from andamio import names


class PredictionsTable(dynamodb.Table):
    """Keyed by `prediction_id`, indexed by `record_id` in order of time; rows go at `expires_at` (epoch seconds)."""

    def __init__(self, scope: Construct, id: str, *, removal_policy: RemovalPolicy) -> None:
        super().__init__(
            scope,
            id,
            partition_key=dynamodb.Attribute(name="prediction_id", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires_at",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal_policy,
        )
        self.by_record_arn = f"{self.table_arn}/index/{names.BY_RECORD}"
        self.add_global_secondary_index(
            index_name=names.BY_RECORD,
            partition_key=dynamodb.Attribute(name="record_id", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.ALL,
        )
