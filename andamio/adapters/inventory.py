"""The resources of a system in an account, found by its stack, its deleted stacks, and its tags.

CloudFormation remembers a deleted stack's resources for 90 days. What is older is found by its tags, and
the MLflow app by its name, since it is not known whether tags lead to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from andamio import names
from andamio.adapters.aws import Account
from andamio.adapters.retained import BUCKET, KEY, LOGS, MLFLOW, ORDER, TABLE, Resource
from andamio.adapters.stacks import Stack, Stacks, newest
from andamio.errors import CommandError

_REST_API = "AWS::ApiGateway::RestApi"
_BOOTSTRAP = "CDKToolkit"
_STACK_PREFIX = names.stack("")


@dataclass(frozen=True, slots=True)
class OwnedResource:
    """A resource of a system, and whose it is.

    earlier  neither of the stack that is there nor, where none is, of the last one: kept longer ago
    origin   where it is from, for people; "" for what is not earlier
    """

    resource: Resource
    earlier: bool = False
    origin: str = ""

    def __str__(self) -> str:
        """A phrase for messages."""
        return f"{self.resource}, {self.origin}" if self.origin else str(self.resource)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that may be there of a system.

    stack       the one that is there; None where there is none
    items       in the order in which they are removed
    unsearched  why what is older could not be looked for; "" where it was
    """

    stack: Stack | None
    items: list[OwnedResource]
    search_errors: str


def inventory(account: Account, name: str, tags: Mapping[str, str], app: str) -> Inventory:
    """What belongs to the stacks of a name, what has all of these tags, and the MLflow app of a name.

    Raises `CommandError` where stacks cannot be listed.
    """
    stacks = Stacks(account)
    all_stacks = stacks.list_all()
    own = sorted((stack for stack in all_stacks if stack.name == name), key=lambda stack: stack.created, reverse=True)
    current = newest(own)
    resources: dict[Resource, OwnedResource] = {}
    for stack in [*([current] if current else []), *own]:
        for resource in _of_stack(stacks, stack):
            origin = "" if stack == current else _origin(stack)
            resources.setdefault(resource, OwnedResource(resource, bool(origin), origin))
    search_errors = []
    tags_text = ", ".join(f"{key} = {value}" for key, value in tags.items())
    searches: list[tuple[Callable[[], list[Resource]], str, str]] = [
        (
            lambda: _tagged(account, name, tags),
            "its tags",
            f"tag:GetResources, or look for {tags_text} in the Tag Editor",
        ),
        (lambda: _apps(account, app), "its name", f"sagemaker:ListMlflowApps, or look for {app} in SageMaker"),
    ]
    for search, origin, advice in searches:
        try:
            for resource in search():
                resources.setdefault(
                    resource, OwnedResource(resource, True, f"found by {origin}, in no stack that is there")
                )
        except (ClientError, CommandError) as error:
            search_errors.append(
                f"What deleted stacks kept more than 90 days ago is found by {origin} alone, and could not be looked "
                f"for: {error}\n    Allow {advice}"
            )
    if any(item.earlier for item in resources.values()):
        # A kept bucket may have been imported into another stack, where it is in use.
        other_stacks = [
            stack
            for stack in all_stacks
            if not stack.is_deleted and stack.name != name and stack.name.startswith(_STACK_PREFIX)
        ]
        in_use = {(member.kind, member.name) for stack in other_stacks for member in stacks.members(stack.id)}
        resources = {
            key: item for key, item in resources.items() if not item.earlier or (key.kind, key.name) not in in_use
        }
    items = sorted(resources.values(), key=lambda item: ORDER.index(item.resource.kind))
    return Inventory(current if current and not current.is_deleted else None, items, "\n  ".join(search_errors))


def bootstrap(account: Account) -> list[Resource]:
    """The buckets of CDK's own stack, which all CDK apps of the account share; raises `CommandError`."""
    members = Stacks(account).members(_BOOTSTRAP)
    return [Resource(BUCKET, member.name) for member in members if member.kind == BUCKET and member.name]


def _of_stack(stacks: Stacks, stack: Stack) -> list[Resource]:
    resources = []
    for member in stacks.members(stack.id):
        if member.kind == _REST_API and member.name:
            resources.append(Resource(LOGS, f"API-Gateway-Execution-Logs_{member.name}/v1"))
        # What was deleted with its stack is gone, and its name may be somebody else's; log groups are made
        # again by whatever writes a last line.
        deleted = stack.is_deleted and member.status == "DELETE_COMPLETE" and member.kind != LOGS
        if member.kind in ORDER and member.name and not deleted:
            resources.append(Resource(member.kind, member.name))
    return resources


def _tagged(account: Account, name: str, tags: Mapping[str, str]) -> list[Resource]:
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    resources = []
    for page in account.guarded("resourcegroupstaggingapi").pages("get_resources", TagFilters=filters):
        for mapping in page["ResourceTagMappingList"]:
            owner = {tag["Key"]: tag["Value"] for tag in mapping["Tags"]}.get("aws:cloudformation:stack-name", name)
            resource = _resource(mapping["ResourceARN"])
            if resource and owner == name:
                resources.append(resource)
    return resources


def _apps(account: Account, app: str) -> list[Resource]:
    if account.endpoint_url:
        return []  # the local cloud's MLflow is no app of SageMaker's
    try:
        pages = list(account.guarded("sagemaker").pages("list_mlflow_apps"))
    except ClientError as error:
        if "UnknownOperation" in error.response["Error"]["Code"]:
            return []  # the region has no such apps
        raise
    return [Resource(MLFLOW, item["Arn"]) for page in pages for item in page["Summaries"] if item["Name"] == app]


def _resource(arn: str) -> Resource | None:
    """What an ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:REST) is, or None for what no stack keeps."""
    _, _, service, _, _, rest = arn.split(":", 5)
    kind, _, name = rest.partition("/")
    if service == "s3" and not name:
        return Resource(BUCKET, rest)
    if service == "logs" and rest.startswith("log-group:"):
        return Resource(LOGS, rest.removeprefix("log-group:").removesuffix(":*"))
    if service == "sagemaker" and kind == "mlflow-app":
        return Resource(MLFLOW, arn)
    resources = {("dynamodb", "table"): TABLE, ("kms", "key"): KEY}.get((service, kind))
    return Resource(resources, name) if resources and "/" not in name else None


def _origin(stack: Stack) -> str:
    if stack.deleted:
        return f"kept since {stack.deleted:%Y-%m-%d}, from an earlier stack"
    return f"from an earlier stack, made on {stack.created:%Y-%m-%d}"
