"""Maps: inline ones, and distributed ones whose items are in S3."""

from __future__ import annotations

import json

from tests.conformance.account import eventually, outcome
from tests.conformance.test_machines import CATCH, FINISHED, call
from tests.conformance.verdicts import came


def items_of(account, items: object) -> dict:
    """A file of items, as Parameters of an ItemReader."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps(items).encode())
    return {"Bucket": bucket, "Key": "items.json"}


def distributed(account, reads: dict, worker: dict, **more) -> dict:
    """A Distributed Map over a file of items, whose children are one state."""
    return {
        "Type": "Map",
        "Label": "Each",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": reads,
        },
        "MaxConcurrency": 5,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work",
            "States": {"Work": worker},
        },
        "End": True,
        **more,
    }


def test_an_inline_map(account):
    """An inline Map runs its states for each item, and its output has the results in the order of the items.

    Source: Step Functions Developer Guide, Using Map state in Inline mode.
    """
    states = {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 3,
            "ItemSelector": {"do": "echo", "item.$": "$$.Map.Item.Value"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Work",
                "States": {"Work": call(account, {"do": "echo", "item.$": "$.item"})},
            },
            "End": True,
        }
    }
    said = outcome(account.run(states, {"items": [3, 1, 2]}))
    came([it["item"] for it in said] if isinstance(said, list) else said, [3, 1, 2])


def test_a_distributed_map(account):
    """A Distributed Map starts a child for each item of a JSON array in S3, and has their outputs in its own.

    Source: Step Functions Developer Guide, Using Map state in Distributed mode; ItemReader.
    """
    reads = items_of(account, [{"n": number} for number in range(40)])
    worker = call(account, {"do": "echo", "n.$": "$.n"})
    said = outcome(account.run({"Each": distributed(account, reads, worker)}))
    came(sorted(it["n"] for it in said) if isinstance(said, list) else said, list(range(40)))


def test_a_distributed_map_of_nothing(account):
    """A Distributed Map over an empty array succeeds, with an empty output.

    Source: Step Functions Developer Guide, Using Map state in Distributed mode.
    """
    worker = call(account, {"do": "echo"})
    came(outcome(account.run({"Each": distributed(account, items_of(account, []), worker)})), [])


def test_a_child_that_fails(account):
    """A Distributed Map of which a child fails, fails with States.ExceedToleratedFailureThreshold.

    Source: Step Functions Developer Guide, Setting failure thresholds for Distributed Map states.

    Here: the step after a Map looks for every shard's result in S3.
    """
    reads = items_of(account, [{"do": "echo"}, {"do": "fail"}])
    each = distributed(account, reads, call(account, {"do.$": "$.do"}))
    said = outcome(account.run({"Each": {**each, "Catch": CATCH}, "Caught": FINISHED}, {}))
    came(said.get("caught") if isinstance(said, dict) else said, "States.ExceedToleratedFailureThreshold")


def test_a_child_that_may_fail(account):
    """A Distributed Map succeeds where no more than ToleratedFailurePercentage of its children fail.

    Source: Step Functions Developer Guide, Setting failure thresholds for Distributed Map states.

    Here: `python -m infra.asl` refuses the key; a child that fails ends well, and says so in S3.
    """
    reads = items_of(account, [{"do": "echo"}, {"do": "fail"}])
    each = distributed(account, reads, call(account, {"do.$": "$.do"}), ToleratedFailurePercentage=50)
    came(account.run({"Each": each})["status"], "SUCCEEDED")


def test_a_child_that_catches(account):
    """A child whose state has a Catch ends well, and so does its Map.

    Source: Step Functions Developer Guide, Handling errors.
    """
    reads = items_of(account, [{"do": "echo"}, {"do": "fail"}])
    each = distributed(account, reads, call(account, {"do.$": "$.do"}, Catch=CATCH), ResultPath=None)
    each["ItemProcessor"]["States"]["Caught"] = {"Type": "Pass", "Parameters": {}, "End": True}
    came(outcome(account.run({"Each": each}, {"kept": 1})), {"kept": 1})


def test_items_that_are_not_there(account):
    """A Distributed Map whose items cannot be read fails with States.ItemReaderFailed.

    Source: Step Functions Developer Guide, Handling errors.

    Here: a Map has a Catch for States.ALL; `python -m infra.asl` asks for it.
    """
    reads = {"Bucket": account.bucket(), "Key": "nothing.json"}
    each = distributed(account, reads, call(account, {"do": "echo"}), Catch=CATCH)
    said = outcome(account.run({"Each": each, "Caught": FINISHED}))
    came(said.get("caught") if isinstance(said, dict) else said, "States.ItemReaderFailed")


def test_items_in_batches(account):
    """ItemBatcher gives a child several items, under Items.

    Source: Step Functions Developer Guide, ItemBatcher.

    Here: `python -m infra.asl` refuses the key; shards are cut by ourselves.
    """
    reads = items_of(account, [1, 2, 3, 4])
    worker = {"Type": "Pass", "Parameters": {"items.$": "$.Items"}, "End": True}
    each = distributed(account, reads, worker, ItemBatcher={"MaxItemsPerBatch": 2})
    said = outcome(account.run({"Each": each}))
    came(sorted((it["items"] for it in said), key=str) if isinstance(said, list) else said, [[1, 2], [3, 4]])


def test_results_in_s3(account):
    """ResultWriter writes the results of children to S3, and the Map's output says where.

    Source: Step Functions Developer Guide, ResultWriter.

    Here: `python -m infra.asl` refuses the key; workers write their results to S3.
    """
    reads, s3 = items_of(account, [{"n": 1}]), account.client("s3")
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": reads["Bucket"], "Prefix": "results"},
    }
    each = distributed(account, reads, {"Type": "Pass", "End": True}, ResultWriter=writer)
    said = account.run({"Each": each})
    came(said["status"], "SUCCEEDED")
    found = eventually(lambda: s3.list_objects_v2(Bucket=reads["Bucket"], Prefix="results/")["KeyCount"], 2)
    came("results in S3" if found else f"no object; output {said['output']}", "results in S3")
