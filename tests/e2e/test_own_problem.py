"""Problems that predict a number and bring code of their own: from the raw file to every kind of answer."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from andamio.release.pointer import champion, read_pointer
from andamio.release.proof import Proof
from andamio.release.release import PROOF, Release

from .conftest import REPO, Clone, Deployed
from .test_verify import NIGHTLY
from .test_watch import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("heart_again")]

RENT = """
[problem]
name = "rent"
task = "regression"
target = "rent"
target_min = 0
target_max = 5000
unit = "EUR"

[data]
files = ["rent.csv"]

[training]
families = ["ridge"]
trials = 1
repeats = 1
compute = "function"

[raw.size]
type = "text"
example = "48.5 m2"

[raw.built]
type = "date"
private = true

[features.size]
type = "number"
min = 5
max = 500
unit = "m2"

[features.old]
type = "boolean"
derived = true

[features.rooms]
type = "integer"
min = 1
max = 20
"""
PREPARE = """
import numpy as np

def prepare(columns):
    size = np.array([float(text.removesuffix(" m2")) for text in columns["size"]])
    return {"size": size, "old": columns["built"] < np.datetime64("1940-01-01")}
"""
Row = dict[str, Any]


def rows(count: int) -> list[Row]:
    """Flats as the file has them: their size with its unit, and a rent that follows from it, from age and rooms.

    When they were built is private, and before 1970: no such date is ever made up.
    """
    rng = np.random.default_rng(5)
    size, rooms, day = rng.uniform(20, 140, count).round(1), rng.integers(1, 6, count), rng.integers(-25_000, -1, count)
    built = np.datetime64("1970-01-01") + day
    rent = 150 + 11 * size + 40 * rooms - 120 * (built < np.datetime64("1940-01-01")) + rng.normal(0, 40, count)
    cells = zip(size, rooms, built, rent.round(2), strict=True)
    return [{"size": f"{a} m2", "rooms": int(b), "built": str(c), "rent": float(d)} for a, b, c, d in cells]


ROWS = rows(400)


@pytest.fixture(scope="module")
def rent(clone: Clone, heart_again: None, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Deployed, and trained by the files of the folder."""
    folder = tmp_path_factory.mktemp("problems") / "rent"
    folder.mkdir()
    (folder / "problem.toml").write_text(RENT)
    (folder / "prepare.py").write_text(PREPARE)
    _write(folder / "rent.csv", ROWS)
    clone.ok("deploy", "--problem", str(folder))
    clone.ok("ingest", str(folder / "rent.csv"), "--problem", "rent")
    return clone.deployed("rent")


def _write(file: Path, table: list[Row]) -> None:
    with file.open("w", newline="") as body:
        writer = csv.DictWriter(body, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def _sent(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "rent"}


def test_raw_columns_are_answered_by_a_number_alone_explained_and_in_a_file(
    clone: Clone, rent: Deployed, tmp_path: Path
) -> None:
    some = [_sent(row) for row in ROWS[:40]]
    replies = [rent.request("POST", "/predict", json={"features": record}) for record in some]
    assert {reply.status_code for reply in replies} == {200}, replies[0].text
    answers = [reply.json() for reply in replies]
    values = [answer["value"] for answer in answers]
    assert {answer["unit"] for answer in answers} == {"EUR"}
    held = [
        answer["interval"]["low"] <= row["rent"] <= answer["interval"]["high"]
        for answer, row in zip(answers, ROWS, strict=False)
    ]
    assert np.mean(held) > 0.75  # of a level of 0.9

    explained = rent.request("POST", "/explain", json={"features": some[0]}).json()
    assert {one["feature"] for one in explained["contributions"]} == {"size", "old", "rooms"}
    wrong = rent.request("POST", "/predict", json={"features": some[0] | {"size": "large"}})
    assert wrong.status_code == 422

    file, result = tmp_path / "flats.csv", tmp_path / "scored.csv"
    _write(file, some)
    clone.ok("batch", str(file), "--problem", "rent", "--output", str(result))
    with result.open(newline="") as body:
        assert [float(row["value"]) for row in csv.DictReader(body)] == pytest.approx(values, rel=1e-5)

    def watched() -> int:
        """Rows in the window, once all are; those of its last second are not in it."""
        report: dict[str, Any] = json.loads(clone.ok("monitor", "--json", "--problem", "rent").out)
        rows = int(report["traffic"]["rows"])
        return rows if rows >= 2 * len(some) else 0

    assert until(watched) == 2 * len(some)  # the file's rows are predictions, too


def real_dates(body: bytes) -> list[str]:
    """The private values of the file that stand in the bytes of an object, as they are or compressed by gzip."""
    if body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    return sorted({row["built"] for row in ROWS if row["built"].encode() in body})


def test_a_release_is_proved_with_no_private_value_and_registered_with_its_code(rent: Deployed) -> None:
    models = rent.bucket("models")
    pointer, _ = read_pointer(models, "rent")
    proof = Release.open(models, champion(pointer).release).document(PROOF, Proof)
    assert len(proof.records) > 20
    assert all("built" in record for record in proof.records)
    lake = rent.bucket("lake")
    samples = [info.key for info in lake.list("datasets/") if info.key.endswith("/samples.json")]
    assert samples
    kept = {key: lake.get(key).body for key in samples}
    kept |= {info.key: models.get(info.key).body for info in models.list("")}
    leaked = {key: found for key, body in kept.items() if (found := real_dates(body))}
    assert not leaked
    assert [info.key for info in models.list("mlflow/") if info.key.endswith("artifacts/prepare.py")]


@pytest.mark.skipif(not NIGHTLY, reason="a deployment and a training more each: every night")
@pytest.mark.parametrize(
    ("problem", "answered"),
    [
        ("diabetes", {"value", "interval", "unit"}),
        ("listings", {"label", "probabilities"}),
        ("penguins", {"label", "probabilities"}),
        ("churn", {"label", "probabilities"}),
    ],
)
def test_a_problem_of_the_repository_reaches_a_served_prediction(
    clone: Clone, problem: str, answered: set[str]
) -> None:
    done = clone.ok("demo", "--problem", str(REPO / "problems" / problem))
    assert "A batch: a file in S3, scored" in done.said
    assert "What follows from drift" in done.said, "no second file: what it would show, and how, is said"
    deployed = clone.deployed(problem)
    example = deployed.request("GET", "/schema").json()["examples"][0]
    assert answered <= deployed.request("POST", "/predict", json={"features": example}).json().keys()
