"""Items of a table: conditions, batches, the index by which records are found, and a table that is busy."""

from __future__ import annotations

import pytest

from tests.conformance.test_s3 import all_at_once
from tests.conformance.verdicts import came, refusal

NEW = "attribute_not_exists(id)"


def test_put_new_twice(account):
    """A write on the condition that the item does not exist is refused where it does.

    Source: DynamoDB Developer Guide, Condition expressions.
    """
    dynamodb, table = account.client("dynamodb"), account.table()
    item = {"TableName": table, "Item": {"id": {"S": "1"}}, "ConditionExpression": NEW}
    came(refusal(dynamodb.put_item, **item), "accepted")
    came(refusal(dynamodb.put_item, **item), "400 ConditionalCheckFailedException")


@pytest.mark.needs("races")
def test_put_new_at_once(account):
    """Of several writes on the condition that the item does not exist, at the same time, one succeeds.

    Source: DynamoDB Developer Guide, Condition expressions.
    """
    dynamodb, table = account.client("dynamodb"), account.table()

    def write(number: int) -> str:
        item = {"id": {"S": "1"}, "by": {"N": str(number)}}
        return refusal(dynamodb.put_item, TableName=table, Item=item, ConditionExpression=NEW)

    said = all_at_once(write)
    came((said["accepted"], said["400 ConditionalCheckFailedException"]), (1, 7))


def test_a_batch_is_of_twenty_five(account):
    """BatchWriteItem takes 25 items and refuses 26.

    Source: DynamoDB Developer Guide, Quotas.

    Here: the adapter writes batches of 25; `tests/unit/core/test_predictions.py` holds it.
    """
    dynamodb, table = account.client("dynamodb"), account.table()
    puts = [{"PutRequest": {"Item": {"id": {"S": str(number)}}}} for number in range(26)]
    came(refusal(dynamodb.batch_write_item, RequestItems={table: puts[:25]}), "accepted")
    came(refusal(dynamodb.batch_write_item, RequestItems={table: puts}), "400 ValidationException")


def test_a_batch_with_an_id_twice(account):
    """BatchWriteItem refuses a batch that holds a key twice.

    Source: DynamoDB API Reference, BatchWriteItem.

    Here: the adapter keeps the last item of an id.
    """
    dynamodb, table = account.client("dynamodb"), account.table()
    put = {"PutRequest": {"Item": {"id": {"S": "1"}}}}
    came(refusal(dynamodb.batch_write_item, RequestItems={table: [put, put]}), "400 ValidationException")


def test_an_item_of_more_than_400_kb(account):
    """An item of more than 400 KB is refused.

    Source: DynamoDB Developer Guide, Quotas.
    """
    dynamodb, table = account.client("dynamodb"), account.table()
    item = {"id": {"S": "1"}, "text": {"S": "x" * (400 << 10)}}
    came(refusal(dynamodb.put_item, TableName=table, Item=item), "400 ValidationException")


def test_the_newest_of_an_index(account):
    """A query of an index from its end gives the newest items first, a page at a time.

    Source: DynamoDB Developer Guide, Querying a global secondary index.
    """
    key = [{"AttributeName": "record_id", "KeyType": "HASH"}, {"AttributeName": "created", "KeyType": "RANGE"}]
    index = {"IndexName": "by_record", "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "record_id", "created")]
    dynamodb = account.client("dynamodb")
    table = account.table(AttributeDefinitions=attributes, GlobalSecondaryIndexes=[index])
    for number in range(5):
        item = {"id": {"S": f"i{number}"}, "record_id": {"S": "r"}, "created": {"S": f"2026-01-0{number + 1}"}}
        dynamodb.put_item(TableName=table, Item=item)
    query = {
        "TableName": table,
        "IndexName": "by_record",
        "KeyConditionExpression": "record_id = :r",
        "ExpressionAttributeValues": {":r": {"S": "r"}},
        "ScanIndexForward": False,
        "Limit": 2,
    }
    first = dynamodb.query(**query)
    second = dynamodb.query(**query, ExclusiveStartKey=first["LastEvaluatedKey"])
    came([it["id"]["S"] for page in (first, second) for it in page["Items"]], ["i4", "i3", "i2", "i1"])


def test_a_table_that_is_busy(account):
    """A table of one write a second refuses a part of what comes much faster, as UnprocessedItems or as throttled.

    Source: DynamoDB Developer Guide, Provisioned capacity mode.

    Here: a flow test whose table refuses, `tests/flows/test_batch_faults.py`.
    """
    few = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    table = account.table(BillingMode="PROVISIONED", ProvisionedThroughput=few)
    dynamodb = account.client("dynamodb")
    refused = 0
    for batch in range(24):  # the burst that AWS grants is 300 writes
        puts = [{"PutRequest": {"Item": {"id": {"S": f"{batch}-{number}"}}}} for number in range(25)]
        try:
            refused += len(dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"])
        except dynamodb.exceptions.ProvisionedThroughputExceededException:
            refused += 1
    came("some refused" if refused else "all taken", "some refused")


def test_items_that_expire(account):
    """A table keeps which attribute says when its items expire.

    Source: DynamoDB Developer Guide, Time to Live.

    Here: `tests/infra/test_everywhere.py` holds it in the template.
    """
    dynamodb, table = account.client("dynamodb"), account.table()
    how = {"Enabled": True, "AttributeName": "expires"}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=how)
    said = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    came((said["TimeToLiveStatus"] in ("ENABLING", "ENABLED"), said.get("AttributeName")), (True, "expires"))
