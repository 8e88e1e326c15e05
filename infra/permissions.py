"""What each function may do, function by function: the one place to change when a call is refused.

`docs/permissions.md` is made from the template and from the calls that the tests record: what is allowed here and
never called, without a `why`, fails a test, and so does what is called and not allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk.aws_logs import ILogGroup

from andamio import names
from andamio.storage import layout
from infra.constructs.bucket import DataBucket
from infra.constructs.role import Permission, listing, objects
from infra.constructs.table import PredictionsTable
from infra.constructs.tracker import may_track

if TYPE_CHECKING:
    from andamio.storage.events import EventType

READ = ("s3:GetObject",)
READ_WRITE = ("s3:GetObject", "s3:PutObject")
MAY_MEASURE = Permission(
    ("cloudwatch:PutMetricData",),
    ("*",),
    (
        (
            "IAM5[Resource::*]",
            "CloudWatch's metrics have no ARN: AWS asks for '*', and for a condition on the namespace.",
        ),
    ),
    # AWS always says the namespace of a call; an emulator does not.
    {"StringEqualsIfExists": {"cloudwatch:namespace": names.METRICS}},
)
"""Put metrics into our own namespace of CloudWatch."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What a problem's data lie in, the MLflow server or app that training is recorded by, and the bus of its events.

    `bus` is the ARN of the account's default bus, on which `system` is told apart by its source.
    `task_log` is where the tasks of training write their log, where there are tasks.
    """

    problem: str
    lake: DataBucket
    models: DataBucket
    batch: DataBucket
    table: PredictionsTable
    tracking_uri: str
    system: str
    bus: str
    task_log: ILogGroup | None = None


def may_tell(to: Stores, *types: EventType) -> Permission:
    """Send events of these types, as this system, to the account's default bus."""
    return Permission(
        ("events:PutEvents",),
        (to.bus,),
        # Of a set, because one call may send several events. AWS always says what a call sends; an emulator does not.
        conditions={
            "ForAllValues:StringEquals": {
                "events:source": names.event_source(to.system),
                "events:detail-type": list(types),
            }
        },
    )


def etl(to: Stores) -> list[Permission]:
    """Reads raw files and captured records by version, writes data versions and rejected rows."""
    return [
        listing(to.lake, versions=True),
        objects(to.lake, ["s3:GetObjectVersion"], layout.RAW, layout.CAPTURED),
        objects(to.lake, READ_WRITE, layout.STAGING, layout.DATASETS),
        objects(to.lake, ["s3:PutObject"], layout.QUARANTINE),
    ]


def train(to: Stores) -> list[Permission]:
    """Reads data versions and releases, writes runs; reads the log of a task that failed."""
    task_log = [Permission(("logs:GetLogEvents",), (to.task_log.log_group_arn,))] if to.task_log else []
    return [
        *task_log,
        listing(to.lake),
        # "decide" counts who was judged against the same champion before: keys are listed with their versions.
        listing(to.models, versions=True),
        objects(to.lake, READ, layout.DATASETS),
        objects(to.models, READ_WRITE, layout.RUNS),
        objects(to.models, READ, layout.RELEASES, layout.pointer(to.problem)),
    ]


def task(to: Stores) -> list[Permission]:
    """Reads data versions, reads and writes runs: the steps of training that a task does."""
    return [
        listing(to.models),
        objects(to.lake, READ, layout.DATASETS),
        objects(to.models, READ_WRITE, layout.RUNS),
    ]


def search(to: Stores) -> list[Permission]:
    """Reads and writes runs."""
    return [listing(to.models), objects(to.models, READ_WRITE, layout.RUNS)]


def registry(to: Stores) -> list[Permission]:
    """Reads runs, seals releases, swaps the pointer and records it, judges a challenger, logs to MLflow."""
    return [
        # What was logged of a challenger is listed with its versions.
        listing(to.lake, versions=True),
        listing(to.models),
        objects(to.lake, READ, layout.DATASETS, layout.TRIALS, layout.FEEDBACK),
        objects(to.lake, ["s3:PutObject"], layout.added_of_challenger("*")),
        objects(to.models, READ_WRITE, layout.RUNS, layout.pointer(to.problem), layout.APPROVALS, layout.RELEASES),
        objects(to.models, ["s3:PutObject"], layout.DECISIONS),
        objects(to.models, [*READ_WRITE, "s3:AbortMultipartUpload"], layout.MLFLOW),
        *may_track(to.tracking_uri),
        may_tell(to, "Model promoted", "Model rejected", "Approval needed", "Model challenged", "Model withdrawn"),
    ]


def score(to: Stores) -> list[Permission]:
    """Reads a batch's file, writes what became of its rows."""
    return [
        listing(to.models),
        objects(to.models, READ, layout.RELEASES, layout.pointer(to.problem)),
        listing(to.batch, versions=True),
        # By version: the one that was planned is the one that is read, whatever lands later.
        objects(to.batch, ["s3:GetObject", "s3:GetObjectVersion"], layout.INCOMING, layout.BATCHES, layout.SCORED),
        objects(to.batch, ["s3:GetObject"], layout.REJECTED),
        objects(to.batch, ["s3:PutObject", "s3:AbortMultipartUpload"], layout.BATCHES, layout.SCORED, layout.REJECTED),
        objects(to.lake, ["s3:PutObject"], layout.CAPTURES),
        Permission(("dynamodb:BatchWriteItem",), (to.table.table_arn,)),
    ]


def capture(to: Stores) -> list[Permission]:
    """Writes what the API logged of predictions, to the lake and to the table."""
    return [
        objects(to.lake, ["s3:PutObject"], layout.CAPTURES, layout.TRIALS),
        Permission(("dynamodb:BatchWriteItem",), (to.table.table_arn,)),
    ]


def api(to: Stores) -> list[Permission]:
    """Reads the release that serves, batches and reports of the watch; writes labels, and nothing else into the lake.

    A presigned address may do what the function that signs it may do.
    """
    return [
        listing(to.lake),
        objects(to.lake, ["s3:PutObject"], f"{layout.FEEDBACK_REQUESTS}*"),
        objects(to.lake, READ, layout.MONITORING),
        listing(to.models),
        objects(to.models, READ, layout.RELEASES, layout.pointer(to.problem)),
        listing(to.batch, versions=True),
        objects(to.batch, ["s3:PutObject"], layout.INCOMING, layout.batch("*", "request.json")),
        objects(to.batch, READ, layout.SCORED, layout.REJECTED, layout.BATCHES),
        Permission(("dynamodb:GetItem",), (to.table.table_arn,)),
        Permission(("dynamodb:Query",), (to.table.by_record_arn,)),
    ]


def monitor(to: Stores) -> list[Permission]:
    """Reads captures, labels and the champion's release; writes reports, puts what was measured, tells what was found.

    For a retraining it reads the current data version and writes the records that were captured and labelled.

    A label whose prediction is not in the window is looked up in the predictions table, or its batch in the bucket.
    """
    return [
        objects(to.lake, READ, layout.FEEDBACK),
        objects(to.lake, ["s3:PutObject"], layout.FEEDBACK_HOURS),
        listing(to.batch),
        objects(to.batch, READ, layout.batch("*", "plan.json")),
        Permission(("dynamodb:GetItem",), (to.table.table_arn,)),
        Permission(("dynamodb:Query",), (to.table.by_record_arn,)),
        listing(to.lake, versions=True),
        listing(to.models),
        # By version: what was written is looked at, whatever follows it.
        objects(to.lake, [*READ_WRITE, "s3:GetObjectVersion"], layout.CAPTURES),
        objects(to.lake, READ_WRITE, layout.MONITORING, layout.CAPTURED),
        objects(to.lake, READ, layout.DATASETS),
        objects(to.models, READ, layout.RELEASES, layout.pointer(to.problem)),
        MAY_MEASURE,
        may_tell(to, "Drift seen", "Performance worse", "Retraining started"),
    ]


OF_FUNCTIONS: dict[str, Callable[[Stores], list[Permission]]] = {
    "etl": etl,
    "train": train,
    "search": search,
    "registry": registry,
    "score": score,
    "capture": capture,
    "api": api,
    "monitor": monitor,
}
"""By the name of the function's folder in lambdas/."""
