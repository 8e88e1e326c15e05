"""Every name that two parts must agree on: keys, prefixes, resources, events. Said once, here.

Two buckets matter to the spine. The *lake* holds data (`raw/`, `staging/`, `quarantine/`,
`datasets/`); the *models* bucket holds what training makes (`runs/`, `releases/`, `serving/`,
`mlflow/`). The *batch* bucket holds `incoming/`, `scored/`, `rejected/` and `batches/`.
"""

from __future__ import annotations

NAMESPACE = "andamio"
API_STAGE = "v1"
"""The stage of the REST API: the first part of every path behind its host."""
DEFAULT_STAGE = "dev"
"""The stage of a deployment that names none; its resources carry no stage in their names."""
LOCAL_STAGE = "local"
"""The stage that outputs and tags of a local deployment show which names none: neither may be empty."""
LONGEST_SYSTEM = 31
"""Characters of a system's name: what a Firehose stream of API Gateway leaves of its 64."""

# Log lines are JSON objects whose "event" is one of these.
EVENT_PREDICTION = "andamio.prediction"
EVENT_EXPLANATION = "andamio.explanation"
EVENT_REQUEST = "andamio.request"
EVENT_ERROR = "andamio.error"
EVENT_ETL = "andamio.etl"
EVENT_TRAINING = "andamio.training"
EVENT_REGISTRY = "andamio.registry"
EVENT_BATCH = "andamio.batch"
EVENT_RELEASE_LOADED = "andamio.release.loaded"
EVENT_RELEASE_REFUSED = "andamio.release.refused"

# Prefixes of the lake.
RAW = "raw/"
STAGING = "staging/"
QUARANTINE = "quarantine/"
DATASETS = "datasets/"
# Prefixes of the models bucket.
RUNS = "runs/"
RELEASES = "releases/"
SERVING = "serving/"
MLFLOW = "mlflow/"
# Prefixes of the batch bucket.
INCOMING = "incoming/"
SCORED = "scored/"
REJECTED = "rejected/"
BATCHES = "batches/"
"""What the batch machine keeps about each file: plan, shards, results, what predictions are looked up in."""

BY_RECORD = "by_record"
"""The index of the predictions table by the caller's own id."""

CURRENT_DATASET = DATASETS + "current.json"
SPLIT = DATASETS + "split.json"

# The contract travels to functions as a layer: this package, holding this file.
PROBLEM_PACKAGE = "andamio_problem"
PROBLEM_FILE = "problem.toml"

# The tensors of every exported model.
NUMBERS = "numbers"
CATEGORIES = "categories"
PROBABILITIES = "probabilities"


def system(problem: str, stage: str = "") -> str:
    """A problem as it is deployed: `heart`, or `heart--prod` where a stage is named.

    Two hyphens, which no problem's name may hold: the stage `b` of problem `a` is never the problem `a-b`.
    """
    return problem if stage in ("", DEFAULT_STAGE) else f"{problem}--{stage}"


def tags(problem: str, stage: str = "") -> dict[str, str]:
    """The tags by which everything of one deployment is found; no stage is the local cloud's."""
    return {f"{NAMESPACE}:problem": problem, f"{NAMESPACE}:stage": stage or LOCAL_STAGE}


def stack(system: str) -> str:
    """The CloudFormation stack of a system."""
    return f"{NAMESPACE}-{system}"


def resource(system: str, part: str) -> str:
    """A function, state machine, table, topic or rule of a system: `andamio-heart-api`."""
    return f"{NAMESPACE}-{system}-{part}"


def log_group(function: str) -> str:
    """Where a function's log lines go."""
    return f"/aws/lambda/{function}"


def pointer(problem: str) -> str:
    """The object that says which release is served."""
    return f"{SERVING}{problem}.json"


def release(version: str, file: str = "") -> str:
    """A release's folder, or one file of it."""
    return f"{RELEASES}{version}/{file}"


def dataset(version: str, file: str = "") -> str:
    """A data version's folder, or one file of it."""
    return f"{DATASETS}{version}/{file}"


def staging(digest: str, file: str = "") -> str:
    """Validated rows on their way to a data version, under the digest of what they came from."""
    return f"{STAGING}{digest}/{file}"


def quarantine(digest: str, file: str = "") -> str:
    """Rows that break the contract, under the digest of what they came from."""
    return f"{QUARANTINE}{digest}/{file}"


def run(run_id: str, file: str = "") -> str:
    """A training run's folder, or one file of it."""
    return f"{RUNS}{run_id}/{file}"


def judged(decision: str, version: str, run_id: str = "") -> str:
    """The notes of who was judged at one state of the pointer on one data version, or that of one run."""
    return f"{RUNS}judged/{decision}/{version}/{run_id}"


def trial(run_id: str, trial_id: str) -> str:
    """The result of one trial of a training run."""
    return f"{RUNS}{run_id}/trials/{trial_id}.json"


def training_execution(version: str) -> str:
    """The name of the execution that trains on a new data version: the same data train once."""
    return f"data-{version}"


def batch(batch_id: str, file: str = "") -> str:
    """A batch's own folder, or one file of it."""
    return f"{BATCHES}{batch_id}/{file}"


def incoming(batch_id: str, file: str) -> str:
    """Where the file of a batch that was asked for is dropped."""
    return f"{INCOMING}{batch_id}/{file}"


def survey(batch_id: str, chunk: int) -> str:
    """What one chunk of a file was found to hold."""
    return batch(batch_id, f"survey/{chunk:05d}.json")


def shard_result(batch_id: str, shard: int) -> str:
    """What became of one shard."""
    return batch(batch_id, f"shards/{shard:05d}.json")


def shard_failure(batch_id: str, shard: int) -> str:
    """Why one shard was given up."""
    return batch(batch_id, f"failures/{shard:05d}.json")


def lookup(batch_id: str, shard: int) -> str:
    """What the predictions of one shard are looked up in: see `andamio.lookup`."""
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
    """What a finished batch was made of and came to; it is written last."""
    return f"{SCORED}{batch_id}.manifest.json"
