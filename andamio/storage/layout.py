"""The layout of the three buckets: all prefixes and keys.

The *lake* holds data (`raw/`, `captured/`, `staging/`, `quarantine/`, `datasets/`) and what the watch keeps
(`captures/`, `feedback/`, `monitoring/`, `trials/`); the *models* bucket holds what training makes (`runs/`,
`releases/`, `mlflow/`) and what becomes of it (`serving/`, `decisions/`, `approvals/`); the *batch* bucket holds files
to score and their results (`incoming/`, `scored/`, `rejected/`, `batches/`).
"""

from __future__ import annotations

from datetime import UTC, datetime

# Prefixes of the lake.
RAW = "raw/"
CAPTURED = "captured/"
"""Records that were predicted and then labelled: the watch writes them for a retraining."""
STAGING = "staging/"
QUARANTINE = "quarantine/"
DATASETS = "datasets/"
CAPTURES = "captures/"
FEEDBACK = "feedback/"
FEEDBACK_REQUESTS = FEEDBACK + "dt="
"""What the API writes: an object for each request."""
FEEDBACK_HOURS = FEEDBACK + "hours/"
"""Copies that the watch makes, a file for each hour."""
MONITORING = "monitoring/"
REPORTS = MONITORING + "dt="
"""The windows of the watch, which expire; what the watch has to remember does not lie there."""
TRIALS = "trials/"
# Prefixes of the models bucket.
RUNS = "runs/"
RELEASES = "releases/"
SERVING = "serving/"
MLFLOW = "mlflow/"
DECISIONS = "decisions/"
APPROVALS = "approvals/"
# Prefixes of the batch bucket.
INCOMING = "incoming/"
SCORED = "scored/"
REJECTED = "rejected/"
BATCHES = "batches/"
"""What the batch machine keeps about each file: plan, shards, results, what predictions are looked up in."""

LATEST_REPORT = MONITORING + "latest.json"
RETRAINING = MONITORING + "retraining.json"
"""The trainings that the watch started: lock, cool-down and weekly budget. It never expires."""
CAPTURED_RECORDS = CAPTURED + "records.parquet"
CURRENT_DATASET = DATASETS + "current.json"
SPLIT = DATASETS + "split.json"


def pointer(problem: str) -> str:
    """The pointer object of a problem."""
    return f"{SERVING}{problem}.json"


def history(record: str) -> str:
    """One record of the history: a promotion, a rejection, a rollback."""
    return f"{DECISIONS}{record}.json"


def approval(release: str) -> str:
    """What waits, or waited, for a person before a release serves."""
    return f"{APPROVALS}{release}.json"


def release(version: str, file: str = "") -> str:
    """A release's folder, or one file of it."""
    return f"{RELEASES}{version}/{file}"


def dataset(version: str, file: str = "") -> str:
    """A data version's folder, or one file of it."""
    return f"{DATASETS}{version}/{file}"


def dataset_rows(version: str, side: str) -> str:
    """The rows of one side of a data version, "train" or "holdout"."""
    return dataset(version, f"{side}.npz")


def trial_of_challenger(rollout: str, part: str = "") -> str:
    """What is known of a challenger's trial, or one part of it."""
    return f"{TRIALS}{rollout}/{part}"


def added_of_challenger(rollout: str) -> str:
    """What looks at a challenger's trial have added up of its parts."""
    return f"{TRIALS}{rollout}/added.json.gz"


def staging(digest: str, file: str = "") -> str:
    """Validated rows before publication, under the digest of their sources."""
    return f"{STAGING}{digest}/{file}"


def quarantine(digest: str, file: str = "") -> str:
    """Rejected rows, under the digest of their sources."""
    return f"{QUARANTINE}{digest}/{file}"


def run(run_id: str, file: str = "") -> str:
    """A training run's folder, or one file of it."""
    return f"{RUNS}{run_id}/{file}"


def gate_attempts(decision: str, version: str, run_id: str = "") -> str:
    """The runs that the gate compared at one state of the pointer on one data version, or one of them."""
    return f"{RUNS}compared/{decision}/{version}/{run_id}"


def trial(run_id: str, trial_id: str) -> str:
    """The result of one trial of a training run."""
    return f"{RUNS}{run_id}/trials/{trial_id}.json"


def batch(batch_id: str, file: str = "") -> str:
    """A batch's own folder, or one file of it."""
    return f"{BATCHES}{batch_id}/{file}"


def incoming(batch_id: str, file: str) -> str:
    """The key for the uploaded file of a requested batch."""
    return f"{INCOMING}{batch_id}/{file}"


def survey(batch_id: str, chunk: int) -> str:
    """The survey of one chunk of a file."""
    return batch(batch_id, f"survey/{chunk:05d}.json")


def shard_result(batch_id: str, shard: int) -> str:
    """The result of one shard."""
    return batch(batch_id, f"shards/{shard:05d}.json")


def shard_failure(batch_id: str, shard: int) -> str:
    """Why one shard was given up."""
    return batch(batch_id, f"failures/{shard:05d}.json")


def lookup(batch_id: str, shard: int) -> str:
    """The lookup file of one shard: see `scoring.lookup`."""
    return batch(batch_id, f"lookup/{shard:05d}.bin")


def scored_part(batch_id: str, shard: int, ending: str) -> str:
    """The scored rows of one shard; `ending` is "csv", "jsonl" or "parquet"."""
    return f"{SCORED}{batch_id}/part-{shard:05d}.{ending}"


def scored_whole(batch_id: str, ending: str) -> str:
    """All scored rows in one file, where they are few enough."""
    return f"{SCORED}{batch_id}.{ending}"


def rejected_part(batch_id: str, shard: int) -> str:
    """The rows of one shard that could not be scored, with line and reason."""
    return f"{REJECTED}{batch_id}/part-{shard:05d}.jsonl"


def batch_manifest(batch_id: str) -> str:
    """The manifest of a finished batch; it is written last."""
    return f"{SCORED}{batch_id}.manifest.json"


def hour_of(moment: datetime) -> str:
    """The part of a key that is the hour of a moment, in UTC: `dt=2026-11-27/hour=18/`."""
    return moment.astimezone(UTC).strftime("dt=%Y-%m-%d/hour=%H/")


def captures(hour: datetime, file: str = "") -> str:
    """The folder of the predictions of an hour, or one file of it."""
    return f"{CAPTURES}{hour_of(hour)}{file}"


def captured_hour(hour: datetime) -> str:
    """What is known of an hour of the API's predictions; by its name before the deliveries that it is made of."""
    return captures(hour, "hour.json")


def captured_rows(hour: datetime, version: str) -> str:
    """The predictions of an hour that one release made."""
    return captures(hour, f"predictions-{version}.parquet")


def captured_shard(hour: datetime, batch_id: str, shard: int, ending: str) -> str:
    """The predictions of a batch's shard, "parquet", or what is known of them, "json"; by the batch's hour."""
    return captures(hour, f"batch-{batch_id}-{shard:05d}.{ending}")


def feedback(hour: datetime, file: str = "") -> str:
    """The folder of the labels that came in an hour, or one file of it."""
    return f"{FEEDBACK}{hour_of(hour)}{file}"


def feedback_hour(hour: datetime) -> str:
    """The labels that came in an hour, in one file."""
    return f"{FEEDBACK_HOURS}{hour_of(hour).removesuffix('/')}.jsonl.gz"


def monitoring(end: datetime, file: str = "") -> str:
    """The folder of what was found in the window that ends at a moment, or one file of it."""
    return f"{REPORTS}{end.astimezone(UTC).strftime('%Y-%m-%d/%H%M%S/')}{file}"
