"""Everything that one problem runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, IStackSynthesizer, RemovalPolicy, Stack, Tags
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

import andamio
from andamio import names
from andamio.settings import (
    ApiSettings,
    CaptureSettings,
    EtlSettings,
    RegistrySettings,
    SearchSettings,
    Settings,
    TrainSettings,
)
from andamio.storage import layout
from infra.bundling import Bundle
from infra.constructs.alarms import Alarms, Measured
from infra.constructs.alerts import Alerts
from infra.constructs.api import Api, ApiLog, Throttle
from infra.constructs.api_errors import ANY_ORIGIN
from infra.constructs.arrivals import UploadRule
from infra.constructs.bucket import DataBucket
from infra.constructs.capture import Capture
from infra.constructs.code import CodeLayer
from infra.constructs.contract import ContractLayer
from infra.constructs.function import MOST_SCRATCH_MIB, SCRATCH_MIB, BundledFunction
from infra.constructs.machine import FileMachine
from infra.constructs.queue import DeadLetterQueue
from infra.constructs.rollout import Rollout
from infra.constructs.scoring import Scoring
from infra.constructs.table import PredictionsTable
from infra.constructs.watch import Watch
from infra.lock import lock_digest
from infra.options import Options
from infra.permissions import OF_FUNCTIONS, Stores, task
from infra.problem import DeployedProblem

if TYPE_CHECKING:
    from infra.constructs.tasks import Tasks

# After six hours ETL is ended: more than all of its steps may take, each with the longest wait for room to run.
LONGEST_ETL = 6 * 3600

# What the function that trains has. It is told, and gives a trial the rows that fit.
TRAIN_SECONDS, TRAIN_MEMORY_MB = 900, 3008

# A challenger is watched for ten times `[release] minutes` at most, which is a day at most.
LONGEST_TRIAL_DAYS = 10

# Where the lake keeps the API's access log.
ACCESS_LOG = "access/"


class ProblemStack(Stack):
    """Buckets and table, functions, five state machines, the API, and what connects them."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        problem: DeployedProblem,
        system: str,
        options: Options,
        bundles: Mapping[str, Bundle],
        work: Path,
        synthesizer: IStackSynthesizer | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            stack_name=names.stack(system),
            description=f"Andamio: {system}",
            synthesizer=synthesizer,
        )
        self._problem = problem
        self._system = system
        self._options = options
        self._bundles = bundles
        # Data outlive their stack on AWS, but not a first deployment that failed; an emulator's go with it.
        self._data_policy = RemovalPolicy.DESTROY if options.local else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        self._stage = options.stage or names.LOCAL_STAGE
        version = {f"{names.NAMESPACE}:version": andamio.__version__}
        for key, value in (names.tags(problem.contract.problem.name, self._stage) | version).items():
            Tags.of(self).add(key, value)

        # What has no tasks trains in functions, however large the data.
        self._compute = problem.contract.training.compute if options.tasks else "function"
        self._store()
        self._tracking()
        contract = ContractLayer(self, "Contract", system=system, toml=problem.toml, folder=work)
        # A function has the code that it runs: another pipeline.py leaves all but training as they are.
        prepare = {} if problem.prepare is None else {names.PREPARE_FILE: problem.prepare}
        own = prepare if problem.pipeline is None else {**prepare, names.PIPELINE_FILE: problem.pipeline}
        self._code: list[lambda_.ILayerVersion] = []
        if prepare:
            self._code = [CodeLayer(self, "Code", system=system, name="code", files=prepare, folder=work)]
        self._training_code = self._code
        if own != prepare:
            layer = CodeLayer(self, "TrainingCode", system=system, name="training-code", files=own, folder=work)
            self._training_code = [layer]
        self._stores = Stores(
            problem.contract.problem.name,
            self._lake,
            self._models,
            self._batch,
            self._table,
            self._tracking_uri,
            system,
            self.format_arn(service="events", resource="event-bus", resource_name="default"),
        )
        self._tasks = self._training_tasks()
        if self._tasks:
            self._stores = replace(self._stores, task_log=self._tasks.log_group)
        self._functions(contract)
        self._machines(contract)
        self._serve()
        self._ring()
        self._outputs()

    def _store(self) -> None:
        """Where data, models, batches and predictions lie."""
        keep_days = self._problem.contract.monitor.keep_days
        self._lake = DataBucket(
            self,
            "Lake",
            removal_policy=self._data_policy,
            announces=True,
            # What ETL stages can be made again from raw/; every version of raw/ is kept: data sets refer to them.
            expire={
                layout.STAGING: 30,
                ACCESS_LOG: 90,
                **dict.fromkeys((layout.CAPTURES, layout.FEEDBACK, layout.REPORTS, layout.LATEST_REPORT), keep_days),
                layout.TRIALS: max(keep_days, LONGEST_TRIAL_DAYS + 1),
            },
            # The lock and the budget of retraining are one object, which changes and never goes.
            forget={layout.DATASETS: 365, layout.CAPTURED: 365, layout.RETRAINING: 7},
        )
        self._models = DataBucket(self, "Models", removal_policy=self._data_policy, forget={layout.SERVING: 365})
        self._batch = DataBucket(
            self,
            "Batch",
            removal_policy=self._data_policy,
            announces=True,
            # The API gives forms and addresses to whatever page holds a key: those pages must be able to use them.
            origins=[ANY_ORIGIN],
            expire=dict.fromkeys(
                (layout.INCOMING, layout.SCORED, layout.REJECTED, layout.BATCHES),
                self._problem.contract.batch.keep_days,
            ),
        )
        self._table = PredictionsTable(self, "Predictions", removal_policy=self._data_policy)

    def _tracking(self) -> None:
        """The MLflow server that was given, or one of our own on AWS."""
        self._tracking_uri = self._options.tracking_uri
        if not self._tracking_uri:
            # CDK's module for SageMaker takes most of a second to import, which a local deployment can do without.
            from infra.constructs.tracking import TrackingApp

            app = TrackingApp(
                self,
                "Tracking",
                system=self._system,
                bucket=self._models,
                given_role=self._options.existing_role_arn,
                removal_policy=self._data_policy,
            )
            self._tracking_uri = app.uri

    def _functions(self, contract: ContractLayer) -> None:
        """The functions; the one that scores files comes with its machine."""
        name, lake, models = self._problem.contract.problem.name, self._lake, self._models
        self._etl = self._function(
            "etl",
            "Raw files to a data version: collect, validate, publish, report, commit",
            EtlSettings(name, lake.bucket_name),
            memory_mb=3008,
            # A raw file and the rows of all of them are there while they are worked on.
            scratch_mib=MOST_SCRATCH_MIB,
            timeout=900,
            layers=[contract, *self._code],
        )
        self._train = self._function(
            "train",
            "A data version to a candidate: plan, trial, fit, evaluate, decide",
            self._train_settings(),
            memory_mb=TRAIN_MEMORY_MB,
            timeout=TRAIN_SECONDS,
            layers=[contract, *self._training_code],
        )
        self._search = self._function(
            "search",
            "Which trials to try next, and whether to go on: ask, tell",
            SearchSettings(name, models.bucket_name),
            memory_mb=1769,
            timeout=120,
        )
        self._registry = self._function(
            "registry",
            "A candidate into MLflow, and a release to be served: register, promote, look at a trial",
            RegistrySettings(
                name, self._system, lake.bucket_name, models.bucket_name, self._tracking_uri, lock_digest()
            ),
            memory_mb=2048,
            timeout=600,
            layers=[contract, *self._code],
        )
        self._capture = self._function(
            "capture",
            "What the API logs of predictions, to the lake and to the predictions table",
            CaptureSettings(name, lake.bucket_name, self._table.table_name),
            memory_mb=512,
            timeout=120,
            layers=[contract],
            dead_letters=DeadLetterQueue(
                self, "CaptureDeadLetters", name=names.resource(self._system, "capture-dead-letters")
            ),
        )
        self._api_function = self._function(
            "api",
            "Predictions over HTTP",
            ApiSettings(
                name,
                lake.bucket_name,
                models.bucket_name,
                self._batch.bucket_name,
                self._table.table_name,
                self._options.refresh_seconds,
                self._problem.contract.monitor.capture_share,
                self._problem.contract.monitor.audit_share,
                self._problem.contract.private,
            ),
            memory_mb=1769,  # one whole vCPU
            timeout=29,  # API Gateway waits no longer
            layers=self._code,
            snapstart=self._options.snapstart,
        )

    def _training_tasks(self) -> Tasks | None:
        if self._compute == "function":
            return None
        # CDK's modules for networks and ECS take long to import, which a stack without tasks can do without.
        from infra.constructs.tasks import Tasks

        return Tasks(
            self,
            "Tasks",
            system=self._system,
            bundle=self._bundles["train"],
            settings=self._train_settings(),
            permissions=task(self._stores),
            pipeline=self._problem.pipeline,
        )

    def _train_settings(self) -> TrainSettings:
        return TrainSettings(
            self._problem.contract.problem.name,
            self._lake.bucket_name,
            self._models.bucket_name,
            self._compute,
            TRAIN_SECONDS,
            TRAIN_MEMORY_MB,
        )

    def _function(
        self,
        part: str,
        description: str,
        settings: Settings,
        *,
        memory_mb: int,
        timeout: int,
        layers: Sequence[lambda_.ILayerVersion] = (),
        scratch_mib: int = SCRATCH_MIB,
        snapstart: bool = False,
        dead_letters: DeadLetterQueue | None = None,
    ) -> BundledFunction:
        return BundledFunction(
            self,
            f"{part.capitalize()}Function",
            part=part,
            system=self._system,
            bundle=self._bundles[part],
            environment=settings.as_env(),
            permissions=OF_FUNCTIONS[part](self._stores),
            description=description,
            memory_mb=memory_mb,
            timeout=timeout,
            given_role=self._options.existing_role_arn,
            scratch_mib=scratch_mib,
            layers=layers,
            snapstart=snapstart,
            dead_letters=dead_letters,
        )

    def _machines(self, contract: ContractLayer) -> None:
        system, given_role = self._system, self._options.existing_role_arn
        self._rollout = Rollout(
            self,
            "Rollout",
            system=system,
            registry=self._registry,
            given_role=given_role,
            rings=not self._options.local,
        )
        self._train_machine = FileMachine(
            self,
            "TrainMachine",
            part="train",
            system=system,
            functions={
                "TrainFunction": self._train,
                "SearchFunction": self._search,
                "RegistryFunction": self._registry,
            },
            starts={"RolloutMachine": self._rollout.machine},
            numbers={
                "Parallel": self._problem.contract.training.parallel,
                "ApprovalSeconds": 3600 * self._problem.contract.release.approve_hours,
            },
            given_role=given_role,
            tasks=self._tasks,
        )
        self._etl_machine = FileMachine(
            self,
            "EtlMachine",
            part="etl",
            system=system,
            functions={"EtlFunction": self._etl},
            starts={"TrainMachine": self._train_machine},
            numbers={
                "QuietSeconds": self._options.quiet_seconds,
                "LongestSeconds": self._options.quiet_seconds + LONGEST_ETL,
            },
            given_role=given_role,
        )
        UploadRule(
            self,
            "RawFiles",
            system=system,
            part="etl",
            bucket=self._lake,
            prefix=layout.RAW,
            machine=self._etl_machine,
            given_role=given_role,
        )
        self._scoring = Scoring(
            self,
            "Scoring",
            system=system,
            options=self._options,
            bundle=self._bundles["score"],
            stores=self._stores,
            capture_share=self._problem.contract.monitor.capture_share,
            private=self._problem.contract.private,
            layers=self._code,
        )
        self._watch = Watch(
            self,
            "Watch",
            system=system,
            options=self._options,
            bundle=self._bundles["monitor"],
            stores=self._stores,
            # What was captured is trained on beside rows of the deployed prepare.py alone.
            layers=[contract, *self._code],
            etl=self._etl_machine,
        )
        machines = [self._etl_machine, self._train_machine, self._scoring.machine, self._watch.machine]
        machines.append(self._rollout.machine)
        self._alerts = Alerts(
            self,
            "Alerts",
            system=system,
            machines=machines,
            email=self._options.alert_email,
            webhook=self._options.alert_webhook,
        )

    def _serve(self) -> None:
        handler: lambda_.IFunction = self._api_function
        if self._options.snapstart:
            handler = lambda_.Alias(self, "ApiAlias", alias_name="live", version=self._api_function.current_version)
        log: ApiLog | None = None
        self._access_stream = ""
        # An emulator keeps no access log, and a given role need not trust Firehose.
        if not self._options.local and not self._options.existing_role_arn:
            from infra.constructs.access_log import AccessLog

            access = AccessLog(self, "AccessLog", system=self._system, bucket=self._lake, prefix=ACCESS_LOG)
            log, self._access_stream = access.log, access.stream
        Capture(self, "Capture", system=self._system, source=self._api_function, function=self._capture)
        throttle = Throttle(self._options.rate, self._options.burst)
        self._api = Api(self, "Api", system=self._system, handler=handler, log=log, throttle=throttle)

    def _ring(self) -> None:
        """The alarms, and on AWS the dashboard; last, for they are on whatever there is."""
        system, topic = self._system, self._alerts.topic
        if self._options.local:
            # What AWS measures itself is not measured there: an alarm on it would always say that all is well.
            Alarms(self, "Alarms", system=system, topic=topic, measured=None)
            return
        from infra.constructs.dashboard import Dashboard

        made = self.node.find_all()
        measured = Measured(
            api=names.resource(system, "api"),
            functions={one.part: one.named for one in made if isinstance(one, BundledFunction)},
            queues=[one.named for one in made if isinstance(one, DeadLetterQueue)],
            stream=self._access_stream,
            api_log=self._api_function.log_group,
            max_latency_ms=self._problem.contract.gate.max_latency_ms,
        )
        machines = {one.part: one.state_machine_arn for one in made if isinstance(one, FileMachine)}
        alarms = Alarms(self, "Alarms", system=system, topic=topic, measured=measured)
        Dashboard(self, "Dashboard", system=system, alarms=alarms, measured=measured, machines=machines)

    def _outputs(self) -> None:
        outputs = {
            "Problem": self._problem.contract.problem.name,
            "Stage": self._stage,
            "ApiUrl": self._api.url,
            "ApiKeyId": self._api.key.key_id,
            "LakeBucket": self._lake.bucket_name,
            "ModelsBucket": self._models.bucket_name,
            "BatchBucket": self._batch.bucket_name,
            "EtlMachine": self._etl_machine.state_machine_arn,
            "TrainMachine": self._train_machine.state_machine_arn,
            "BatchMachine": self._scoring.machine.state_machine_arn,
            "RolloutMachine": self._rollout.machine.state_machine_arn,
            "MonitorMachine": self._watch.machine.state_machine_arn,
            "BatchTopic": self._scoring.topic.topic_arn,
            "PredictionsTable": self._table.table_name,
            "AlertsTopic": self._alerts.topic.topic_arn,
            "MlflowUri": self._tracking_uri,
        }
        for key, value in outputs.items():
            # Ids of outputs share a namespace with constructs.
            CfnOutput(self, f"{key}Output", value=value).override_logical_id(key)
