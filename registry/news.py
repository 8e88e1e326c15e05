"""What the registry tells on EventBridge: a promotion, and a rejection."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.storage.events import make_event
from andamio.storage.ports import Events
from registry.documents import ModelResult


@dataclass(frozen=True, slots=True)
class News:
    """Where it is told, and the system that tells it."""

    events: Events
    system: str

    def promoted(self, problem: str, decision: str, model: ModelResult) -> None:
        """Tell that a run's release serves; raises as `Events.put`."""
        self.events.put(
            make_event(
                "Model promoted",
                problem=problem,
                system=self.system,
                occasion=f"{model.run}/{decision}",
                message=f"Release {model.release} of run {model.run} is champion now. {model.reason}",
                release=model.release,
            )
        )

    def rejected(self, problem: str, decision: str, model: ModelResult) -> None:
        """Tell that a run's release is not served; raises as `Events.put`."""
        self.events.put(
            make_event(
                "Model rejected",
                problem=problem,
                system=self.system,
                occasion=f"{model.run}/{decision}",
                message=f"Release {model.release} of run {model.run} was rejected. {model.reason}",
                release=model.release,
            )
        )
