"""`python -m localstack`: the local cloud's own command line.

up      start what does not run (quick and harmless when everything does)
wait    wait until services answer: `wait mlflow`, or all of them
status  what runs, where
down    stop everything; with --purge, forget the state too
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from andamio.errors import CommandError
from localstack import opencore
from localstack.cloud import EMULATOR, EMULATORS, MLFLOW, POSTGRES, SERVICES, Cloud
from localstack.home import Home
from localstack.record import Json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 1 after an error message."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    quiet = options.json

    def say(sentence: str) -> None:
        console.print(f"[dim]{escape(sentence)}[/dim]")

    try:
        cloud = Cloud(Home.at(options.home), say)
        values = _run(cloud, options)
    except (CommandError, OSError) as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted. To stop the started services: make down. To continue: the same command.")
        return 130
    if quiet:
        json.dump(values, sys.stdout, indent=2)
        print()
    else:
        _show(values, Console(highlight=False, soft_wrap=True), getattr(options, "services", None))
    return 0


def _run(cloud: Cloud, options: argparse.Namespace) -> Json:
    match options.command:
        case "up":
            requested = {EMULATOR: options.emulator_port, MLFLOW: options.mlflow_port}
            cloud.up(
                {name: port for name, port in requested.items() if port is not None},
                iam=options.iam,
                emulator=options.emulator,
                docker=options.docker,
            )
            if options.wait_mlflow:
                cloud.wait([MLFLOW], options.timeout)
        case "wait":
            cloud.wait(options.services or SERVICES, options.timeout)
        case "down":
            return {"stopped": cloud.down(purge=options.purge), "purged": options.purge}
    return cloud.status()


def _show(values: Json, console: Console, requested: Sequence[str] | None = None) -> None:
    """Print all services, or the requested ones."""
    if "stopped" in values:
        names = ", ".join(values["stopped"])
        console.print(f"Stopped: {escape(names)}" if names else "Nothing was running.")
        if values["purged"]:
            console.print("The state is forgotten.")
        return
    where = {
        EMULATOR: values["endpoint_url"],
        MLFLOW: values["mlflow_url"],
        POSTGRES: "in Docker" if values["docker"] else "on a Unix socket",
    }
    services = {name: service for name, service in values["services"].items() if not requested or name in requested}
    for name, service in services.items():
        sign = {"running": "[green]●[/green]", "starting": "[yellow]◐[/yellow]"}.get(service["state"], "[red]○[/red]")
        address = where[name] if service["state"] != "stopped" else "-"
        pid = f"pid {service['pid']}" if service["pid"] else ""
        console.print(f"{sign} {name:<9} {service['state']:<9} {address:<24} {pid}")
    for sentence in values["trouble"]:
        console.print(f"[red]{escape(sentence)}[/red]")
    if values["emulator"] == opencore.KIND:
        console.print("The emulator is LocalStack: it enforces no IAM, and forgets everything when it stops.")
    elif not values["iam"]:
        console.print("IAM is off: functions may do what their roles do not allow. `andamio up --iam` enforces it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localstack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", metavar="DIR", help="default: $ANDAMIO_HOME, else .andamio in the clone")
    common.add_argument("--json", action="store_true", help="the result on standard output, for programs")
    timeout = argparse.ArgumentParser(add_help=False)
    timeout.add_argument("--timeout", type=float, default=180.0, metavar="SECONDS", help="how long to wait")
    commands = parser.add_subparsers(dest="command", required=True, metavar="up | wait | status | down")
    up = commands.add_parser("up", parents=[common, timeout], help="start what does not run")
    up.add_argument("--emulator-port", type=int, metavar="PORT", help="default: the last one, else 4566; 0 for any")
    up.add_argument("--mlflow-port", type=int, metavar="PORT", help="default: the last one, else 5000; 0 for any")
    up.add_argument(
        "--iam",
        action=argparse.BooleanOptionalAction,
        help="refuse what a function's role does not allow; default: as it ran until a down, else enforced",
    )
    up.add_argument(
        "--emulator", choices=EMULATORS, help="which emulator; default: the last one until a down, else ministack"
    )
    up.add_argument("--docker", action="store_true", help="LocalStack's image; needs a Docker engine and a token")
    up.add_argument("--wait-mlflow", action="store_true", help="return when MLflow answers too")
    wait = commands.add_parser("wait", parents=[common, timeout], help="wait until services answer")
    wait.add_argument("services", nargs="*", choices=[*SERVICES, []], metavar="SERVICE", help=", ".join(SERVICES))
    commands.add_parser("status", parents=[common], help="what runs, where")
    down = commands.add_parser("down", parents=[common], help="stop everything")
    down.add_argument("--purge", action="store_true", help="forget the state too: S3, stacks, MLflow's database")
    return parser


if __name__ == "__main__":
    sys.exit(main())
