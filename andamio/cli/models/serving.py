"""Which release serves, changed by hand: `andamio promote` and `andamio rollback`; MLflow follows."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from andamio import names
from andamio.adapters.aws import Account, Execution
from andamio.cli.console import done, note, step
from andamio.cli.home import account as account_of
from andamio.cli.models import api
from andamio.cli.models.challenger import ended_as
from andamio.cli.models.follow import execution_arn
from andamio.errors import AndamioError, AwsError, ExecutionFailed, NotDeployed, ObjectNotFound, UsageError
from andamio.release.pointer import Strategy, read_pointer
from andamio.storage.events import EventType, make_event
from registry import reachable
from rollout import challenger as challengers
from rollout import promote as promotion
from rollout import rollback as rollbacks
from rollout.challenge import by_itself

_POLL_SECONDS = 0.5
SERVED_SECONDS = 60.0
"""Within so many seconds the API serves what the pointer names."""
_FOLLOW_SECONDS = reachable.WAIT_SECONDS + 90
"""What the function takes at most: it waits for MLflow, and imports MLflow's client."""
_LONGEST_REASON = 500
_EVENTS: dict[str, EventType] = {
    "promoted": "Model promoted",
    "rolled_back": "Model rolled back",
    "challenged": "Model challenged",
    "withdrawn": "Model withdrawn",
}
"""The event of each kind of change."""


def promote(deployed: dict[str, Any], release: str, *, reason: str, force: bool) -> None:
    """Let an intact release serve, and wait until it does; MLflow's alias follows."""
    account = account_of(deployed)
    models = account.objects(deployed["buckets"]["models"])
    now = datetime.now(UTC)
    promoted = promotion.promote(
        models, deployed["problem"], release, now, by=who(), reason=reason_of(reason), force=force
    )
    change = read_pointer(models, deployed["problem"])[0].change
    if promoted and change is not None and change.kind == "withdrawn":
        done(f"Release {release} stays champion, and its challenger {change.after} is withdrawn.")
    elif promoted:
        done(f"Release {release} is champion now.")
    else:
        note(f"Release {release} is champion already, and intact.")
    tell(deployed, account)
    await_release(deployed, release)
    follow_in_mlflow(deployed, account)


def challenge(deployed: dict[str, Any], release: str, strategy: Strategy, *, reason: str, force: bool) -> None:
    """Let an intact release be tried beside the champion, and start the execution that ends its trial.

    Raises `ExecutionFailed` where that was started before and has ended, and the trial has not.
    """
    machine = deployed["state_machines"].get("rollout")
    if machine is None:
        raise NotDeployed(f"{deployed['stack']} was deployed without trials. Deploy it again: andamio deploy")
    account = account_of(deployed)
    pointer = challengers.challenge(
        account.objects(deployed["buckets"]["models"]),
        deployed["problem"],
        release,
        datetime.now(UTC),
        by=who(),
        reason=reason_of(reason),
        strategy=strategy,
        force=force,
    )
    assert pointer.rollout is not None
    try:
        judge = account.execution(execution_arn(machine, pointer.rollout))
    except ObjectNotFound:
        account.start(machine, pointer.rollout, {"rollout": pointer.rollout, "mlflow_run": ""})
    else:
        if not judge.running:
            raise _unjudged(account, deployed, release, judge)
    how = f"answers {pointer.share:.0%} of the records" if strategy == "canary" else "is scored beside the champion"
    done(f"Release {release} is the challenger now, and {how}.")
    note(f"A rule ends its trial (docs/rollout.md). By hand: andamio promote {release}, or andamio rollback")
    tell(deployed, account)
    await_challenger(deployed, release)
    follow_in_mlflow(deployed, account)


def _unjudged(account: Account, deployed: dict[str, Any], release: str, judge: Execution) -> ExecutionFailed:
    """What to say where the execution that was to end a trial has ended: with the trial, or without it."""
    pointer, _ = read_pointer(account.objects(deployed["buckets"]["models"]), deployed["problem"])
    if pointer.rollout != judge.name:
        return ExecutionFailed(f"The trial of release {release} ended just now. How: andamio history")
    return ExecutionFailed(
        f"Release {release} is the challenger already, and no execution judges its trial ({judge.name}: "
        f"{ended_as(judge)}), so it goes on without an end. Redrive that execution in the console of Step Functions, "
        f"or end the trial: andamio promote {release}, or andamio rollback"
    )


def roll_back(deployed: dict[str, Any], release: str | None, *, reason: str, force: bool) -> None:
    """Withdraw the champion, let the release before it or a named one serve, and wait until it does."""
    account = account_of(deployed)
    models = account.objects(deployed["buckets"]["models"])
    found = rollbacks.roll_back(
        models,
        deployed["problem"],
        datetime.now(UTC),
        by=who(),
        reason=reason_of(reason),
        version=release,
        force=force,
    )
    if found is None:
        note(f"Release {release} is champion already: nothing is rolled back.")
        serves = str(release)
    else:
        serves = found.serves
        if found.challenger:
            already = " already" if found.again else ""
            done(f"The challenger {found.withdrawn} is withdrawn{already}. The champion {serves} goes on serving.")
            note("To take the champion out of service, name the release that is to serve: andamio models lists them.")
        elif found.again:
            note(
                f"The champion was rolled back already, from {found.withdrawn} to {serves}. To go back further, name a "
                "release: andamio models lists them."
            )
        else:
            done(f"Release {found.withdrawn} is withdrawn, and release {serves} is champion again.")
        note("The withdrawn release stays. Neither the gate nor andamio promote lets it serve again without --force.")
    tell(deployed, account)
    await_release(deployed, serves)
    follow_in_mlflow(deployed, account)


def tell(deployed: dict[str, Any], account: Account) -> None:
    """Send the event of the last change by hand; where it cannot be sent, say so: what serves does not depend on it.

    The same command once more sends the same event again.
    """
    pointer, _ = read_pointer(account.objects(deployed["buckets"]["models"]), deployed["problem"])
    change = pointer.change
    if change is None or change.decision is not None or by_itself(change):
        return  # what the gate or a trial's rule changed is told by the registry
    kind = _EVENTS[change.kind]
    message = f"Release {change.after} is champion now, by hand, in place of {change.before}: {change.reason}"
    if change.kind == "challenged":
        message = f"Release {change.after} is the challenger now, by hand, beside {change.before}: {change.reason}"
    elif change.kind == "withdrawn":
        message = f"The challenger {change.after} was withdrawn, by hand; {change.before} serves: {change.reason}"
    event = make_event(
        kind,
        problem=deployed["problem"],
        system=deployed["system"],
        occasion=f"revision {pointer.revision}",
        message=message,
        release=change.after,
    )
    try:
        account.events().put(event)
    except AndamioError as error:
        note(f"The event '{kind}' was not sent: {error}")


def check_registry(deployed: dict[str, Any]) -> None:
    """Compare MLflow with the pointer, let it follow where it does not, and say which it was."""
    follow_in_mlflow(deployed, account_of(deployed))


def follow_in_mlflow(deployed: dict[str, Any], account: Account) -> None:
    """Let MLflow's alias follow the pointer; where it cannot, say so: what serves does not depend on it."""
    later = "what serves does not depend on it. To let it follow: andamio check --registry"
    if deployed.get("mlflow_own") and not reachable.answers(deployed["mlflow_url"]):
        note(
            f"MLflow does not answer at {deployed['mlflow_url']}, so its alias 'champion' stays where it is; {later} "
            "To start MLflow: andamio up"
        )
        return
    function = names.resource(deployed["system"], "registry")
    event = {"step": "follow", "problem": deployed["problem"]}
    try:
        with step("Letting MLflow's alias 'champion' follow"):
            answer = account.invoke(function, event, seconds=_FOLLOW_SECONDS)
    except AwsError as error:
        note(f"MLflow's alias 'champion' did not follow: {str(error).rstrip('.')}. Note that {later}")
        return
    version = answer["mlflow_version"]
    if version is None:
        note("MLflow has no model version of the release that serves: no version has the alias 'champion'.")
    elif answer["repaired"]:
        done(f"MLflow's alias 'champion' has followed: it is at version {version} now.")
    else:
        done(f"MLflow's alias 'champion' is at version {version}, the model that serves.")


def await_release(deployed: dict[str, Any], release: str) -> None:
    """Wait until the API serves a release; where it does not within a minute, say what it serves and why."""
    serving = _version_once(deployed, lambda serving: serving.get("release") == release)
    if serving.get("release") != release:
        refusal = serving.get("last_refusal") or {}
        why = f" It refused {refusal.get('release')}: {refusal.get('reason')}." if refusal else ""
        note(
            f"The API serves release {serving.get('release')} still.{why} If it was deployed by an older version of "
            "Andamio: andamio deploy"
        )


def await_challenger(deployed: dict[str, Any], release: str) -> None:
    """Wait until the API has loaded a challenger; where it has not within a minute, say so."""

    def is_loaded(serving: dict[str, Any]) -> bool:
        tried = serving.get("challenger") or {}
        return tried.get("release") == release and bool(tried.get("loaded"))

    if not is_loaded(_version_once(deployed, is_loaded)):
        note(
            f"The API has not loaded the challenger {release} yet, and its champion answers. andamio logs api says why."
        )


def _version_once(deployed: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the API says that it serves, once it is what is wanted, or after a minute."""
    deadline = time.monotonic() + SERVED_SECONDS
    with step("Waiting for the API to load the release"):
        while not wanted(serving := api.call(deployed, "GET", "/version")):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
    return serving


def who() -> str:
    """Whose hand it is, for the history."""
    try:
        return getpass.getuser()
    except OSError:  # an account without a name, as containers have
        return "somebody without a user name"


def reason_of(text: str) -> str:
    """A reason as the history keeps it: one line; raises `UsageError` for one that is too long."""
    said = " ".join(text.split())
    if len(said) > _LONGEST_REASON:
        raise UsageError(f"A reason of up to {_LONGEST_REASON} characters was expected, and this has {len(said)}.")
    return said or "no reason was given"
