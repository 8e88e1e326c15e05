"""A problem with a pipeline.py: from the raw file to a served model of one's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from andamio.contract.own_code import source_digest
from andamio.release.pointer import champion, read_pointer
from andamio.release.release import Release
from andamio.testing import LocalAws, local_aws

REPO = Path(__file__).parents[2]
HEART = REPO / "problems" / "heart"
PIPELINE = (REPO / "docs" / "pipeline.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
"""The example that people start from."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    folder = tmp_path_factory.mktemp("problems") / "heart"
    shutil.copytree(HEART, folder)
    (folder / "pipeline.py").write_text(PIPELINE)
    with local_aws(folder) as account:
        account.put("raw/heart.csv", (folder / "heart.csv").read_bytes())
        account.run("etl")
        yield account


def test_ones_own_pipeline_is_searched_promoted_and_answers(aws: LocalAws) -> None:
    trained = aws.run("train", {"families": ["pipeline"], "trials": 3})
    assert trained.output["status"] == "promoted"
    release = Release.open(aws.models, champion(read_pointer(aws.models, "heart")[0]).release)
    digest = source_digest(PIPELINE.encode())
    assert (release.info["family"], release.info["pipeline"]) == ("pipeline", digest)
    assert digest in release.read("card.md").decode()
    (example,) = aws.request("GET", "/schema").json["examples"]
    predicted = aws.request("POST", "/predict", {"features": example})
    assert predicted.status == 200, predicted.text
    explained = aws.request("POST", "/explain", {"features": example})
    assert explained.status == 200, explained.text
    assert {each["feature"] for each in explained.json["contributions"]} == set(release.contract().inputs)
