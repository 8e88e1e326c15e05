"""The machine's own ends of a trial, killed anywhere: the rule promotes or withdraws once, and all agree.

An undisturbed execution shows every call that the registry's function makes at a port. Then a new account for each of
them: the function is killed before it, killed after it, or the call fails. The machine tries again by itself; where it
failed all the same, it is started again. Storage, events and MLflow end as without a death. Every night; otherwise
`test_rollout` has three deaths of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto.moto_api._internal import mock_random
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from andamio.adapters.events import BusEvents
from andamio.release.history import read_history
from andamio.testing.tracker import MemoryTracker
from tests.support.stored import Normal, differences, stored

from .cloud import account
from .conftest import HEART, deploy_trials
from .faults import WRITES, Fault, Place, ports
from .test_deaths import EXPLORES, HOW
from .test_rollout import MORE, RULES, Trial

CASES: dict[str, tuple[dict[str, float], dict[str, int], str, str]] = {
    "promoted by the rule": ({"seconds_ago": 61}, {"count": 100}, "promoted", "challenger"),
    "withdrawn for its faults": ({"seconds_ago": 5}, {"count": 100, "faults": 3}, "withdrawn", "champion"),
    "withdrawn for too few records": ({"seconds_ago": 601}, {"count": 20}, "withdrawn", "champion"),
}
"""When it began, what was logged of it, how it ends, and who serves then."""


@contextmanager
def begun(folder: Path, case: str) -> Iterator[tuple[Trial, MemoryTracker, list[str]]]:
    """An account with a trial that is about to end, MLflow, and the events that are sent."""
    began, logged, _, _ = CASES[case]
    tracker, told = MemoryTracker(), list[str]()
    mock_random.seed(11)
    with pytest.MonkeyPatch.context() as patch, account(HEART, folder, patch, MORE) as cloud:
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))
        patch.setattr("registry.mlflow.MlflowTracker", lambda *_: tracker)
        put = BusEvents.put
        patch.setattr(
            BusEvents,
            "put",
            lambda bus, event: (told.append(f"{event.kind} ({event.detail.id})"), put(bus, event))[1],
        )
        cloud.contract((HEART / "problem.toml").read_text() + RULES)
        deploy_trials(cloud)
        trial = Trial(cloud)
        for number, release in enumerate((trial.champion, trial.challenger), start=1):
            tracker.record_release(str(number), release)
        trial.log(**logged)
        trial.begin(**began)
        yield trial, tracker, told


def found(trial: Trial, tracker: MemoryTracker, told: list[str]) -> dict[str, Any]:
    """Everything that the end of a trial leaves; what differs from run to run left out."""
    normal = Normal({trial.champion: "CHAMPION", trial.challenger: "CHALLENGER"})
    kept = stored({"models": trial.cloud.models}, normal)
    return {
        **{key: said for key, said in kept.items() if not key.startswith("models/releases/")},
        "kinds": [record.kind for record in read_history(trial.cloud.models, "heart")],
        "aliases": dict(tracker.aliases),
        "verdicts": dict(tracker.verdicts),
        "told": sorted({normal.value(one) for one in told}),
        "serves": trial.serving(),
    }


def undisturbed(folder: Path, case: str) -> tuple[list[Place], dict[str, Any]]:
    with begun(folder, case) as (trial, tracker, told), ports() as seen:
        ended = trial.run()
        assert ended.output["status"] == CASES[case][2], ended.cause
        assert trial.serving() == (getattr(trial, CASES[case][3]), None)
        places = [place for place in dict.fromkeys(seen.places) if place.function == "registry"]
        return places, found(trial, tracker, told)


def died(folder: Path, case: str, fault: Fault, expected: dict[str, Any]) -> str:
    """What differs when the function dies there; "" for nothing."""
    with begun(folder, case) as (trial, tracker, told):
        with ports(fault) as seen:
            ended = trial.run()
        if not seen.struck:
            return "the fault did not come"
        if ended.status != "SUCCEEDED":
            ended = trial.run()
        if ended.status != "SUCCEEDED":
            return f"started again it failed too: {ended.cause}"
        if ended.output["status"] != CASES[case][2]:
            return f"it ended as {ended.output['status']}"
        return "; ".join(differences(found(trial, tracker, told), expected))


@pytest.mark.skipif(not EXPLORES, reason="some hundred accounts: every night")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.timeout(3 * 3600)
def test_wherever_the_end_of_a_trial_dies_it_ends_once_and_all_agree(tmp_path: Path, case: str) -> None:
    places, expected = undisturbed(tmp_path / "whole", case)
    assert {"put", "put_new", "send", "conclude"} <= {place.call for place in places if place.call in WRITES}
    faults = [Fault(place, when) for place in places for when in HOW]
    wrong = {}
    for number, fault in enumerate(faults):
        if said := died(tmp_path / str(number), case, fault, expected):
            wrong[f"{fault.when} {fault.place}"] = said
    print(f"{case}: {len(places)} calls, {len(faults)} deaths")
    assert not wrong, f"{len(wrong)} of {len(faults)} deaths:\n" + "\n".join(f"{k}\n    {v}" for k, v in wrong.items())
