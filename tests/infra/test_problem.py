"""A folder that cannot be deployed is refused before anything is made."""

from __future__ import annotations

import zipfile

import pytest

from andamio.errors import ContractError
from andamio.storage import layout
from infra import REPOSITORY
from infra.problem import read_problem
from tests.infra.conftest import LOCAL

REST = 'target = "y"\nlabels = { a = "A", b = "B" }\n[features.x]\ntype = "number"\n'
"""What a contract needs beside the name of its problem."""


def folder(tmp_path, toml: str):
    (tmp_path / "problem.toml").write_text(toml)
    return tmp_path


def test_the_name_and_how_many_trials_run_at_once(tmp_path):
    toml = f'[problem]\nname = "my-problem"\n{REST}[training]\nparallel = 9\n'
    read = read_problem(folder(tmp_path, toml)).contract
    assert (read.problem.name, read.training.parallel, read.batch.keep_days) == ("my-problem", 9, 90)
    assert read_problem(REPOSITORY / "problems" / "heart").contract.problem.name == "heart"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[problem\n", "not valid TOML"),
        ("[training]\n", r"\[problem\]"),
        ("problem = 1\n", r"\[problem\]"),
        (f'[problem]\nname = "Heart"\n{REST}', "2 to 31"),
        (f'[problem]\nname = "h"\n{REST}', "2 to 31"),
        (f'[problem]\nname = "{"h" * 32}"\n{REST}', "2 to 31"),
        (f"[problem]\nname = 7\n{REST}", r"\[problem\] name"),
        (f'[problem]\nname = "heart"\n{REST}[training]\nparallel = 41\n', r"\[training\] parallel"),
        (f'[problem]\nname = "heart"\n{REST}[training]\nparallel = true\n', r"\[training\] parallel"),
        (f'[problem]\nname = "heart"\n{REST}[batch]\nkeep_days = 0\n', r"\[batch\] keep_days"),
        (f'[problem]\nname = "heart"\n{REST}[batch]\nkeep_days = "90"\n', r"\[batch\] keep_days"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, toml, said):
    with pytest.raises(ContractError, match=said) as raised:
        read_problem(folder(tmp_path, toml))
    assert "problem.toml" in str(raised.value)


def test_a_folder_without_a_contract_is_refused(tmp_path):
    with pytest.raises(ContractError, match="no such file"):
        read_problem(tmp_path / "nowhere")


def test_a_batch_is_kept_for_as_long_as_the_contract_says(synthesize, tmp_path):
    (tmp_path / "problem.toml").write_text(f'[problem]\nname = "wine"\n{REST}[batch]\nkeep_days = 12\n')
    bucket = synthesize(LOCAL, problem=str(tmp_path)).named("AWS::S3::Bucket", "Batch")
    kept = {rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]
            if "ExpirationInDays" in rule}  # fmt: skip
    assert kept == dict.fromkeys(("incoming/", "scored/", "rejected/", "batches/"), 12)


def test_captures_labels_and_reports_are_kept_for_as_long_as_the_contract_says(synthesize, tmp_path):
    (tmp_path / "problem.toml").write_text(f'[problem]\nname = "wine"\n{REST}[monitor]\nkeep_days = 33\n')
    bucket = synthesize(LOCAL, problem=str(tmp_path)).named("AWS::S3::Bucket", "Lake")
    kept = {rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]
            if "ExpirationInDays" in rule}  # fmt: skip
    assert (kept["captures/"], kept["feedback/"], kept["monitoring/dt="], kept["trials/"]) == (33, 33, 33, 33)
    assert "raw/" not in kept


def test_a_short_time_to_keep_ends_no_lock_no_budget_and_no_trial(synthesize, tmp_path):
    """A cool-down may be longer than reports are kept, the budget is of a week, and a trial takes up to ten days."""
    (tmp_path / "problem.toml").write_text(f'[problem]\nname = "wine"\n{REST}[monitor]\nkeep_days = 1\n')
    rules = synthesize(LOCAL, problem=str(tmp_path)).named("AWS::S3::Bucket", "Lake")["LifecycleConfiguration"]["Rules"]
    kept = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert not [prefix for prefix in kept if layout.RETRAINING.startswith(prefix)]
    assert kept["trials/"] == 11
    assert kept["captures/"] == kept["monitoring/dt="] == kept["monitoring/latest.json"] == 1
    (forgotten,) = (rule for rule in rules if rule.get("Prefix") == layout.RETRAINING)
    assert forgotten["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}


def test_earlier_versions_of_captured_records_are_forgotten_like_those_of_data(deployment):
    """They hold what people sent; the current one is needed to make a data version again."""
    rules = deployment.named("AWS::S3::Bucket", "Lake")["LifecycleConfiguration"]["Rules"]
    forgotten = {rule.get("Prefix"): rule.get("NoncurrentVersionExpiration") for rule in rules}
    assert forgotten[layout.CAPTURED] == forgotten[layout.DATASETS] == {"NoncurrentDays": 365}
    (rule,) = (rule for rule in rules if rule.get("Prefix") == layout.CAPTURED)
    assert "ExpirationInDays" not in rule


def test_another_problem_is_deployed_beside_the_first(synthesize, tmp_path):
    toml = f'[problem]\nname = "wine"\n{REST}# "quotes", \\ and ünïcode stay as they are\n'
    (tmp_path / "problem.toml").write_bytes(toml.encode())
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:2"}
    deployed = synthesize(environ, problem=str(tmp_path))
    assert {function["FunctionName"] for function in deployed.of_type("AWS::Lambda::Function").values()} == {
        f"andamio-wine-{part}" for part in ("api", "etl", "train", "search", "registry", "score", "capture", "monitor")
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


OWN = 'target_from = "prepare"\ntarget = "price"\nlabels = { a = "A", b = "B" }\n[features.x]\ntype = "number"\n'


def test_own_code_is_a_layer_of_the_functions_that_run_it_or_go_by_its_digest(synthesize, tmp_path):
    (tmp_path / "problem.toml").write_text(f'[problem]\nname = "wine"\n{OWN}')
    (tmp_path / "prepare.py").write_text("def target(columns):\n    return columns\n")
    deployed = synthesize(LOCAL, problem=str(tmp_path))
    layers = {layer["LayerName"]: key for key, layer in deployed.of_type("AWS::Lambda::LayerVersion").items()}
    with_code = {
        function["FunctionName"].removeprefix("andamio-wine-")
        for function in deployed.of_type("AWS::Lambda::Function").values()
        if {"Ref": layers["andamio-wine-code"]} in function.get("Layers", [])
    }
    assert with_code == {"etl", "train", "registry", "api", "score", "monitor"}


def test_a_problem_without_own_code_has_no_such_layer(synthesize):
    names = {layer["LayerName"] for layer in synthesize(LOCAL).of_type("AWS::Lambda::LayerVersion").values()}
    assert names == {"andamio-heart-contract"}


def test_the_layer_of_the_code_is_the_same_for_the_same_file(tmp_path):
    from aws_cdk import App, Stack

    from infra.constructs.code import CodeLayer

    source = b"def prepare(columns):\r\n    return columns\r\n"
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        CodeLayer(
            Stack(App(), "stack"),
            "Code",
            system="heart",
            name="code",
            files={"prepare.py": source},
            folder=tmp_path / place,
        )
    (first,), (second,) = ((tmp_path / place).glob("*.zip") for place in ("one", "two"))
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())
    with zipfile.ZipFile(first) as layer:
        assert layer.read("python/andamio_code/prepare.py") == source
        assert set(layer.namelist()) == {"python/andamio_code/__init__.py", "python/andamio_code/prepare.py"}
