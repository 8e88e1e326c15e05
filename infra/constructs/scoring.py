"""Batch scoring: the function, the state machine, its trigger and its topic."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from andamio import names
from andamio.settings import ScoreSettings
from andamio.storage import layout
from infra.bundling import Bundle
from infra.constructs.arrivals import UploadRule
from infra.constructs.function import BundledFunction
from infra.constructs.machine import FileMachine
from infra.constructs.role import Permission, objects
from infra.options import Options
from infra.permissions import OF_FUNCTIONS, Stores


class Scoring(Construct):
    """Files under `incoming/` of the batch bucket -> state machine -> score function; `topic`: finished batches."""

    machine: FileMachine
    topic: sns.Topic

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        options: Options,
        bundle: Bundle,
        stores: Stores,
        capture_share: float,
        private: tuple[str, ...],
        layers: Sequence[lambda_.ILayerVersion],
    ) -> None:
        super().__init__(scope, id)
        batch = stores.batch
        function = BundledFunction(
            self,
            "Function",
            part="score",
            system=system,
            bundle=bundle,
            environment=ScoreSettings(
                stores.problem,
                stores.lake.bucket_name,
                stores.models.bucket_name,
                batch.bucket_name,
                stores.table.table_name,
                options.shard_bytes,
                capture_share,
                private,
            ).as_env(),
            permissions=OF_FUNCTIONS["score"](stores),
            description="A file of records to their predictions: plan, cut, score, verify, publish",
            memory_mb=3008,
            # Rows are written there before they are put, each with a hundred bytes more than it came with: a shard of
            # numbers of one digit becomes fifty times as large.
            scratch_mib=8192,
            timeout=900,
            given_role=options.existing_role_arn,
            layers=layers,
        )
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=names.resource(system, "batches"),
            # AWS's own key for SNS: free, and a role of this account may publish under it. (Alerts need a key of
            # ours because there a service publishes, which AWS's own key does not allow.)
            master_key=kms.Alias.from_alias_name(self, "Key", "alias/aws/sns"),
            enforce_ssl=True,
        )
        self.machine = FileMachine(
            self,
            "Machine",
            part="batch",
            system=system,
            functions={"ScoreFunction": function},
            starts={},
            numbers={"Workers": options.workers},
            texts={"BatchBucket": batch.bucket_name, "BatchTopic": self.topic.topic_arn},
            also=[
                objects(batch, ["s3:GetObject"], f"{layout.BATCHES}*/todo/*"),
                Permission(("sns:Publish",), (self.topic.topic_arn,)),
            ],
            given_role=options.existing_role_arn,
        )
        UploadRule(
            self,
            "Arrivals",
            system=system,
            part="batch",
            bucket=batch,
            prefix=layout.INCOMING,
            machine=self.machine,
            given_role=options.existing_role_arn,
        )
