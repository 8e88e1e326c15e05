"""State machines: names of executions, retries, errors that are caught, maps, and limits of data."""

from __future__ import annotations

import json

import pytest

from tests.conformance.account import eventually, outcome
from tests.conformance.verdicts import came, refusal

PASS = {"Pass": {"Type": "Pass", "End": True}}
FINISHED = {"Type": "Pass", "Parameters": {"caught.$": "$.error.Error"}, "End": True}
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]


def call(account, event: dict, **more) -> dict:
    """A state that calls the actor; what its event says is done."""
    return {"Type": "Task", "Resource": account.arn(account.actor()), "Parameters": event, "End": True, **more}


def caught(account, task: dict) -> object:
    """The name of the error that a state's Catch sees."""
    said = outcome(account.run({"Work": {**task, "Catch": CATCH}, "Caught": FINISHED}))
    return said.get("caught", said) if isinstance(said, dict) else said


def waits(account) -> tuple[dict, str]:
    """Arguments of StartExecution, and the ARN of what they have started: it waits until it is stopped."""
    client = account.client("stepfunctions")
    machine = account.machine({"Wait": {"Type": "Wait", "Seconds": 120, "End": True}})
    start = {"stateMachineArn": machine, "name": "once"}
    arn = client.start_execution(**start, input="{}")["executionArn"]
    account.later(client.stop_execution, executionArn=arn)
    return start, arn


def entered(account, execution: str) -> list[str]:
    """The states that an execution has entered so far."""
    client = account.client("stepfunctions")
    reply = client.get_execution_history(executionArn=execution, includeExecutionData=False)
    return [it["stateEnteredEventDetails"]["name"] for it in reply["events"] if "stateEnteredEventDetails" in it]


# Names


def test_a_name_again_while_it_runs(account):
    """A start under the name of an execution that runs, with the same input, succeeds and gives its ARN.

    Source: Step Functions API Reference, StartExecution.

    Here: either answer counts as success.
    """
    client, (start, first) = account.client("stepfunctions"), waits(account)
    came(refusal(client.start_execution, **start, input="{}"), "accepted")
    came(client.start_execution(**start, input="{}")["executionArn"], first)


def test_a_name_again_with_other_input(account):
    """A start under the name of an execution that runs, with another input, is ExecutionAlreadyExists.

    Source: Step Functions API Reference, StartExecution.
    """
    client, (start, _) = account.client("stepfunctions"), waits(account)
    came(refusal(client.start_execution, **start, input='{"a": 1}'), "400 ExecutionAlreadyExists")


def test_a_name_again_after_its_end(account):
    """A start under the name of an execution that has ended is ExecutionAlreadyExists.

    Source: Step Functions API Reference, StartExecution.
    """
    client, start = account.client("stepfunctions"), {"stateMachineArn": account.machine(PASS), "name": "once"}
    account.ended(client.start_execution(**start, input="{}")["executionArn"])
    came(refusal(client.start_execution, **start, input="{}"), "400 ExecutionAlreadyExists")


def test_a_name_again_within_a_machine(account):
    """A state that starts an execution under a name that has run gets StepFunctions.ExecutionAlreadyExistsException.

    Source: Step Functions Developer Guide, Start Step Functions workflows from a running state machine.

    Here: the Catch of `etl.asl.json` has every spelling.
    """
    machine = account.machine(PASS)
    client = account.client("stepfunctions")
    account.ended(client.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"])
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {"StateMachineArn": machine, "Name": "once", "Input": {}},
        "End": True,
    }
    came(caught(account, start), "StepFunctions.ExecutionAlreadyExistsException")


def test_a_machine_starts_another(account):
    """A state starts an execution, under a name and with an input of its own, and goes on with its ARN.

    Source: Step Functions Developer Guide, Start Step Functions workflows from a running state machine.

    Here: `tests/flows` mends the spelling on moto.
    """
    machine = account.machine(PASS)
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {"StateMachineArn": machine, "Name": "inner", "Input": {"a.$": "$.b"}},
        "End": True,
    }
    said = outcome(account.run({"Start": start}, {"b": 1}))
    came(said["ExecutionArn"].split(":")[-1] if isinstance(said, dict) else said, "inner")
    came(outcome(account.ended(said["ExecutionArn"])), {"a": 1})


def test_a_stop(account):
    """An execution that is stopped is ABORTED.

    Source: Step Functions API Reference, StopExecution.
    """
    _, arn = waits(account)
    eventually(lambda: entered(account, arn), account.target.patience)
    account.client("stepfunctions").stop_execution(executionArn=arn)
    came(account.ended(arn)["status"], "ABORTED")


# Errors


def test_a_retry(account):
    """A retrier calls again as often as it says, and $$.State.RetryCount counts.

    Source: Step Functions Developer Guide, Handling errors; Accessing execution data from the Context object.
    """
    again = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 3}
    event = {"do": "fail first", "attempt.$": "$$.State.RetryCount"}
    came(outcome(account.run({"Work": call(account, event, Retry=[again])})), {"do": "fail first", "attempt": 2})


def test_a_retrier_with_all_its_keys(account):
    """A retrier may have MaxDelaySeconds and JitterStrategy.

    Source: Step Functions Developer Guide, Handling errors.
    """
    again = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxAttempts": 1,
        "MaxDelaySeconds": 2,
        "JitterStrategy": "FULL",
    }
    came(outcome(account.run({"Work": call(account, {"do": "echo"}, Retry=[again])})), {"do": "echo"})


def test_a_catch(account):
    """A catcher for States.ALL takes over, with the cause in which the function's message stands.

    Source: Step Functions Developer Guide, Handling errors.
    """
    finished = {"Type": "Pass", "Parameters": {"cause.$": "States.StringToJson($.error.Cause)"}, "End": True}
    work = call(account, {"do": "fail"}, Catch=CATCH)
    said = outcome(account.run({"Work": work, "Caught": finished}))
    came(said["cause"]["errorMessage"] if isinstance(said, dict) else said, "no")


def test_the_type_of_an_exception(account):
    """The error that a catcher sees has the name of the function's exception.

    Source: Step Functions Developer Guide, Handling errors.

    Here: outcomes are return values, and Catch is on States.ALL.
    """
    came(caught(account, call(account, {"do": "fail"})), "ValueError")


@pytest.mark.needs("runtime")
def test_a_throttled_task(account):
    """A call that Lambda refuses for lack of room is Lambda.TooManyRequestsException.

    Source: Step Functions Developer Guide, Handling errors (Lambda service exceptions).
    """
    functions, name = account.client("lambda"), account.function()
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    task = {"Type": "Task", "Resource": account.arn(name), "End": True}
    came(caught(account, task), "Lambda.TooManyRequestsException")


def test_a_task_that_takes_too_long(account):
    """A task that takes longer than its TimeoutSeconds fails with States.Timeout.

    Source: Step Functions Developer Guide, Handling errors.
    """
    task = call(account, {"do": "sleep", "seconds": 4}, TimeoutSeconds=1)
    came(caught(account, task), "States.Timeout")


def test_a_machine_that_takes_too_long(account):
    """An execution that takes longer than the machine's TimeoutSeconds is TIMED_OUT.

    Source: Step Functions Developer Guide, State machine structure.

    Here: each task has a TimeoutSeconds of its own; `tests/infra/test_machines.py` holds it.
    """
    slow = {"Wait": {"Type": "Wait", "Seconds": 5, "End": True}}
    came(account.run(slow, TimeoutSeconds=1)["status"], "TIMED_OUT")


def test_an_execution_that_fails_is_an_event(account):
    """An execution that fails is an event of EventBridge, which names its machine and its status.

    Source: Step Functions Developer Guide, Automating event delivery with EventBridge.
    """
    events, queue, name = account.client("events"), account.queue(), account.name()
    fails = account.machine({"Fail": {"Type": "Fail", "Error": "No", "Cause": "because"}})
    detail = {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": [fails]}
    pattern = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": detail}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])
    account.client("stepfunctions").start_execution(stateMachineArn=fails, input="{}")
    came(account.message(queue)["detail"]["status"], "FAILED")


# What the definitions use


def test_intrinsic_functions(account):
    """States.Format, JsonToString, StringToJson, StringSplit and ArrayGetItem give what their names say.

    Source: Step Functions Developer Guide, Intrinsic functions.
    """
    given = {
        "text.$": "States.Format('{} of {}', $.n, $.m)",
        "json.$": "States.JsonToString($.o)",
        "value.$": "States.StringToJson($.s)",
        "last.$": "States.ArrayGetItem(States.StringSplit($.arn, ':'), 2)",
    }
    event = {"n": 1, "m": 2, "o": {"a": 1}, "s": '{"b": 2}', "arn": "x:y:z"}
    said = outcome(account.run({"Pass": {"Type": "Pass", "Parameters": given, "End": True}}, event))
    came(
        {**said, "json": json.loads(said["json"])}, {"text": "1 of 2", "json": {"a": 1}, "value": {"b": 2}, "last": "z"}
    )


def test_the_context_object(account):
    """$$.Execution.Name and $$.Execution.StartTime are those of the execution.

    Source: Step Functions Developer Guide, Accessing execution data from the Context object.
    """
    given = {"name.$": "$$.Execution.Name", "start.$": "$$.Execution.StartTime"}
    said = account.run({"Pass": {"Type": "Pass", "Parameters": given, "End": True}})
    found = outcome(said)
    came((found["name"], found["start"][:4]), (said["name"], f"{said['startDate']:%Y}"))


def test_null_as_a_result_path(account):
    """ResultPath null keeps a state's input, and drops its result.

    Source: Step Functions Developer Guide, Manipulating state output with ResultPath.
    """
    came(outcome(account.run({"Work": call(account, {"do": "echo"}, ResultPath=None)}, {"a": 1})), {"a": 1})


def test_a_message_of_a_machine(account):
    """A state that publishes to a topic is a task of its own.

    Source: Step Functions Developer Guide, Publish messages with Amazon SNS.
    """
    queue = account.queue()
    parameters = {"TopicArn": account.topic(queue), "Subject": "s", "Message.$": "States.JsonToString($)"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": parameters, "End": True}
    account.run({"Tell": task}, {"a": 1})
    came(account.message(queue), {"a": 1})


def test_a_machine_writes_to_s3(account):
    """`aws-sdk:s3:putObject` is a task.

    Source: Step Functions Developer Guide, Using AWS SDK service integrations.

    Here: a function writes.
    """
    bucket = account.bucket()
    parameters = {"Bucket": bucket, "Key": "a", "Body": {"b": 1}}
    resource = "arn:aws:states:::aws-sdk:s3:putObject"
    said = account.run({"Put": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}})
    came(said["status"], "SUCCEEDED")
    came(json.loads(account.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read()), {"b": 1})


# Limits


def test_state_data_of_more_than_256_kb(account):
    """A task that returns more than 256 KB fails with States.DataLimitExceeded.

    Source: Step Functions Developer Guide, Service quotas.

    Here: `andamio/testing/cloud.py` refuses what goes in or out of a function beyond it.
    """
    task = call(account, {"do": "return", "bytes": 300_000})
    said = outcome(account.run({"Work": task}))
    came("SUCCEEDED" if len(said) > 1000 else said, "FAILED States.DataLimitExceeded")


def test_input_of_more_than_256_kb(account):
    """An execution is not started with an input of more than 256 KB.

    Source: Step Functions API Reference, StartExecution; Service quotas.

    Here: what starts a machine is an event of S3 or a few names.
    """
    machine, client = account.machine(PASS), account.client("stepfunctions")
    said = refusal(client.start_execution, stateMachineArn=machine, input=json.dumps("x" * 300_000))
    came(said in ("400 ValidationException", "400 InvalidExecutionInput") or said, True)


def test_a_name_of_two_states(account):
    """A machine that has two states of one name, inner ones included, is refused.

    Source: Amazon States Language, Transitions; Step Functions API Reference, CreateStateMachine.

    Here: `python -m infra.asl` refuses it.
    """
    inner = {"StartAt": "Same", "States": {"Same": {"Type": "Pass", "End": True}}}
    states = {"Same": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner, "End": True}}
    client = account.client("stepfunctions")
    said = refusal(
        client.create_state_machine,
        name=account.name(),
        definition=json.dumps({"StartAt": "Same", "States": states}),
        roleArn=account.usual_role("states"),
    )
    came(said, "400 InvalidDefinition")


def test_a_definition_that_leads_nowhere(account):
    """A machine whose state continues with one that is not there is refused.

    Source: Step Functions API Reference, CreateStateMachine.

    Here: `python -m infra.asl` refuses it.
    """
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}
    said = refusal(
        account.client("stepfunctions").create_state_machine,
        name=account.name(),
        definition=json.dumps(definition),
        roleArn=account.usual_role("states"),
    )
    came(said, "400 InvalidDefinition")


def test_an_execution_is_kept(account):
    """The history of an execution says which states it entered, in their order.

    Source: Step Functions API Reference, GetExecutionHistory.
    """
    said = account.run({"First": {"Type": "Pass", "Next": "Second"}, "Second": {"Type": "Pass", "End": True}})
    came(eventually(lambda: entered(account, said["executionArn"]), 5), ["First", "Second"])
