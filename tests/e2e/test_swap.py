"""A new champion is served without a redeploy and without a failed request; a bad one is refused."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from andamio.release.release import FILES, Release, seal
from andamio.storage import layout

from .conftest import COURSE, Clone, Deployed

pytestmark = pytest.mark.e2e

SWAP_SECONDS = 60
PAUSE = 0.02  # between two requests of one client: three clients stay below the rate that the API's plan allows


def _promote(heart: Deployed, version: str) -> None:
    models = heart.bucket("models")
    pointer, etag = read_pointer(models, "heart")
    swap_pointer(models, pointer.promoted(PointerEntry(version, datetime.now(UTC).isoformat(), "test")), etag)


def _served(heart: Deployed) -> str:
    """The version that answers a prediction now."""
    reply = heart.request("POST", "/predict", json=COURSE)
    assert reply.status_code == 200, reply.text
    version: str = reply.json()["model"]["version"]
    return version


def _twin(heart: Deployed, note: str) -> str:
    """A release like the champion's, told apart by its decision record."""
    models = heart.bucket("models")
    pointer, _ = read_pointer(models, "heart")
    assert pointer.champion is not None
    release = Release.open(models, pointer.champion.release)
    files = {name: release.read(name) for name in FILES}
    files["decision.json"] = json.dumps({**json.loads(files["decision.json"]), "reason": note}).encode()
    return seal(models, files, release.info)


def test_a_new_champion_is_served_with_no_failed_request(heart: Deployed) -> None:
    before = _served(heart)
    after = _twin(heart, "a twin, to see the swap")
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(PAUSE):
            statuses.append(heart.request("POST", "/predict", json=COURSE).status_code)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        _promote(heart, after)
        started = time.monotonic()
        served = before
        while served != after and time.monotonic() - started < SWAP_SECONDS:
            time.sleep(PAUSE)
            served = _served(heart)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
        _promote(heart, before)
    assert served == after
    assert set(statuses) == {200}


def test_a_release_that_was_tampered_with_is_refused_and_the_old_one_goes_on(heart: Deployed) -> None:
    models = heart.bucket("models")
    tampered = _twin(heart, "to be tampered with")
    models.put(layout.release(tampered, "model.onnx"), b"not the model that was sealed")
    pointer, etag = read_pointer(models, "heart")
    _promote(heart, tampered)
    try:
        refused, started = 0, time.monotonic()
        while not refused and time.monotonic() - started < SWAP_SECONDS:
            time.sleep(PAUSE)
            assert _served(heart) != tampered
            reply = heart.request("GET", "/version")
            assert reply.status_code == 200, reply.text
            refused = reply.json()["refusals"]
        assert refused
    finally:
        now, etag = read_pointer(models, "heart")
        swap_pointer(models, replace(pointer, revision=now.revision + 1), etag)


def test_a_rollback_is_served_within_a_minute_and_the_twin_is_not_promoted_again(clone: Clone, heart: Deployed) -> None:
    champion = read_pointer(heart.bucket("models"), "heart")[0].champion
    assert champion is not None
    before = champion.release
    twin = _twin(heart, "a twin, to take it back")
    clone.ok("promote", twin, "--reason", "to see it taken back")
    assert heart.request("GET", "/version").json()["release"] == twin
    started = time.monotonic()
    said = clone.ok("rollback", "--reason", "it is wrong").said
    assert time.monotonic() - started < SWAP_SECONDS
    assert f"Release {twin} is withdrawn, and release {before} is champion again." in " ".join(said.split())
    assert _served(heart) == before
    refused = clone.run("promote", twin)
    assert refused.code != 0
    assert "it is wrong" in refused.said
    records = json.loads(clone.ok("history", "--json").out)
    assert [(each["kind"], each["release"]) for each in records[-2:]] == [("promoted", twin), ("rolled_back", before)]
    assert "is at version" in " ".join(clone.ok("check", "--registry").said.split())
    # The twin is the champion's own model: forced, it is withdrawn no longer, and the champion serves again after it.
    clone.ok("promote", twin, "--force")
    clone.ok("promote", before)
