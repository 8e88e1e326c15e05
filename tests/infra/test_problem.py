"""A folder that cannot be deployed is refused before anything is made."""

from __future__ import annotations

import zipfile

import pytest

from andamio.contract.tables import Batch, Training
from infra import REPOSITORY
from infra.problem import ProblemError, read_problem
from tests.infra.conftest import LOCAL


def folder(tmp_path, toml: str):
    (tmp_path / "problem.toml").write_text(toml)
    return tmp_path


def test_the_name_and_how_many_trials_run_at_once(tmp_path):
    problem = read_problem(folder(tmp_path, '[problem]\nname = "my-problem"\n[training]\nparallel = 9\n'))
    assert (problem.name, problem.parallel, problem.keep_days) == ("my-problem", 9, 90)
    assert read_problem(REPOSITORY / "problems" / "heart").name == "heart"


def test_what_is_not_said_is_what_the_contract_takes_it_for(tmp_path):
    problem = read_problem(folder(tmp_path, '[problem]\nname = "my-problem"\n'))
    assert (problem.parallel, problem.keep_days) == (Training().parallel, Batch().keep_days)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[problem\n", "not valid TOML"),
        ("[training]\n", r"\[problem\] name must be"),
        ("problem = 1\n", "problem must be a table"),
        ('[problem]\nname = "Heart"\n', "Got 'Heart' instead"),
        ('[problem]\nname = "h"\n', r"2 to 31"),
        (f'[problem]\nname = "{"h" * 32}"\n', r"2 to 31"),
        ("[problem]\nname = 7\n", "Got 7 instead"),
        ('[problem]\nname = "heart"\n[training]\nparallel = 41\n', "from 1 to 40"),
        ('[problem]\nname = "heart"\n[training]\nparallel = true\n', "from 1 to 40"),
        ('[problem]\nname = "heart"\n[batch]\nkeep_days = 0\n', "keep_days must be an integer of at least 1"),
        ('[problem]\nname = "heart"\n[batch]\nkeep_days = "90"\n', "Got '90' instead"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, toml, said):
    with pytest.raises(ProblemError, match=said) as raised:
        read_problem(folder(tmp_path, toml))
    assert "problem.toml" in str(raised.value)


def test_a_folder_without_a_contract_is_refused(tmp_path):
    with pytest.raises(ProblemError, match="does not exist"):
        read_problem(tmp_path / "nowhere")


def test_a_batch_is_kept_for_as_long_as_the_contract_says(synthesize, tmp_path):
    (tmp_path / "problem.toml").write_text('[problem]\nname = "wine"\n[batch]\nkeep_days = 12\n')
    bucket = synthesize(LOCAL, problem=str(tmp_path)).named("AWS::S3::Bucket", "Batch")
    kept = {rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]
            if "ExpirationInDays" in rule}  # fmt: skip
    assert kept == dict.fromkeys(("incoming/", "scored/", "rejected/", "batches/"), 12)


def test_another_problem_is_deployed_beside_the_first(synthesize, tmp_path):
    toml = '[problem]\nname = "wine"\n# "quotes", \\ and ünïcode stay as they are\n'
    (tmp_path / "problem.toml").write_bytes(toml.encode())
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:2"}
    deployed = synthesize(environ, problem=str(tmp_path))
    assert {function["FunctionName"] for function in deployed.of_type("AWS::Lambda::Function").values()} == {
        f"andamio-wine-{part}" for part in ("api", "etl", "train", "search", "registry", "score")
    }


def test_the_layer_holds_the_file_byte_for_byte_and_the_same_file_makes_the_same_layer(synthesize, tmp_path):
    from aws_cdk import App, Stack

    from infra.constructs.contract import ContractLayer

    toml = b'[problem]\r\nname = "heart" # caf\xc3\xa9\n'
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        ContractLayer(Stack(App(), "stack"), "Contract", system="heart", toml=toml, folder=tmp_path / place)
    (first,), (second,) = ((tmp_path / place).glob("*.zip") for place in ("one", "two"))
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as layer:
        assert layer.read("python/andamio_problem/problem.toml") == toml
        assert set(layer.namelist()) == {"python/andamio_problem/__init__.py", "python/andamio_problem/problem.toml"}
