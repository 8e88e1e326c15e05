"""Who called the API, refused calls included, kept in S3."""

from __future__ import annotations

import json

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kinesisfirehose as firehose
from constructs import Construct

from andamio import names
from infra.constructs import trust
from infra.constructs.api import ApiLog
from infra.constructs.bucket import DataBucket
from infra.constructs.role import Permission, create_role, objects

# The key's id, never the key.
FIELDS = {
    "request": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "key": "$context.identity.apiKeyId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "error": "$context.error.responseType",
}

LINE = json.dumps(FIELDS) + "\n"
"""API Gateway puts nothing between two records, and neither does Firehose."""


class AccessLog(Construct):
    """API Gateway -> Firehose -> objects under a prefix.

    CloudWatch would need a role set for the whole account (AWS::ApiGateway::Account), Firehose does not.
    """

    log: ApiLog
    stream: str

    def __init__(self, scope: Construct, id: str, *, system: str, bucket: DataBucket, prefix: str) -> None:
        super().__init__(scope, id)
        role = create_role(
            self,
            "Role",
            trust.delivery(),
            [
                objects(bucket, ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], prefix),
                Permission(
                    ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"), (bucket.bucket_arn,)
                ),
            ],
            given="",
        )
        # API Gateway writes to streams of this prefix only.
        self.stream = f"amazon-apigateway-{names.resource(system, 'access')}"
        stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_name=self.stream,
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=(
                firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(key_type="AWS_OWNED_CMK")
            ),
            extended_s3_destination_configuration=firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                bucket_arn=bucket.bucket_arn,
                role_arn=role.role_arn,
                prefix=prefix,
                error_output_prefix=f"{prefix}errors/",
                compression_format="GZIP",
                buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                    interval_in_seconds=300, size_in_m_bs=5
                ),
            ),
        )
        self.log = ApiLog(apigateway.FirehoseLogDestination(stream), apigateway.AccessLogFormat.custom(LINE))
