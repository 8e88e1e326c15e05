"""SageMaker's serverless MLflow."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from andamio import names
from andamio.storage import layout
from infra.constructs import trust
from infra.constructs.bucket import DataBucket
from infra.constructs.role import Permission, create_role, objects


class TrackingApp(Construct):
    """An MLflow app whose artifacts lie under `mlflow/` of the models bucket. Its ARN is the tracking URI."""

    uri: str

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        bucket: DataBucket,
        given_role: str,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        role = create_role(
            self,
            "Role",
            trust.TRACKING,
            [
                objects(
                    bucket,
                    ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                    layout.MLFLOW,
                ),
                Permission(("s3:GetBucketLocation", "s3:ListBucket"), (bucket.bucket_arn,)),
            ],
            given_role,
        )
        app = sagemaker.CfnMlflowApp(
            self,
            "App",
            name=names.resource(system, "mlflow"),
            role_arn=role.role_arn,
            artifact_store_uri=f"s3://{bucket.bucket_name}/{layout.MLFLOW.rstrip('/')}",
            model_registration_mode="AutoModelRegistrationDisabled",
        )
        app.apply_removal_policy(removal_policy)
        self.uri = app.attr_arn
