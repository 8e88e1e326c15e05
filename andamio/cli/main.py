"""The commands of `andamio`: each reads its options, calls one function and prints the result."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from andamio import __version__
from andamio.cli import exit_codes
from andamio.cli.batches import report as batch_report
from andamio.cli.batches.batch import Batches, ResultOptions, find_predictions
from andamio.cli.cloud import addresses, deployment, identity, local, outputs, teardown
from andamio.cli.console import done, note, out
from andamio.cli.home import REPO
from andamio.cli.models import api, history, monitor, pipeline, reports, serving, show
from andamio.cli.models import approve as approvals
from andamio.cli.models import card as cards
from andamio.cli.models import feedback as true_labels
from andamio.cli.verify import run as verification
from andamio.contract import Contract
from andamio.errors import CommandError, UsageError


class Emulator(StrEnum):
    """The emulators that the local cloud can be made of."""

    MINISTACK = "ministack"
    LOCALSTACK = "localstack"


app = typer.Typer(
    name="andamio",
    help="Andamio turns a table with a label into a deployed prediction service, on AWS or on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Option("--problem", help="The folder of the problem, with its problem.toml.")]
Name = Annotated[
    str | None, typer.Option("--problem", help="Name of a deployed problem. Default: the problem of the last deploy.")
]
NewStage = Annotated[
    str | None, typer.Option("--stage", help="Stage, such as prod. Default: dev on AWS, none locally.")
]
Stage = Annotated[
    str | None, typer.Option("--stage", help="Stage of the problem. Default: the stage of the last deploy.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the history.")]
RecordFile = Annotated[Path | None, typer.Option("--file", help="JSON file with one record or a list of records.")]
FeaturePairs = Annotated[list[str] | None, typer.Option("--set", help="A feature as NAME=VALUE. May be repeated.")]
Aws = Annotated[bool, typer.Option("--aws", help="Use your AWS account instead of the local cloud.")]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", help="A CDK context value, such as bundle=arm64.")
]
EmulatorChoice = Annotated[
    Emulator | None,
    typer.Option(
        "--emulator", help="The local cloud's AWS emulator. Default: the last one until a down, else ministack."
    ),
]
HEART = REPO / "problems" / "heart"


def _found(problem: str | None, stage: str | None) -> dict[str, Any]:
    """The outputs of a deployed problem, found by name or folder, and by stage."""
    if problem and (Path(problem) / "problem.toml").exists():
        problem = Contract.load(Path(problem)).problem.name
    return outputs.find(problem, stage)


def _deployed(problem: str | None, stage: str | None) -> dict[str, Any]:
    """The outputs of a deployed problem with current addresses; raises `CommandError` unless its cloud answers."""
    return identity.with_current_addresses(_found(problem, stage))


@app.command()
def demo(
    problem: Folder = HEART,
    emulator: EmulatorChoice = None,
    short: Annotated[bool, typer.Option("--short", help="Without the last part: what follows drift.")] = False,
) -> None:
    """Run the whole system once: local cloud, deploy, data, training, a prediction, a batch, drift and what follows."""
    pipeline.demo(problem, emulator, short=short)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the problem: lower-case letters, digits and hyphens.")],
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", help="CSV, JSON Lines, Parquet or .xlsx file. May be repeated: rows are joined."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="The column to predict. Default: asked, or guessed.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="classification or regression. Default: by the target's values.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option("--positive", help="The positive class of two, as in the data.")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="The column that identifies a record.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="The column whose rows stay together, such as a patient's.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", help="The column that orders rows.")] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", help="The sheet of a workbook. Default: the first one.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of text files, such as latin-1. Default: detected.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The folder to write. Default: problems/NAME.")] = None,
    source: Annotated[str, typer.Option("--source", help="Where the data come from, for DATA.md.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Their licence, for DATA.md.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: decide, and say why.")] = False,
) -> None:
    """Write a problem folder from data files: problem.toml with findings as comments, and a data card."""
    from andamio.cli.new import new as drafting  # pandas, and what ETL needs, take a second to import
    from andamio.cli.new import questions

    drafting.new(
        name,
        files or [],
        questions.Options(
            target=target,
            task=task,
            positive=positive,
            id=id_,
            group=group,
            time=time,
            sheet=sheet,
            encoding=encoding,
            folder=to,
            source=source,
            licence=licence,
            ask=not yes and questions.is_asked(),
        ),
    )


@app.command()
def up(
    iam: Annotated[
        bool | None,
        typer.Option(
            "--iam/--no-iam",
            help="Enforce the IAM roles of functions. Default: the setting of a running cloud, else --iam.",
        ),
    ] = None,
    emulator: EmulatorChoice = None,
    docker: Annotated[
        bool,
        typer.Option(
            "--docker",
            help="With --emulator localstack: its image, which needs a Docker engine and LOCALSTACK_AUTH_TOKEN.",
        ),
    ] = False,
) -> None:
    """Start the local cloud (emulator, PostgreSQL, MLflow) and update the addresses of deployed systems."""
    local.up(emulator, iam=iam, docker=docker)
    addresses.follow(local.started())


@app.command()
def down(
    purge: Annotated[bool, typer.Option("--purge", help="Delete the state of the local cloud as well.")] = False,
) -> None:
    """Stop the local cloud. Its state is kept unless --purge is given."""
    local.run("down", *(["--purge"] if purge else []))


@app.command()
def status(problem: Name = None, stage: Stage = None) -> None:
    """Show running services, the champion release, its data version and metric, and the alarms."""
    show.services()
    if problem is None and stage is None and outputs.last_deployed() is None and not any(outputs.all_outputs()):
        note("Nothing is deployed yet: andamio deploy")
        return
    deployed = _deployed(problem, stage)
    show.system(deployed)
    approvals.show_open(deployed)


@app.command()
def logs(
    name: Annotated[
        str | None,
        typer.Argument(help="A function (api, etl, train, search, registry, score, monitor) or a local service."),
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines as they arrive. Ctrl-C ends it.")
    ] = False,
    minutes: Annotated[int, typer.Option(help="How many minutes to look back.")] = 60,
) -> None:
    """Print the log of a function or a local service. Without a name, list the logs."""
    if name in show.FUNCTIONS:
        show.function_log(name, _deployed(problem, stage), follow=follow, minutes=minutes)
    else:
        show.service_log(name, follow=follow)


@app.command()
def deploy(
    problem: Folder = HEART,
    aws: Aws = False,
    stage: NewStage = None,
    context: Context = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="On AWS: widen permissions without asking.")] = False,
) -> None:
    """Deploy the stack of a problem to the local cloud, or with --aws to your account."""
    made = deployment.deploy(problem, aws=aws, context=context or [], stage=stage, yes=yes)
    done(f"{made['stack']} is deployed: {made['api_url']}")
    if aws:
        deployment.say_who_is_told(made)


@app.command()
def destroy(
    problem: Folder = HEART,
    aws: Aws = False,
    stage: NewStage = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--everything", help="On AWS: also remove the retained resources with all data (buckets, table, MLflow)."
        ),
    ] = False,
    earlier: Annotated[
        bool,
        typer.Option("--earlier", help="With --everything: also remove resources retained by earlier, deleted stacks."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete the stack of a problem. On AWS its data are retained unless --everything is given."""
    if earlier and not everything:
        raise UsageError("--earlier needs --everything: andamio destroy --aws --everything --earlier")
    system = teardown.plan_teardown(problem, aws=aws, stage=stage)
    if not yes:
        earlier = teardown.confirm(system, everything=everything, earlier=earlier)
    teardown.destroy(system, everything=everything, earlier=earlier)


@app.command()
def verify(
    problem: Folder = HEART,
    aws: Aws = False,
    context: Context = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Deploy under the stage verify, use everything once, delete it all, and write a report."""
    verification.verify(problem, aws=aws, context=context or [], yes=yes)


@app.command()
def ingest(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV, Parquet or JSON Lines files. Without a file: the files in raw/.")
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", help="Name of a file to remove from raw/. May be repeated."),
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Wait for ETL and for the training that follows.")] = True,
) -> None:
    """Upload files to raw/, or remove them. ETL makes a data version, and training follows."""
    pipeline.ingest(_deployed(problem, stage), files or [], remove=remove or [], wait=wait)


@app.command()
def train(
    families: Annotated[
        list[str] | None,
        typer.Option("--families", help="Families to try: NAME,NAME. May be repeated. Default: problem.toml."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, max=2000, help="Number of trials. Default: problem.toml.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", min=0.1, max=1440, help="Minutes after which no new round starts. Default: problem.toml."
        ),
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end of the execution.")] = True,
) -> None:
    """Train on the current data version. Defaults come from problem.toml."""
    overrides = {"families": pipeline.families(families or []), "trials": trials, "budget_minutes": budget}
    pipeline.train(_deployed(problem, stage), overrides, wait=wait)


def _records(file: Path | None, pairs: list[str] | None) -> list[dict[str, Any]]:
    """The records of a command: from a file, from pairs, else from standard input."""
    stdin = None if file or pairs or sys.stdin.isatty() else sys.stdin.buffer.read()
    return api.records_from(file, pairs or [], stdin)


@app.command()
def predict(
    file: RecordFile = None,
    pairs: FeaturePairs = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Predict records with the champion, through API Gateway."""
    there = _deployed(problem, stage)
    records = _records(file, pairs)
    if len(records) == 1:
        show.prediction(api.call(there, "POST", "/predict", records[0]), api.texts(there))
        return
    reply = api.call(there, "POST", "/predict/batch", {"records": records})
    out.print_json(json.dumps(reply))


@app.command()
def explain(
    file: RecordFile = None,
    pairs: FeaturePairs = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Explain a prediction: the contribution of each feature."""
    there = _deployed(problem, stage)
    for record in _records(file, pairs):
        show.explanation(api.call(there, "POST", "/explain", record))


@app.command()
def batch(
    file: Annotated[
        Path | None, typer.Argument(help="CSV with a header, JSON Lines (either also as .gz) or Parquet.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Id of a batch to resume: only missing shards are scored.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, parquet or sqlite. Default: the format of the input.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the result. Default: next to the input.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end of the batch and download the result.")] = True,
) -> None:
    """Score every row of a file with the champion and download the result."""
    if (file is None) == (resume is None):
        raise UsageError("Expected either a file (andamio batch patients.csv) or --resume with the id of a batch.")
    batches, options = Batches(_deployed(problem, stage)), ResultOptions(form, output)
    found = batches.score(file, options, wait=wait) if file else batches.resume(str(resume), options, wait=wait)
    if found is not None:
        batch_report.result(found)


@app.command(name="batches")
def batches_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Number of batches.")] = 20,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """List recent batches with their progress and result."""
    batch_report.batch_table(Batches(_deployed(problem, stage)).recent(limit))


@app.command()
def lookup(
    prediction_id: Annotated[str | None, typer.Argument(help="Prediction id, from a scored file or a reply.")] = None,
    record: Annotated[
        str | None, typer.Option("--record", help="Your own id of a record, instead of a prediction id.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Look up predictions of batches, by prediction id or by the id of a record."""
    if (prediction_id is None) == (record is None):
        raise UsageError(
            "Expected either a prediction id (andamio lookup ID) or --record with your own id of a record."
        )
    found = find_predictions(_deployed(problem, stage), prediction_id, record)
    for reply in found:
        batch_report.prediction(reply)
    if not found:
        note(
            f"The predictions table has no prediction of record {record}. Predictions of batches with more than "
            "100,000 "
            "rows are found by prediction_id only: see the scored file."
        )


@app.command()
def feedback(
    file: Annotated[
        Path | None, typer.Argument(help="CSV with the target column and prediction_id, record_id or [problem] id.")
    ] = None,
    prediction: Annotated[
        str | None, typer.Option("--prediction", help="Prediction id, from a reply or a scored file.")
    ] = None,
    record: Annotated[
        str | None, typer.Option("--record", help="Your own id of a record, instead of a prediction id.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="The true class, a value of the target column, or the true number.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Send the true labels of predictions, of a file or a single one."""
    if file is None:
        true_labels.send_one(_deployed(problem, stage), prediction, record, label)
        return
    if (prediction, record, label) != (None, None, None):
        raise UsageError("Expected a file, or one label by --prediction or --record and --label, not both.")
    true_labels.send_file(_deployed(problem, stage), file)


@app.command(name="monitor")
def monitor_(
    last: Annotated[bool, typer.Option("--last", help="Print the newest report instead of making one.")] = False,
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Compare the predictions of the last hours with the champion, and say what was found."""
    (monitor.last if last else monitor.run)(_deployed(problem, stage), as_json=as_json, show=show)


@app.command()
def models(problem: Name = None, stage: Stage = None) -> None:
    """List releases with stage, metric, data version and date."""
    show.models(_deployed(problem, stage))


@app.command()
def promote(
    release: Annotated[str, typer.Argument(help="Which release, as andamio models lists it.")],
    problem: Name = None,
    stage: Stage = None,
    strategy: Annotated[
        Literal["shadow", "canary"] | None,
        typer.Option("--strategy", help="Try it beside the champion first. Default: it serves at once."),
    ] = None,
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Also a release that was withdrawn.")] = False,
) -> None:
    """Let an intact release serve, without the gate, and whatever challenger is tried; or try it first."""
    deployed = _deployed(problem, stage)
    if strategy is None:
        serving.promote(deployed, release, reason=reason, force=force)
    else:
        serving.challenge(deployed, release, strategy, reason=reason, force=force)


@app.command()
def rollback(
    release: Annotated[
        str | None, typer.Argument(help="Which release is to serve. Default: the one before the champion.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Also to a release that was withdrawn.")] = False,
) -> None:
    """Withdraw the challenger; without one the champion, and the release before it serves again within a minute."""
    serving.roll_back(_deployed(problem, stage), release, reason=reason, force=force)


@app.command()
def approve(
    release: Annotated[str | None, typer.Argument(help="Which release. Default: the only one that waits.")] = None,
    decline: Annotated[bool, typer.Option("--decline", help="Decline it: what serves stays as it is.")] = False,
    problem: Name = None,
    stage: Stage = None,
    reason: Reason = "",
) -> None:
    """Approve what the gate allows, where the contract says approve = "manual"."""
    approvals.respond(_deployed(problem, stage), release, approved=not decline, reason=reason)


@app.command(name="history")
def history_(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Number of records.")] = 20,
    problem: Name = None,
    stage: Stage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what was promoted, tried, rejected, rolled back and withdrawn: when, by whom, why."""
    history.show(_deployed(problem, stage), limit, as_json=as_json)


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(help="The folder of a problem. Default: this folder, if it has a problem.toml.")
    ] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Rewrite problem.toml in the format of this version. Comments stay.")
    ] = False,
    registry: Annotated[
        bool, typer.Option("--registry", help="Whether MLflow's alias and tags say what serves; repaired if not.")
    ] = False,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Check a problem folder in seconds, without a cloud: contract, data, leaks, training, bad values."""
    if registry:
        if path is not None or upgrade:
            raise UsageError("--registry is about a deployed problem: andamio check --registry --problem NAME")
        serving.check_registry(_deployed(problem, stage))
        return
    if problem is not None or stage is not None:
        raise UsageError("--problem and --stage are for --registry; a folder is named alone: andamio check FOLDER")
    folder = path or (Path() if Path("problem.toml").exists() else HEART)
    if upgrade:
        from andamio.cli.check.upgrade import upgrade as rewrite

        changes = rewrite(folder)
        done("; ".join(changes) if changes else "problem.toml has the format of this version already")
        return
    from andamio.cli.check import check as checking  # scikit-learn takes seconds to import

    checking.check(folder)


@app.command()
def report(
    version: Annotated[str | None, typer.Argument(help="Data version. Default: the current one.")] = None,
    problem: Name = None,
    stage: Stage = None,
    show_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Download the HTML report of a data version, with the leakage audit, and print its path."""
    sys.stdout.write(reports.fetch(_deployed(problem, stage), version, show=show_it) + "\n")


@app.command()
def card(
    release: Annotated[str | None, typer.Option("--release", help="Release. Default: the champion.")] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Print the model card of a release."""
    cards.show(_deployed(problem, stage), release)


@app.command(name="outputs")
def outputs_(
    problem: Name = None,
    stage: Stage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the outputs of a deploy: URLs, API key, buckets, state machines."""
    found = _found(problem, stage)
    try:
        found = _deployed(problem, stage)
    except CommandError as error:
        note(f"These addresses cannot be reached now. {error}")
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show.show_outputs(found)


@app.command()
def version() -> None:
    """Print the version of Andamio."""
    out.print(__version__)


def main() -> None:
    """Run the command line; an error ends in a message and an exit code."""
    exit_codes.run(app)
