"""Functions: errors, limits, versions and aliases, what they see, and their logs."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.account import ACTOR, allow, eventually, zipped
from tests.conformance.verdicts import Missing, came, refusal

pytestmark = pytest.mark.needs("runtime")

SIX_MEGABYTES = 6 << 20
VERSION = "def handler(event, context):\n    return [{number}, context.function_version]\n"


def test_an_exception(account):
    """A function's exception is answered as its type, message and trace, and marked as an error.

    Source: Lambda Developer Guide, Python function errors.

    Here: outcomes are return values; an exception is a fault, whatever its type.
    """
    functions = account.client("lambda")
    reply = functions.invoke(FunctionName=account.actor(), Payload=json.dumps({"do": "fail"}))
    said = json.loads(reply["Payload"].read())
    came((reply.get("FunctionError"), said.get("errorMessage")), ("Unhandled", "no"))
    came(said.get("errorType"), "ValueError")


def test_a_call_that_takes_too_long(account):
    """A call that takes longer than the function's timeout is ended, with "Task timed out".

    Source: Lambda Developer Guide, Configure Lambda function timeout.
    """
    name = account.function(ACTOR, Timeout=1)
    began = time.monotonic()
    said = account.invoke(name, {"do": "sleep", "seconds": 20})
    came("Task timed out after 1.00 seconds" in said.get("errorMessage", "") or said, True)
    came(time.monotonic() - began < 18, True)


def test_a_process_that_ends(account):
    """A process that ends by itself is Runtime.ExitError, and the next call gets another one.

    Source: Lambda Developer Guide, Troubleshoot invocation issues.

    Here: either is a fault, which is tried again where that helps.
    """
    name = account.function()
    said = account.invoke(name, {"do": "exit"})
    came(account.invoke(name, {"do": "echo"}), {"do": "echo"})
    came(said.get("errorType"), "Runtime.ExitError")


def test_a_module_that_cannot_be_imported(account):
    """A function whose module raises when it is imported answers every call with an error that says why.

    Source: Lambda Developer Guide, Troubleshoot invocation issues.
    """
    said = account.invoke(account.function("import andamio_is_not_there\n"))
    came("andamio_is_not_there" in said.get("errorMessage", "") or said, True)


def test_a_payload_below_six_megabytes(account):
    """A synchronous call takes and gives nearly 6 MB.

    Source: Lambda Developer Guide, Quotas.
    """
    payload = {"do": "echo", "x": "x" * (SIX_MEGABYTES - 1000)}
    came(account.invoke(account.actor(), payload) == payload, True)


def test_a_payload_of_more_than_six_megabytes(account):
    """A synchronous call with a payload of more than 6 MB is refused with 413.

    Source: Lambda Developer Guide, Quotas.

    Here: the API refuses a body of more than 4 MB; `tests/unit/api` holds it.
    """
    functions, name = account.client("lambda"), account.actor()
    payload = json.dumps({"do": "return", "bytes": 1, "x": "x" * (SIX_MEGABYTES + 1000)})
    said = refusal(functions.invoke, FunctionName=name, Payload=payload)
    came("413" if said.startswith("413") else said, "413")


def test_a_result_of_more_than_six_megabytes(account):
    """A result of more than 6 MB becomes the error Function.ResponseSizeTooLarge.

    Source: Lambda Developer Guide, Quotas; Troubleshoot invocation issues.

    Here: a request has at most a number of records that keeps replies small; `tests/unit/api` holds it.
    """
    said = account.invoke(account.actor(), {"do": "return", "bytes": SIX_MEGABYTES + 1000})
    came(said.get("errorType") if isinstance(said, dict) else "returned", "Function.ResponseSizeTooLarge")


def test_room_for_no_call(account):
    """A call of a function that has no concurrency left is refused with 429 TooManyRequestsException.

    Source: Lambda Developer Guide, Understanding Lambda function scaling.
    """
    functions, name = account.client("lambda"), account.function()
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    came(refusal(functions.invoke, FunctionName=name), "429 TooManyRequestsException")


def test_a_warm_process(account):
    """Calls one after the other are answered by one process, which keeps what it has in memory.

    Source: Lambda Developer Guide, Lambda execution environment.
    """
    name = account.function("calls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls)\n")
    came([account.invoke(name) for _ in range(3)], [1, 2, 3])


def test_calls_at_once(account):
    """Two calls at the same time run beside each other, each in a process of its own.

    Source: Lambda Developer Guide, Understanding Lambda function scaling.
    """
    source = """
import time
def handler(event, context):
    began = time.time()
    time.sleep(event)
    return [began, time.time()]
"""
    name = account.function(source, Timeout=60)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: account.invoke(name, 8 if account.target.is_aws else 4), range(2))
    came("beside each other" if first[0] < second[1] and second[0] < first[1] else "in turn", "beside each other")


def test_the_environment(account):
    """A function sees its own variables, its name and region, and the place of its code.

    Source: Lambda Developer Guide, Defined runtime environment variables.
    """
    name = account.function(ACTOR, Environment={"Variables": {"OWN": "1"}})
    seen = account.invoke(name, {"do": "environment"})
    wanted = ("OWN", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION")
    came([seen.get(it) for it in wanted], ["1", name, account.target.region])
    came([it for it in ("LAMBDA_TASK_ROOT", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN") if it not in seen], [])


def test_the_context(account):
    """The context says the request's id, and how many milliseconds are left.

    Source: Lambda Developer Guide, Using the Lambda context object to retrieve Python function information.
    """
    source = """
def handler(event, context):
    return [context.get_remaining_time_in_millis(), context.aws_request_id, context.function_name]
"""
    name = account.function(source, Timeout=20)
    left, request, called = account.invoke(name)
    came((0 < left <= 20_000, len(request), called), (True, 36, name))


def test_scratch_space(account):
    """A function may write to /tmp, and finds it there in the next call of the same process.

    Source: Lambda Developer Guide, Configure ephemeral storage.
    """
    source = """
import tempfile
from pathlib import Path
def handler(event, context):
    file = Path(tempfile.gettempdir()) / "andamio-conf"
    found = file.exists()
    file.write_text("1")
    return found
"""
    name = account.function(source)
    came([account.invoke(name) for _ in range(2)], [False, True])


def test_a_layer(account):
    """A function imports what its layer has under python/.

    Source: Lambda Developer Guide, Packaging layers.
    """
    functions = account.client("lambda")
    layer = functions.publish_layer_version(
        LayerName=account.name(), Content={"ZipFile": zipped(python__in_a_layer="VALUE = 7\n")}
    )
    account.later(
        functions.delete_layer_version, LayerName=layer["LayerArn"].split(":")[-1], VersionNumber=layer["Version"]
    )
    source = "import in_a_layer\ndef handler(event, context):\n    return in_a_layer.VALUE\n"
    came(account.invoke(account.function(source, Layers=[layer["LayerVersionArn"]])), 7)


def two_versions(account) -> tuple[str, str, str]:
    """A function with two published versions: its name, and theirs."""
    functions, name = account.client("lambda"), account.function(VERSION.format(number=1))
    first = functions.publish_version(FunctionName=name)["Version"]
    account.settled(name)
    functions.update_function_code(FunctionName=name, ZipFile=zipped(index=VERSION.format(number=2)))
    account.settled(name)
    second = functions.publish_version(FunctionName=name)["Version"]
    account.settled(name)
    return name, first, second


def test_a_version(account):
    """A published version keeps its code when the function gets another.

    Source: Lambda Developer Guide, Manage Lambda function versions.
    """
    name, first, second = two_versions(account)
    came([account.invoke(f"{name}:{it}") for it in (first, second)], [[1, first], [2, second]])
    came(account.invoke(name), [2, "$LATEST"])


def test_an_alias(account):
    """An alias calls the version that it points to, from one version to another.

    Source: Lambda Developer Guide, Create an alias for a Lambda function.
    """
    functions, (name, first, second) = account.client("lambda"), two_versions(account)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    came(account.invoke(f"{name}:live"), [1, first])
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=second)
    came(eventually(lambda: account.invoke(f"{name}:live") == [2, second], account.target.patience), True)


def test_the_weights_of_an_alias(account):
    """An alias with weights sends a part of the calls to a second version.

    Source: Lambda Developer Guide, Implement Lambda canary deployments using a weighted alias.

    Here: canaries are split in the application.
    """
    functions, (name, first, second) = account.client("lambda"), two_versions(account)
    weights = {"AdditionalVersionWeights": {second: 0.5}}
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=first, RoutingConfig=weights)
    called = {account.invoke(f"{name}:live")[1] for _ in range(40)}
    came("both versions" if len(called) == 2 else "one version", "both versions")


# Logs


def lines(account, group: str) -> list[str]:
    """The messages of a log group, none where there is no such group."""
    logs = account.client("logs")
    try:
        return [it["message"] for it in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def test_what_a_function_prints(account):
    """What a function prints is in the log group /aws/lambda/NAME, between START and REPORT.

    Source: Lambda Developer Guide, Log and monitor Python Lambda functions.
    """
    name = account.function("def handler(event, context):\n    print('said so')\n")
    account.invoke(name)

    def said() -> bool:
        text = "".join(lines(account, f"/aws/lambda/{name}"))
        return all(word in text for word in ("START RequestId", "said so", "REPORT RequestId"))

    if not eventually(said, account.target.patience):
        came(lines(account, f"/aws/lambda/{name}") or "nothing", "START, what was printed, REPORT")


def test_a_log_group_of_another_name(account):
    """A function logs to the group that its LoggingConfig names.

    Source: Lambda Developer Guide, Configuring CloudWatch log groups.

    Here: a function's group has its name.
    """
    logs, group = account.client("logs"), account.name()
    logs.create_log_group(logGroupName=group)
    account.later(logs.delete_log_group, logGroupName=group)
    name = account.function("def handler(event, context):\n    print('said so')\n", LoggingConfig={"LogGroup": group})
    account.invoke(name)
    if not eventually(lambda: any("said so" in it for it in lines(account, group)), account.target.patience):
        raise Missing("nothing came")


def subscribed(account, pattern: str) -> dict:
    """What a function that has subscribed to another one's log by a pattern gets, when two lines are printed."""
    s3, logs, functions = account.client("s3"), account.client("logs"), account.client("lambda")
    bucket, group = account.bucket(), account.name()
    source = f"""
import base64, boto3, gzip
def handler(event, context):
    body = gzip.decompress(base64.b64decode(event["awslogs"]["data"]))
    boto3.client("s3").put_object(Bucket="{bucket}", Key=context.aws_request_id, Body=body)
"""
    receiver = account.function(source, Timeout=30)
    logs.create_log_group(logGroupName=group)
    account.later(logs.delete_log_group, logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    functions.add_permission(
        FunctionName=receiver, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    arn = account.arn(receiver)
    logs.put_subscription_filter(logGroupName=group, filterName="f", filterPattern=pattern, destinationArn=arn)
    now = int(time.time() * 1000)
    said = [{"timestamp": now, "message": json.dumps({"event": f"andamio.{it}"})} for it in ("other", "prediction")]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=said)
    found = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), account.target.patience)
    if not found:
        raise Missing("nothing came")
    return json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())


def test_a_subscription_by_phrase(account):
    """A subscription by a phrase gives a function, zipped, those lines of a log that have it.

    Source: CloudWatch Logs User Guide, Log group-level subscription filters; Filter pattern syntax.

    Here: the API's log reaches `capture` by the phrase `"andamio."`; `capture` passes over lines that are not its own.
    """
    said = subscribed(account, '"andamio.prediction"')
    came([json.loads(it["message"])["event"] for it in said["logEvents"]], ["andamio.prediction"])


def test_a_subscription_by_a_field(account):
    """A subscription by a field of JSON gives a function those lines of a log that have it.

    Source: CloudWatch Logs User Guide, Filter pattern syntax.

    Here: patterns are phrases.
    """
    said = subscribed(account, '{ $.event = "andamio.prediction" }')
    came([json.loads(it["message"])["event"] for it in said["logEvents"]], ["andamio.prediction"])


def test_more_than_ten_thousand_lines(account):
    """FilterLogEvents goes on behind 10,000 lines, with a token.

    Source: CloudWatch Logs API Reference, FilterLogEvents.

    Here: the rest is asked for by time.
    """
    logs, group = account.client("logs"), account.name()
    logs.create_log_group(logGroupName=group)
    account.later(logs.delete_log_group, logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000) - 60_000
    for start in (0, 5_100):
        many = [{"timestamp": now + number, "message": str(number)} for number in range(start, start + 5_100)]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=many)

    def count() -> int:
        found, token = 0, {}
        while True:
            reply = logs.filter_log_events(logGroupName=group, **token)
            found += len(reply["events"])
            if "nextToken" not in reply:
                return found
            token = {"nextToken": reply["nextToken"]}

    eventually(lambda: count() == 10_200, min(account.target.patience, 120), pause=1)
    came(count(), 10_200)


# Permissions of a function's own calls


def reads(account, *statements: dict) -> str:
    """What a function with these permissions gets when it reads an object."""
    s3, bucket = account.client("s3"), account.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    resource = f"arn:aws:s3:::{bucket}/a"
    own = [{**it, "Resource": resource} for it in statements]
    source = f"""
import boto3
def handler(event, context):
    return boto3.client("s3").get_object(Bucket="{bucket}", Key="a")["Body"].read().decode()
"""
    said = account.invoke(account.function(source, role=account.role("lambda", *own), Timeout=20))
    return said if isinstance(said, str) else said.get("errorMessage", str(said))


def test_a_call_that_its_role_allows(account):
    """A function may do what its role allows.

    Source: Lambda Developer Guide, Defining Lambda function permissions with an execution role.
    """
    came(reads(account, allow("s3:GetObject")), "1")


def test_a_call_that_its_role_does_not_allow(account):
    """A function may not do what its role does not allow: AccessDenied, with the action.

    Source: IAM User Guide, Policy evaluation logic.

    Here: `python -m infra.proof` judges every call that was recorded by the roles of the template.
    """
    said = reads(account, allow("s3:PutObject"))
    came("refused" if "AccessDenied" in said and "s3:GetObject" in said else f"answered {said}", "refused")
