"""MLflow without MLflow: a tracker that remembers."""

from __future__ import annotations

from registry.record import Record, TrackedRun


class MemoryTracker:
    """A tracker that remembers: model versions by run, aliases, outcomes by run and version. It is a factory too."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.releases: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.verdicts: dict[str, str] = {}
        self.records: list[Record] = []

    def __call__(self, problem: str) -> MemoryTracker:
        """The tracker of a problem."""
        return self

    def log(self, record: Record) -> TrackedRun:
        """Remember a run; its model's description differs with each call, as MLflow's does."""
        self.records.append(record)
        if record.onnx is None:
            return TrackedRun(f"mlflow-{record.run}", None, None)
        version = self.versions.setdefault(record.run, str(len(self.versions) + 1))
        return TrackedRun(f"mlflow-{record.run}", version, f"written: {len(self.records)}\n".encode())

    def record_release(self, tracked_version: str, release: str) -> None:
        """Note which release a model version became."""
        self.releases[release] = tracked_version

    def version_of(self, release: str) -> str | None:
        """The model version that became a release."""
        return self.releases.get(release)

    def point(self, alias: str, version: str) -> None:
        """Give a model version an alias."""
        self.aliases[alias] = version

    def unpoint(self, alias: str, version: str) -> None:
        """Take an alias from a model version, if it has it."""
        if self.aliases.get(alias) == version:
            del self.aliases[alias]

    def version_with(self, alias: str) -> str | None:
        """The model version that has an alias."""
        return self.aliases.get(alias)

    def tag_outcome(self, version: str, outcome: str) -> None:
        """Note what became of a model version, and of the run that made it."""
        self.verdicts[version] = outcome
        self.outcomes |= {f"mlflow-{run}": outcome for run, made in self.versions.items() if made == version}

    def outcome_of(self, version: str) -> str:
        """What is on record as having become of a model version; "" where nothing is."""
        return self.verdicts.get(version, "")

    def conclude(self, run_id: str, version: str | None, outcome: str) -> None:
        """Note what became of a run."""
        self.outcomes[run_id] = outcome
        if version is not None:
            self.tag_outcome(version, outcome)
