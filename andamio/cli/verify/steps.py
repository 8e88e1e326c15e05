"""The steps of a verification: each uses the system in one way, as a person does, and raises when it does not work."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from andamio import names
from andamio.cli.batches.batch import Batches, Result, ResultOptions, find_predictions
from andamio.cli.batches.report import first_rows
from andamio.cli.cloud import deployment, local
from andamio.cli.cloud.target import Target
from andamio.cli.console import note
from andamio.cli.home import REPO, home
from andamio.cli.home import account as account_of
from andamio.cli.models import api, pipeline, serving
from andamio.cli.models.sample import first_record, sample_files, unlabelled
from andamio.cli.models.terms import terms_of
from andamio.contract import Contract
from andamio.errors import NoModel, ServiceError, ToolError
from andamio.release.pointer import read_pointer

STAGE = "verify"
SUITE = REPO / "tests" / "conformance" / "__main__.py"
SUITE_PREFIX = "andamio-conf-"
"""How the names of all that the conformance suite creates begin."""
_TOLERANCE = 1e-3
_TAIL = 30


@dataclass
class Verification:
    """A system in the stage `verify`, and what steps find out about it."""

    folder: Path
    contract: Contract
    where: Target
    context: list[str]
    deployed: dict[str, Any] = field(default_factory=dict)
    scored: Result | None = None

    @property
    def system(self) -> str:
        """The name of the system."""
        return names.system(self.contract.problem.name, STAGE)

    def record(self) -> dict[str, Any]:
        """A record of the problem's sample data."""
        return first_record(sample_files(self.folder, self.contract)[0], self.contract)


@dataclass(frozen=True, slots=True)
class Step:
    """A step; `do` returns a line about what it found, and `needs` names the steps without which it cannot work."""

    name: str
    do: Callable[[Verification], str]
    needs: tuple[str, ...] = ()


def deploy(it: Verification) -> str:
    """Deploy the stack."""
    it.deployed = deployment.deploy(it.folder, aws=not it.where.local, context=it.context, stage=STAGE, yes=True)
    if it.where.local:
        local.run("wait", "mlflow")
    return ""


def ingest(it: Verification) -> str:
    """Upload the sample data; ETL and training follow."""
    pipeline.ingest(it.deployed, sample_files(it.folder, it.contract), wait=True)
    models = account_of(it.deployed).objects(it.deployed["buckets"]["models"])
    champion = read_pointer(models, it.deployed["problem"])[0].champion
    if champion is None:
        raise NoModel("ETL and training have ended, but the gate did not promote the first model.")
    serving.await_release(it.deployed, champion.release)
    return ""


def train(it: Verification) -> str:
    """Train once more, with one trial."""
    pipeline.train(it.deployed, {"trials": 1}, wait=True)
    return ""


def predict(it: Verification) -> str:
    """Predict one record through API Gateway."""
    fault = _FAULTS[it.contract.task.name](api.call(it.deployed, "POST", "/predict", {"features": it.record()}))
    if fault:
        raise ServiceError(fault)
    return ""


def _class_fault(reply: dict[str, Any]) -> str:
    total = sum(reply["probabilities"].values())
    return f"Expected probabilities that sum to 1. Got {total}." if abs(total - 1) > _TOLERANCE else ""


def _value_fault(reply: dict[str, Any]) -> str:
    low, high = reply["interval"]["low"], reply["interval"]["high"]
    value = reply["value"]
    return "" if low <= value <= high else f"Expected a number in its interval, {low} to {high}. Got {value}."


_FAULTS: dict[str, Callable[[dict[str, Any]], str]] = {"classification": _class_fault, "regression": _value_fault}


def explain(it: Verification) -> str:
    """Explain the prediction; the contributions must sum to it."""
    reply = api.call(it.deployed, "POST", "/explain", {"features": it.record()})
    total = sum(item["contribution"] for item in reply["contributions"])
    answer = terms_of(reply).total
    if abs(total - (answer - reply["average"])) > _TOLERANCE * max(1.0, abs(answer)):
        raise ServiceError(f"Expected contributions that sum to {answer - reply['average']:.6f}. Got {total:.6f}.")
    return ""


def batch(it: Verification) -> str:
    """Score the sample data as a file."""
    sample = sample_files(it.folder, it.contract)[0]
    file = unlabelled(sample, it.contract, home() / "verify" / it.system / "sample.csv")
    it.scored = Batches(it.deployed).score(file, ResultOptions())
    if it.scored is None or not it.scored.manifest.scored:
        raise ServiceError(f"Expected scored rows of {file.name}. Got none.")
    return ""


def lookup(it: Verification) -> str:
    """Look up a prediction of the batch in the table."""
    assert it.scored is not None, "lookup needs batch"
    (first,) = first_rows(it.scored, 1)
    wanted = first[it.scored.plan.names_out["prediction_id"]]
    (found,) = find_predictions(it.deployed, wanted, None)
    if found["prediction_id"] != wanted:
        raise ServiceError(f"Expected prediction {wanted}. Got {found['prediction_id']}.")
    return ""


def conformance(it: Verification) -> str:
    """Run the conformance suite on the account."""
    log = home() / "logs" / "conformance.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    region = {"AWS_REGION": it.where.region, "AWS_DEFAULT_REGION": it.where.region}
    with log.open("w") as output:
        # In a session of its own: Ctrl-C and a closed terminal reach it once, by this process.
        suite = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance", "aws"],
            cwd=REPO,
            env={**it.where.environment, **region},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = suite.wait()
        except KeyboardInterrupt:
            suite.send_signal(signal.SIGINT)
            note("The conformance suite deletes what it created. Please let it finish.")
            suite.wait()
            raise
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:])
    if code:
        raise ToolError(f"The conformance suite ended with code {code}. Its last lines:\n{tail}\nAll of it: {log}")
    return tail


def steps(where: Target) -> list[Step]:
    """The steps on a target, in order; the conformance suite runs on AWS, where it is there."""
    served = ("ingest",)
    own = [
        Step("deploy", deploy),
        Step("ingest", ingest, ("deploy",)),
        Step("train", train, served),
        Step("predict", predict, served),
        Step("explain", explain, served),
        Step("batch", batch, served),
        Step("lookup", lookup, ("batch",)),
    ]
    return [*own, Step("conformance", conformance)] if has_suite(where) else own


def has_suite(where: Target) -> bool:
    """Whether the conformance suite takes part."""
    return not where.local and SUITE.is_file()


def blocked(step: Step, results: Mapping[str, str]) -> str:
    """The step that this one needs and that does not work; "" when it can run."""
    return next((name for name in step.needs if results.get(name) != "works"), "")
