"""Every command of `andamio`, a thin one each: read what was asked, do it, say what came of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from andamio import __version__
from andamio.cli import exit_codes
from andamio.cli.batches import report as batch_report
from andamio.cli.batches.batch import Batches, ResultOptions, find_predictions
from andamio.cli.cloud import addresses, deployment, identity, local, outputs, teardown
from andamio.cli.console import done, note, out
from andamio.cli.home import REPO
from andamio.cli.models import api, pipeline, reports, show
from andamio.cli.models import card as cards
from andamio.contract import Contract
from andamio.errors import CommandError

app = typer.Typer(
    name="andamio",
    help="From a table and a label to a running, watched service: on AWS, or on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Option("--problem", help="The problem's folder, with its problem.toml.")]
Name = Annotated[str | None, typer.Option("--problem", help="Which deployed problem; the last one unless told.")]
NewStage = Annotated[
    str | None, typer.Option("--stage", help="Which stage, such as prod; on AWS dev, locally none unless told.")
]
Stage = Annotated[str | None, typer.Option("--stage", help="Which stage of it; that of the last deploy unless told.")]
Aws = Annotated[bool, typer.Option("--aws", help="Your AWS account instead of the local cloud.")]
Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="CDK context, such as bundle=arm64.")]
HEART = REPO / "problems" / "heart"


def _found(problem: str | None, stage: str | None) -> dict[str, Any]:
    """What was deployed: by name, or by folder as in PROBLEM=path, and stage."""
    if problem and (Path(problem) / "problem.toml").exists():
        problem = Contract.load(Path(problem)).problem.name
    return outputs.find(problem, stage)


def _deployed(problem: str | None, stage: str | None) -> dict[str, Any]:
    """The same where something is about to be done: it is there, and where the cloud is now."""
    return identity.with_current_addresses(_found(problem, stage))


@app.command()
def demo(problem: Folder = HEART) -> None:
    """All of it once: local cloud, deploy, data, training, a prediction."""
    pipeline.demo(problem)


@app.command()
def up(
    iam: Annotated[
        bool | None,
        typer.Option(
            "--iam/--no-iam",
            help="Refuse what a function's role does not allow. With neither: as it runs; a fresh start refuses.",
        ),
    ] = None,
) -> None:
    """Start the local cloud: emulator, PostgreSQL, MLflow; what is deployed learns its addresses."""
    local.run("up", *([] if iam is None else ["--iam" if iam else "--no-iam"]))
    addresses.follow(local.started())


@app.command()
def down(purge: Annotated[bool, typer.Option("--purge", help="Forget the state too.")] = False) -> None:
    """Stop the local cloud; what it holds is kept unless it is purged."""
    local.run("down", *(["--purge"] if purge else []))


@app.command()
def status(problem: Name = None, stage: Stage = None) -> None:
    """What runs, which release serves, on which data, since when, and how good it is."""
    show.services()
    if problem is None and stage is None and outputs.last_deployed() is None and not any(outputs.all_outputs()):
        note("Nothing is deployed yet: andamio deploy")
        return
    show.system(_deployed(problem, stage))


@app.command()
def logs(
    name: Annotated[
        str | None, typer.Argument(help="A function (api, etl, train, search, registry, score) or a local service.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines arrive; Ctrl-C ends it.")] = False,
    minutes: Annotated[int, typer.Option(help="How far to look back.")] = 60,
) -> None:
    """Print the log of a function or a local service; without a name, say which there are."""
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
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="On AWS: do not ask before permissions are widened.")
    ] = False,
) -> None:
    """Deploy a problem's stack: to the local cloud, or with --aws to your account."""
    made = deployment.deploy(problem, aws=aws, context=context or [], stage=stage, yes=yes)
    done(f"{made['stack']} is deployed: {made['api_url']}")


@app.command()
def destroy(
    problem: Folder = HEART,
    aws: Aws = False,
    stage: NewStage = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="On AWS: also what is kept, with all data (buckets, table, MLflow).")
    ] = False,
    earlier: Annotated[
        bool, typer.Option("--earlier", help="With --everything: also what earlier, deleted stacks of it have kept.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take a problem's stack down; on AWS its data are kept, unless --everything is to go."""
    if earlier and not everything:
        raise CommandError("--earlier goes with --everything: andamio destroy --aws --everything --earlier")
    system = teardown.plan_teardown(problem, aws=aws, stage=stage)
    if not yes:
        earlier = teardown.confirm(system, everything=everything, earlier=earlier)
    teardown.destroy(system, everything=everything, earlier=earlier)


@app.command()
def ingest(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV, Parquet or JSON Lines; none: what lies in raw/.")
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", help="The name of a file to take out of raw/, as often as needed."),
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Follow ETL and the training that it sets off.")] = True,
) -> None:
    """Put data under raw/, or take them out: ETL makes a data version of it, and a new version trains."""
    pipeline.ingest(_deployed(problem, stage), files or [], remove=remove or [], wait=wait)


@app.command()
def train(
    families: Annotated[
        list[str] | None, typer.Option("--families", help="Families to try: NAME,NAME, or as often as needed.")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, max=2000, help="How many trials.")] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0.1, max=1440, help="Minutes after which no new round starts.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Follow the execution to its end.")] = True,
) -> None:
    """Train on the current data version, whether or not anything changed; unsaid, the contract says how far."""
    overrides = {"families": pipeline.families(families or []), "trials": trials, "budget_minutes": budget}
    pipeline.train(_deployed(problem, stage), overrides, wait=wait)


def _records(file: Path | None, pairs: list[str] | None) -> list[dict[str, Any]]:
    """What a command was given to ask about; standard input is read where nothing else is said."""
    stdin = None if file or pairs or sys.stdin.isatty() else sys.stdin.buffer.read()
    return api.records_from(file, pairs or [], stdin)


@app.command()
def predict(
    file: Annotated[Path | None, typer.Option("--file", help="JSON: a record, or a list of them.")] = None,
    pairs: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, as often as needed.")] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Ask the served model, through API Gateway."""
    there = _deployed(problem, stage)
    records = _records(file, pairs)
    if len(records) == 1:
        show.prediction(api.call(there, "POST", "/predict", records[0]), api.texts(there))
        return
    reply = api.call(there, "POST", "/predict/batch", {"records": records})
    out.print_json(json.dumps(reply))


@app.command()
def explain(
    file: Annotated[Path | None, typer.Option("--file", help="JSON: a record, or a list of them.")] = None,
    pairs: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, as often as needed.")] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Ask the served model why: what each feature contributed to its prediction."""
    there = _deployed(problem, stage)
    for record in _records(file, pairs):
        show.explanation(api.call(there, "POST", "/explain", record))


@app.command()
def batch(
    file: Annotated[
        Path | None, typer.Argument(help="CSV, JSON Lines (either also as .gz) or Parquet, with a header.")
    ] = None,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with this batch: only what is missing.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, parquet or sqlite; the input's own unless told.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the result goes; next to the input unless told.")
    ] = None,
    problem: Name = None,
    stage: Stage = None,
    wait: Annotated[bool, typer.Option(help="Follow it to its end and bring the result.")] = True,
) -> None:
    """Score a file: every row, by the model that serves now; the result comes next to it."""
    if (file is None) == (resume is None):
        raise CommandError("Which file? Give one to score (andamio batch patients.csv), or --resume and a batch's id.")
    batches, options = Batches(_deployed(problem, stage)), ResultOptions(form, output)
    found = batches.score(file, options, wait=wait) if file else batches.resume(str(resume), options, wait=wait)
    if found is not None:
        batch_report.result(found)


@app.command(name="batches")
def batches_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Recent batches: how far each is, and what became of it."""
    batch_report.batch_table(Batches(_deployed(problem, stage)).recent(limit))


@app.command()
def lookup(
    prediction_id: Annotated[str | None, typer.Argument(help="As a prediction or a scored file has it.")] = None,
    record: Annotated[str | None, typer.Option("--record", help="Your own id of a record, instead.")] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Look up a prediction that was made in a batch: by its id, or those of one of your records."""
    if (prediction_id is None) == (record is None):
        raise CommandError(
            "Which prediction? Give its id (andamio lookup ID), or --record and your own id of a record."
        )
    found = find_predictions(_deployed(problem, stage), prediction_id, record)
    for reply in found:
        batch_report.prediction(reply)
    if not found:
        note(
            f"The predictions table has none of record {record}. Those of batches of more than 100,000 rows are found "
            "by their prediction_id, which stands in the scored file."
        )


@app.command()
def models(problem: Name = None, stage: Stage = None) -> None:
    """The releases: stage, metric, data version, when."""
    show.models(_deployed(problem, stage))


@app.command()
def promote(
    release: Annotated[str, typer.Argument(help="Which release, as andamio models lists it.")],
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """Let an intact release serve, without the gate: the way out where the champion cannot be read."""
    pipeline.promote(_deployed(problem, stage), release)


@app.command()
def report(
    version: Annotated[str | None, typer.Argument(help="Which data version; the current one unless told.")] = None,
    problem: Name = None,
    stage: Stage = None,
    show_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """What the data look like, and what the leakage audit found: one HTML page; prints where it is."""
    sys.stdout.write(reports.fetch(_deployed(problem, stage), version, show=show_it) + "\n")


@app.command()
def card(
    release: Annotated[str | None, typer.Option("--release", help="Which release; the champion unless told.")] = None,
    problem: Name = None,
    stage: Stage = None,
) -> None:
    """The model card: whether to trust the model that serves, and why."""
    cards.show(_deployed(problem, stage), release)


@app.command(name="outputs")
def outputs_(
    problem: Name = None,
    stage: Stage = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What the last deploy made: URLs, key, buckets, machines."""
    found = _found(problem, stage)
    try:
        found = _deployed(problem, stage)
    except CommandError as error:
        note(f"These addresses do not work now. {error}")
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show.show_outputs(found)


@app.command()
def version() -> None:
    """Which version this is."""
    out.print(__version__)


def main() -> None:
    """Run the command; what goes wrong ends in a message that says what to do."""
    exit_codes.run(app)
