"""What the registry tells on EventBridge: a promotion, a trial, a rejection, and what waits for approval."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.release.approval import Approval
from andamio.stats.figures import figure
from andamio.stats.metrics import in_units
from andamio.storage.events import EventType, make_event
from andamio.storage.ports import Events
from registry.documents import ModelResult


@dataclass(frozen=True, slots=True)
class News:
    """Where it is told, and the system that tells it."""

    events: Events
    system: str

    def promoted(self, problem: str, decision: str, model: ModelResult) -> None:
        """Tell that a run's release serves; raises as `Events.put`."""
        message = f"Release {model.release} of run {model.run} is champion now. {model.reason}"
        self._tell("Model promoted", problem, f"{model.run}/{decision}", message, model.release)

    def challenged(self, problem: str, decision: str, model: ModelResult, strategy: str) -> None:
        """Tell that a run's release is the challenger; raises as `Events.put`."""
        how = "answers a share of the records" if strategy == "canary" else "is scored beside the champion"
        message = f"Release {model.release} of run {model.run} is the challenger now, and {how}. {model.reason}"
        self._tell("Model challenged", problem, f"{model.run}/{decision}/{model.rollout}", message, model.release)

    def won(self, problem: str, rollout: str, release: str, reason: str) -> None:
        """Tell that a challenger was promoted; raises as `Events.put`."""
        message = f"The challenger, release {release}, is champion now. {reason}"
        self._tell("Model promoted", problem, rollout, message, release)

    def withdrawn(self, problem: str, rollout: str, release: str, reason: str) -> None:
        """Tell that a challenger was withdrawn; raises as `Events.put`."""
        message = f"The challenger, release {release}, was withdrawn; the champion goes on serving. {reason}"
        self._tell("Model withdrawn", problem, rollout, message, release)

    def rejected(self, problem: str, decision: str, model: ModelResult) -> None:
        """Tell that a run's release is not served; raises as `Events.put`."""
        message = f"Release {model.release} of run {model.run} was rejected. {model.reason}"
        self._tell("Model rejected", problem, f"{model.run}/{decision}", message, model.release)

    def asked(self, approval: Approval) -> None:
        """Tell that a release waits for a person; raises as `Events.put`."""
        unit = next(filter(in_units, approval.numbers), "")
        figures = ", ".join(
            f"{name} {figure('' if name == 'probability' else unit, value)}" for name, value in approval.numbers.items()
        )
        message = (
            f"Release {approval.release} of run {approval.run} waits for approval until {approval.expires}: "
            f"andamio approve {approval.release}. {approval.reason} ({figures})"
        )
        occasion = f"{approval.run}/{approval.decision}/{approval.asked}"
        self._tell("Approval needed", approval.problem, occasion, message, approval.release)

    def _tell(self, kind: EventType, problem: str, occasion: str, message: str, release: str) -> None:
        self.events.put(
            make_event(kind, problem=problem, system=self.system, occasion=occasion, message=message, release=release)
        )
