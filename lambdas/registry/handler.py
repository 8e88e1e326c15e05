"""One step after the decision a call: register, ask for approval, promote or decline; look at a trial; and follow.

`follow` comes after a change by hand. MLflow fits no other function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.events import BusEvents
from andamio.adapters.refusals import quoted_refusal
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.errors import AndamioError, TrainingError
from andamio.names import EVENT_REGISTRY
from andamio.settings import RegistrySettings
from andamio.step import Step, Steps, logged_step
from andamio.storage import layout
from andamio.storage.ports import Objects
from registry import approve, follow, reachable, register
from registry.documents import AliasResult, ApprovalState, AskedResult, Conflict, LookResult, ModelResult, RunResult
from registry.events import (
    AbandonEvent,
    ApprovalEvent,
    AskApprovalEvent,
    DeclineEvent,
    FollowEvent,
    LookEvent,
    PromoteEvent,
    RegisterEvent,
    WithdrawEvent,
)
from registry.news import News
from registry.record import Origin, Tracker, Trackers
from registry.trial import conclude_trial
from rollout import trial as trials


@dataclass(frozen=True, slots=True)
class Registry:
    """The buckets, where things come from, how to reach the tracker, its address, and where news are told."""

    lake: Objects
    models: Objects
    origin: Origin
    tracker: Trackers
    tracking_uri: str
    news: News
    contract: Contract


@cache
def connect() -> Registry:
    """The registry that this function was deployed for; raises `SettingsError`."""
    settings = RegistrySettings.from_env()

    @cache
    def connected() -> Tracker:
        # Imported here: MLflow takes seconds, and a missing setting should be told first.
        from registry.mlflow import MlflowTracker

        artifacts = f"s3://{settings.models}/{layout.MLFLOW}".rstrip("/")
        return MlflowTracker(settings.tracking_uri, settings.system, artifacts)

    def tracker(problem: str) -> Tracker:
        reachable.wait(settings.tracking_uri)
        return connected()

    origin = Origin(f"s3://{settings.lake}/{layout.DATASETS}", settings.lock)
    return Registry(
        S3Objects(settings.lake),
        S3Objects(settings.models),
        origin,
        tracker,
        settings.tracking_uri,
        News(BusEvents(), settings.system),
        load_problem(),
    )


def _register(to: Registry, event: RegisterEvent) -> RunResult | ModelResult:
    now = datetime.now(UTC)
    return register.register(
        to.lake, to.models, event.run, event.decision, to.origin, to.tracker, to.news, now
    ).summary()


def _promote(to: Registry, event: PromoteEvent) -> ModelResult | Conflict:
    now = datetime.now(UTC)
    promoted = register.promote(
        to.models,
        event.run,
        event.decision,
        to.tracker,
        to.news,
        now,
        attempt=event.attempt,
        rules=to.contract.release,
    )
    return promoted if isinstance(promoted, Conflict) else promoted.summary()


def _approval(to: Registry, event: ApprovalEvent) -> ApprovalState:
    return approve.approval_state(to.models, event.run, event.decision, datetime.now(UTC), waited=event.waited)


def _ask_approval(to: Registry, event: AskApprovalEvent) -> AskedResult:
    now = datetime.now(UTC)
    asked = approve.ask_approval(to.models, event.run, event.decision, event.token, event.seconds, to.news, now)
    return AskedResult(release=asked.release, expires=asked.expires)


def _decline(to: Registry, event: DeclineEvent) -> ModelResult:
    return approve.decline(to.models, event.run, event.decision, to.tracker, to.news, datetime.now(UTC)).summary()


def _look(to: Registry, event: LookEvent) -> LookResult:
    found = trials.look(to.lake, to.models, to.contract, event.rollout, datetime.now(UTC))
    return conclude_trial(
        to.models,
        found.pointer,
        event.rollout,
        found.status,
        found.reason,
        to.tracker,
        to.news,
        seconds=found.seconds,
        mlflow_run=event.mlflow_run,
    )


def _withdraw(to: Registry, event: WithdrawEvent) -> LookResult:
    raised = datetime.fromisoformat(event.raised)
    found = trials.withdraw_by_alarm(to.models, to.contract.problem.name, event.alarm, raised, datetime.now(UTC))
    return conclude_trial(to.models, found.pointer, found.rollout, found.status, found.reason, to.tracker, to.news)


def _abandon(to: Registry, event: AbandonEvent) -> LookResult:
    found = trials.abandon(to.models, to.contract.problem.name, event.rollout, event.error.why, datetime.now(UTC))
    return conclude_trial(to.models, found.pointer, event.rollout, found.status, found.reason, to.tracker, to.news)


def _follow(to: Registry, event: FollowEvent) -> AliasResult:
    return follow.follow(to.models, event.problem, to.tracker)


STEPS: Steps[Registry] = {
    "register": Step(RegisterEvent, _register),
    "approval": Step(ApprovalEvent, _approval),
    "ask_approval": Step(AskApprovalEvent, _ask_approval),
    "decline": Step(DeclineEvent, _decline),
    "promote": Step(PromoteEvent, _promote),
    "look": Step(LookEvent, _look),
    "withdraw": Step(WithdrawEvent, _withdraw),
    "abandon": Step(AbandonEvent, _abandon),
    "follow": Step(FollowEvent, _follow),
}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    try:
        return logged_step(STEPS, connect, event, EVENT_REGISTRY)
    except Exception as error:
        # MLflow's client quotes what IAM said.
        refusal = None if isinstance(error, AndamioError) else quoted_refusal(error)
        if refusal is not None:
            raise refusal from error
        if not isinstance(error, AndamioError) and not reachable.answers(uri := connect().tracking_uri):
            raise TrainingError(reachable.down(uri)) from error  # it ended in the middle
        raise
