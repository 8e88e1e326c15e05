"""The real thing: emulator, PostgreSQL and MLflow, up, down, crashed, repaired, two side by side."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from andamio.cli.cloud.local import save
from andamio.errors import CommandError
from localstack.cloud import Cloud
from localstack.home import Home
from localstack.process import marked, wait_until

from .conftest import CommandLine, runs

pytestmark = pytest.mark.timeout(120)
ENVIRONMENT_HANDLER = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"


@pytest.fixture(scope="module")
def other(new_cloud: Callable[[], CommandLine]) -> CommandLine:
    return new_cloud()


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) == 0


def kill(cloud: CommandLine, *names: str) -> None:
    pids = cloud.pids()
    for name in names:
        os.kill(pids[name], signal.SIGKILL)
    assert wait_until(lambda: not any(runs(pids[name]) for name in names), 10)


def test_up_says_where_everything_is(cloud):
    recorded = json.loads((cloud.home / "cloud.json").read_text())
    assert recorded["region"] == "us-east-1"
    assert recorded["account"] == "000000000000"
    assert set(recorded["services"]) == {"emulator", "postgres", "mlflow"}
    assert listens(recorded["endpoint_url"])
    for service in recorded["services"].values():
        assert psutil.Process(service["pid"]).create_time() == pytest.approx(service["started"], abs=1)
        assert Path(service["log"]).exists()


def test_up_on_a_running_cloud_changes_nothing(cloud):
    before = cloud.pids()
    saved = (cloud.home / "cloud.json").read_bytes()
    cloud.up()
    assert cloud.pids() == before
    assert (cloud.home / "cloud.json").read_bytes() == saved


def test_everything_listens_on_the_loopback_interface_alone(cloud):
    cloud.ok("wait")
    for name, pid in cloud.pids().items():
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        addresses = {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        assert addresses == (set() if name == "postgres" else {"127.0.0.1"})


def test_mlflow_goes_on_when_its_database_was_restarted(cloud):
    kill(cloud, "postgres")
    cloud.up()
    recorded = cloud.ok("wait", "mlflow")
    reply = httpx.get(f"{recorded['mlflow_url']}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"})
    assert reply.status_code == 200


def test_functions_see_nothing_of_the_shell_that_started_the_cloud(cloud):
    cloud.create_function("looks-around", ENVIRONMENT_HANDLER)
    seen = cloud.invoke("looks-around")
    assert seen["AWS_ENDPOINT_URL"] == json.loads((cloud.home / "cloud.json").read_text())["endpoint_url"]
    assert not {"AWS_PROFILE", "HTTP_PROXY", "PYTHONPATH", "VIRTUAL_ENV", "UV"} & set(seen)
    assert seen["HOME"].startswith(str(cloud.home))


def test_a_crash_loses_nothing_that_was_deployed_before_a_quiet_moment(cloud):
    cloud.create_function("deployed", ENVIRONMENT_HANDLER)
    saved = cloud.home / "state" / "lambda.json"
    assert wait_until(lambda: saved.exists() and "deployed" in saved.read_text(), 15)
    cloud.ok("wait", "mlflow")  # one that is still starting ends with its database
    before = cloud.pids()
    kill(cloud, "emulator", "postgres")
    after = cloud.up()
    assert after["services"]["mlflow"]["pid"] == before["mlflow"]  # what runs is left alone
    assert after["services"]["postgres"]["state"] == "running"
    assert cloud.invoke("deployed")["AWS_LAMBDA_FUNCTION_NAME"] == "deployed"


def test_what_the_command_line_had_saved_outlives_a_crash_at_once(cloud):
    cloud.create_function("asked", ENVIRONMENT_HANDLER)
    save(json.loads((cloud.home / "cloud.json").read_text()))
    kill(cloud, "emulator")
    cloud.up()
    assert cloud.invoke("asked")["AWS_LAMBDA_FUNCTION_NAME"] == "asked"


def test_a_stop_and_a_start_keep_objects_functions_and_addresses(cloud):
    storage = cloud.client("s3")
    storage.create_bucket(Bucket="lake")
    storage.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
    tag = storage.put_object(Bucket="lake", Key="serving/heart.json", Body=b"first")["ETag"]
    cloud.create_function("kept", ENVIRONMENT_HANDLER)
    before = json.loads((cloud.home / "cloud.json").read_text())

    assert set(cloud.ok("down")["stopped"]) == {"emulator", "postgres", "mlflow"}
    assert not listens(before["endpoint_url"])
    assert not (cloud.home / "cloud.json").exists()
    after = cloud.up()

    assert after["endpoint_url"] == before["endpoint_url"]
    assert after["mlflow_url"] == before["mlflow_url"]
    storage = cloud.client("s3")
    assert storage.get_object(Bucket="lake", Key="serving/heart.json")["Body"].read() == b"first"
    storage.put_object(Bucket="lake", Key="serving/heart.json", Body=b"second", IfMatch=tag)
    assert len(storage.list_object_versions(Bucket="lake")["Versions"]) == 2
    assert cloud.invoke("kept")["AWS_LAMBDA_FUNCTION_NAME"] == "kept"


def test_what_a_crash_left_without_a_record_is_found_again_and_not_started_twice(cloud):
    orphan = cloud.pids()
    (cloud.home / "cloud.json").unlink()
    cloud.up()
    assert cloud.pids()["postgres"] == orphan["postgres"]
    assert not runs(orphan["emulator"])
    assert [process.pid for process in marked(f"emulator@{cloud.home}")] == [cloud.pids()["emulator"]]


def test_two_commands_at_once_start_one_cloud(other):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: other.ok("up", "--emulator-port", "0", "--mlflow-port", "0"), range(2))
    assert first["services"]["emulator"]["pid"] == second["services"]["emulator"]["pid"]
    assert len(marked(f"emulator@{other.home}")) == 1


def test_two_clouds_run_side_by_side_and_each_stops_its_own(cloud, other):
    other.up()
    mine, its = (json.loads((c.home / "cloud.json").read_text()) for c in (cloud, other))
    assert mine["endpoint_url"] != its["endpoint_url"]
    assert mine["mlflow_url"] != its["mlflow_url"]
    cloud.client("s3").create_bucket(Bucket="mine")
    assert "mine" not in [bucket["Name"] for bucket in other.client("s3").list_buckets()["Buckets"]]
    pids = other.pids()
    other.ok("down", "--purge")
    assert not any(runs(pid) for pid in pids.values())
    assert not (other.home / "state").exists()
    assert not (other.home / "postgres").exists()
    assert cloud.ok("status")["services"]["emulator"]["state"] == "running"


def test_a_service_that_ends_at_its_start_is_an_error_with_its_last_words(new_cloud):
    broken = new_cloud()
    (broken.home / "postgres").mkdir(parents=True)
    done = broken.run("up", "--emulator-port", "0", "--mlflow-port", "0")
    assert done.returncode == 1
    assert "PostgreSQL ended while it was starting" in done.stderr
    assert "postgres.log" in done.stderr
    assert "make down" in done.stderr
    assert "Traceback" not in done.stderr


def test_waiting_for_a_cloud_that_is_not_up_says_what_to_do(new_cloud):
    done = new_cloud().run("wait", "mlflow")
    assert done.returncode == 1
    assert "make demo" in done.stderr


def test_down_on_nothing_is_harmless(new_cloud):
    assert new_cloud().ok("down", "--purge")["stopped"] == []


def test_a_full_disk_is_noticed_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("localstack.cloud.FREE_BYTES", 1 << 62)
    with pytest.raises(CommandError, match="Make room, or set ANDAMIO_HOME"):
        Cloud(Home(tmp_path), say=lambda _: None).up({})
    assert not (tmp_path / "cloud.json").exists()


def test_a_state_folder_that_cannot_be_written_is_said_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"cannot be written to .* set ANDAMIO_HOME"):
        Cloud(Home.at(tmp_path / "file"), print).up({})
