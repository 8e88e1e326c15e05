"""The names that two parts must agree on: resources, tags, log events, the contract's layer."""

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
EVENT_REJECTION = "andamio.rejection"
EVENT_EXPLANATION = "andamio.explanation"
EVENT_REQUEST = "andamio.request"
EVENT_ERROR = "andamio.error"
EVENT_ETL = "andamio.etl"
EVENT_TRAINING = "andamio.training"
EVENT_REGISTRY = "andamio.registry"
EVENT_BATCH = "andamio.batch"
EVENT_CAPTURE = "andamio.capture"
EVENT_MONITOR = "andamio.monitor"
EVENT_SHADOW = "andamio.shadow"
EVENT_CHALLENGER_FAILED = "andamio.challenger.failed"
EVENT_RELEASE_LOADED = "andamio.release.loaded"
EVENT_RELEASE_REFUSED = "andamio.release.refused"

CHAMPION, CHALLENGER, SHADOW = "champion", "challenger", "shadow"
"""The variants of a prediction: which model made it. What a shadow says is compared, and answers nobody."""

METRICS = "Andamio"
"""The namespace of the metrics that a system puts into CloudWatch, by the dimension `SYSTEM_DIMENSION`."""
SYSTEM_DIMENSION = "System"

BY_RECORD = "by_record"
"""The index of the predictions table by the caller's own id."""

# The contract travels to functions as a layer: this package, holding this file.
PROBLEM_PACKAGE = "andamio_problem"
PROBLEM_FILE = "problem.toml"
# So does the code that a problem may bring, in a layer of its own.
CODE_PACKAGE = "andamio_code"
PREPARE_FILE = "prepare.py"
PIPELINE_FILE = "pipeline.py"


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


FUNCTIONS = ("api", "etl", "train", "search", "registry", "score", "capture", "monitor")
"""The parts of a system that are functions."""


def resource(system: str, part: str) -> str:
    """A function, state machine, table, topic or rule of a system: `andamio-heart-api`."""
    return f"{NAMESPACE}-{system}-{part}"


def event_source(system: str) -> str:
    """The source of a system's events on EventBridge: `andamio.heart`."""
    return f"{NAMESPACE}.{system}"


def alarm(system: str, name: str) -> str:
    """An alarm of a system in CloudWatch: `andamio-heart-alarm-drift`."""
    return resource(system, f"alarm-{name}")


def log_group(function: str) -> str:
    """Where a function's log lines go."""
    return f"/aws/lambda/{function}"


TASK_CONTAINER = "step"
"""The one container of a task."""
TASK_LOG_PREFIX = "task"
"""How the log streams of tasks begin: `task/step/ID`."""


def task_log_group(cluster: str) -> str:
    """Where the log lines of a cluster's tasks go."""
    return f"/aws/ecs/{cluster}"


def training_execution(version: str) -> str:
    """The name of the execution that trains on a new data version; a name is used once."""
    return f"data-{version}"


def retraining_execution(release: str, window: str) -> str:
    """The name of the execution of ETL that the watch starts for a window (by its end, ISO 8601) of a release."""
    return f"retrain-{release}-{window.replace('-', '').replace(':', '')}"
