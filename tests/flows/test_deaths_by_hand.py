"""`andamio promote` and `andamio rollback`, killed anywhere and given once more: one history, and MLflow agrees.

Each command runs undisturbed, which shows every call that it and the registry's function make at a port. Then it runs
again from the same state for each of these calls: the process is killed before it, killed after it, or the call fails.
The same command given once more ends as the undisturbed one did. Every night all of the calls, otherwise four
that write: the pointer, its record, the event and MLflow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from andamio.adapters.aws import Account
from andamio.adapters.events import BusEvents
from andamio.cli.models import serving
from andamio.contract import Contract
from andamio.release.pointer import Pointer, read_pointer
from andamio.storage import layout
from andamio.testing.cloud import REGION
from andamio.testing.tracker import MemoryTracker
from lambdas.registry import handler as registry_handler
from registry.follow import CHALLENGER
from rollout import promote as promotion
from rollout import trial as trials
from tests.support.api import Api
from tests.support.releases import challenge, heart, linear_onnx, seal_release
from tests.support.stored import Normal, differences, stored

from .cloud import Cloud, Killed, account
from .conftest import HEART
from .faults import WRITES, Fault, Place, Seen, ports
from .test_deaths import EXPLORES, HOW

MORE = {
    "ANDAMIO_TRACKING_URI": "memory",
    "ANDAMIO_LOCK": "10c" * 21 + "1",
}
BY = {"reason": "a test", "force": False}
COMMANDS = ("andamio", "registry")
"""Whose calls die: the command's process, and that of the function which it calls."""


@dataclass
class Hand:
    """An account with three releases, from whose state commands begin: the second serves, the first one did before."""

    cloud: Cloud
    tracker: MemoryTracker
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = Api(objects=self.cloud.models, refresh_seconds=0)  # type: ignore[arg-type]
        made = [seal_release(self.cloud.models, heart(), linear_onnx(heart(), scale=scale)) for scale in (1, 2, 3)]
        self.first, self.second, self.third = made
        for number, release in enumerate(made, start=1):
            self.tracker.record_release(str(number), release)
        now = datetime(2026, 11, 27, 9, tzinfo=UTC)
        for release in made[:2]:
            promotion.promote(self.cloud.models, "heart", release, now, by="ada", reason="it is better")
        self.check()
        self.records = {info.key for info in self.cloud.models.list(layout.DECISIONS)}
        self.clean = self.cloud.models.get(layout.pointer("heart")).body
        self.known = copy.deepcopy(vars(self.tracker))

    @property
    def deployed(self) -> dict[str, Any]:
        return {
            "problem": "heart",
            "system": "heart",
            "buckets": {"models": self.cloud.models.bucket},
            "mlflow_url": "memory",
        }

    def begin(self, ready: Callable[[Hand], None]) -> None:
        """The state from which every command begins, as if none had been given, and what `ready` adds to it."""
        for info in self.cloud.models.list(layout.DECISIONS):
            if info.key not in self.records:
                boto3.client("s3").delete_object(Bucket=self.cloud.models.bucket, Key=info.key)
        self.cloud.models.put(layout.pointer("heart"), self.clean)
        vars(self.tracker).update(copy.deepcopy(self.known))
        ready(self)
        self.told.clear()

    def check(self) -> bool:
        """`andamio check --registry`: whether it had to repair something."""
        answered = self.cloud.answer("registry", {"step": "follow", "problem": "heart"}, None)
        return bool(answered["repaired"])

    def pointer(self) -> Pointer:
        return read_pointer(self.cloud.models, "heart")[0]

    def found(self) -> dict[str, Any]:
        """Everything that a command leaves; what differs from run to run left out."""
        normal = Normal({self.first: "FIRST", self.second: "SECOND", self.third: "THIRD"})
        kept = {"models": self.cloud.models}
        return {
            **{key: said for key, said in stored(kept, normal).items() if not key.startswith("models/releases/")},
            "aliases": dict(self.tracker.aliases),
            "verdicts": dict(self.tracker.verdicts),
            "told": sorted(set(self.told)),
            "serves": self.version()["release"],
        }

    def version(self) -> Any:
        """What the API says of what it serves, a minute later."""
        self.api.clock.move(61)
        return self.api.get("/version").json


Command = Callable[[Hand], None]


def as_it_is(hand: Hand) -> None:
    """No trial."""


def in_a_canary(hand: Hand) -> None:
    """The third release answers a share."""
    challenge(hand.cloud.models, "heart", hand.third)
    hand.check()


def in_a_shadow(hand: Hand) -> None:
    """The third release is scored beside the champion."""
    challenge(hand.cloud.models, "heart", hand.third, "shadow")
    hand.check()


def after_a_trial(hand: Hand) -> None:
    """The rule withdrew the third release."""
    since = datetime(2026, 11, 27, 10, tzinfo=UTC)
    rollout = challenge(hand.cloud.models, "heart", hand.third, since=since.isoformat())
    rules = '\n[release]\nstrategy = "canary"\n'
    contract = Contract.from_toml((HEART / "problem.toml").read_text() + rules)
    looked = trials.look(hand.cloud.lake, hand.cloud.models, contract, rollout, since + timedelta(days=1))
    assert looked.status == "withdrawn"
    hand.check()


def promote(release: str) -> Command:
    return lambda hand: serving.promote(hand.deployed, getattr(hand, release), **BY)


def roll_back(release: str | None = None) -> Command:
    return lambda hand: serving.roll_back(hand.deployed, release and getattr(hand, release), **BY)


CASES: dict[str, tuple[Command, Command, str]] = {
    "promote": (as_it_is, promote("third"), "third"),
    "promote the challenger of a canary": (in_a_canary, promote("third"), "third"),
    "promote the challenger of a shadow": (in_a_shadow, promote("third"), "third"),
    "promote another during a trial": (in_a_canary, promote("first"), "first"),
    "promote the champion during a trial": (in_a_canary, promote("second"), "second"),
    "rollback": (as_it_is, roll_back(), "first"),
    "rollback to a named one": (as_it_is, roll_back("third"), "third"),
    "rollback of a trial": (in_a_canary, roll_back(), "second"),
    "rollback of a trial by the champion's name": (in_a_canary, roll_back("second"), "second"),
    "rollback of the champion during a trial": (in_a_canary, roll_back("first"), "first"),
    "rollback after a trial": (after_a_trial, roll_back(), "first"),
}
"""What is done before, the command, and the release that serves after it."""


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    tracker = MemoryTracker()
    with pytest.MonkeyPatch.context() as patch, account(HEART, tmp_path_factory.mktemp("hand"), patch, MORE) as cloud:
        patch.setattr("registry.mlflow.MlflowTracker", lambda *_: tracker)
        cloud.function("registry", registry_handler)
        made = Hand(cloud, tracker)
        one = Account(None, REGION)
        patch.setattr(serving, "account_of", lambda deployed: one)
        patch.setattr(serving.api, "call", lambda *_: made.version())
        put = BusEvents.put
        patch.setattr(
            BusEvents,
            "put",
            lambda bus, event: (
                made.told.append(f"{event.kind}: {event.detail.message} ({event.detail.id})"),
                put(bus, event),
            )[1],
        )
        yield made


def given(hand: Hand, command: Command, fault: Fault | None = None) -> Seen:
    """Give a command, which may die."""
    with ports(fault, command="andamio") as seen, suppress(Killed, ConnectionResetError):
        command(hand)
    return seen


def wrong(hand: Hand, command: Command, expected: dict[str, Any]) -> str:
    """What is not as an undisturbed command leaves it; "" for nothing."""
    said = differences(hand.found(), expected)
    keys = [info.key for info in hand.cloud.models.list(layout.DECISIONS)]
    revisions = sorted(int(key.rsplit("-", 2)[1]) for key in keys)
    if revisions != list(range(1, hand.pointer().revision + 1)):
        said.append(f"revisions {revisions} are on record")
    if hand.check():
        said.append("andamio check --registry had something to repair")
    return "; ".join(said)


def few(places: list[Place]) -> list[Fault]:
    """A death at the call that changes what serves, and one at each that follows from it."""
    last = {place.call: place for place in places}
    mlflow = [place for place in places if place.function == "registry" and place.call in WRITES][-1]
    return [
        Fault(last["put"], "after"),
        Fault(last["put_new"], "before"),
        Fault(last["send"], "instead"),
        Fault(mlflow, "before"),
    ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.timeout(3 * 3600 if EXPLORES else 300)
def test_whatever_dies_the_same_command_ends_right(hand: Hand, case: str) -> None:
    ready, command, serves = CASES[case]
    hand.begin(ready)
    places = [place for place in dict.fromkeys(given(hand, command).places) if place.function in COMMANDS]
    expected = hand.found()
    assert expected["serves"] == getattr(hand, serves)
    assert not wrong(hand, command, expected)
    assert CHALLENGER not in expected["verdicts"].values()
    left = {}
    for fault in [Fault(place, when) for place in places for when in HOW] if EXPLORES else few(places):
        hand.begin(ready)
        assert given(hand, command, fault).struck
        given(hand, command)
        if said := wrong(hand, command, expected):
            left[f"{fault.when} {fault.place}"] = said
    assert not left, f"{len(left)} deaths:\n" + "\n".join(f"{where}\n    {said}" for where, said in left.items())
