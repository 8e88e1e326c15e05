"""Progress of a search: one line for each finished trial, and the state of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.markup import escape

from andamio.adapters.aws import Account
from andamio.cli.console import err
from andamio.stats.metrics import higher_is_better
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from training.documents import TRIAL, ScoredTrial, TrainingPlan, UnscoredTrial
from training.run import PLAN_FILE

_PLAN_STATE = "Plan"
"""The state whose output names the run."""


@dataclass
class TrialProgress:
    """What is known of the trials of an execution; `update` prints new trials and returns the progress."""

    account: Account
    arn: str
    models: Objects
    plan: TrainingPlan | None = None
    _read: set[str] = field(default_factory=set)
    _done: int = 0
    _round: int = 0
    _best: tuple[float, str] | None = None

    def update(self) -> str:
        """Print the results since the last call, and return the progress; "" while there are none."""
        if self.plan is None:
            self.plan = self._find_plan()
            if self.plan is None:
                return ""
        prefix = layout.run(self.plan.run, "trials/")
        for info in self.models.list(prefix):
            if info.key.endswith(".json") and info.key not in self._read:
                self._read.add(info.key)
                self._add(documents.read(self.models, info.key, TRIAL), self.plan)
        return self._state(self.plan)

    def _find_plan(self) -> TrainingPlan | None:
        output = self.account.state_output(self.arn, _PLAN_STATE)
        if output is None:
            return None
        return documents.find(self.models, layout.run(output["plan"]["run"], PLAN_FILE), TrainingPlan)

    def _add(self, trial: ScoredTrial | UnscoredTrial, plan: TrainingPlan) -> None:
        self._done += not trial.baseline
        self._round = max(self._round, trial.round)
        position = "baseline" if trial.baseline else f"{self._done} of {plan.search.trials}"
        prefix = f"  [dim]{position:>9}  round {trial.round}[/dim]  {escape(trial.id):30}"
        if isinstance(trial, UnscoredTrial):
            err.print(f"{prefix} {trial.status}: [dim]{escape(trial.why)}[/dim]")
            return
        better = not trial.baseline and self._is_best(trial.mean, plan.metric)
        if better:
            self._best = trial.mean, trial.id
        mark = " [green]best so far[/green]" if better else ""
        err.print(f"{prefix} {plan.metric} {trial.mean:.4f} ± {trial.se:.4f}  {trial.seconds:5.1f} s{mark}")

    def _is_best(self, mean: float, metric: str) -> bool:
        if self._best is None:
            return True
        return mean > self._best[0] if higher_is_better(metric) else mean < self._best[0]

    def _state(self, plan: TrainingPlan) -> str:
        best = f", best {plan.metric} {self._best[0]:.4f} ({self._best[1]})" if self._best else ""
        return f"{self._done} of {plan.search.trials} trials, round {max(self._round, 1)}{best}"
