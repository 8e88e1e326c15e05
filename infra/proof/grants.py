"""What a template allows: to roles by their policies, to services by the policies of what they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Template = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One action on one resource, allowed to a role (its logical id) or a service (see `service`).

    A resource is written as `readable` writes it; `*` in it stands for any text.
    """

    who: str
    action: str
    resource: str

    def covers(self, who: str, action: str, resource: str) -> bool:
        """Whether this grant allows that."""
        return (self.who, self.action) == (who, action) and fnmatchcase(resource, self.resource)


def grants(template: Template) -> frozenset[Grant]:
    """Everything that is allowed."""
    return frozenset([*_of_roles(template), *_of_services(template)])


def readable(value: Any) -> str:
    """`Lake/raw/*` instead of an Fn::Join of an Fn::GetAtt: ids without their hash, AWS's own and digests in <>."""
    if isinstance(value, str):
        return re.sub(r"[0-9a-f]{64}", "<digest>", value)
    if "Fn::Join" in value:
        return "".join(readable(part) for part in value["Fn::Join"][1])
    if "Fn::Sub" in value:
        return re.sub(r"\$\{AWS::(\w+)\}", r"<\1>", str(value["Fn::Sub"]))
    name: str = value.get("Ref") or value["Fn::GetAtt"][0]
    return f"<{name.removeprefix('AWS::')}>" if name.startswith("AWS::") else name[:-8]


def service(principal: str, source: Any = None) -> str:
    """A service as the one who is allowed or needs something, on behalf of a source where a policy asks for one."""
    return principal if source is None else f"{principal} for {readable(source)}"


def resources(template: Template, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of a type: logical id without its hash -> properties."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name[:-8], resource["Properties"]


def as_list(value: Any) -> list[Any]:
    """A policy's one or several, as several."""
    return value if isinstance(value, list) else [value]


def _of_roles(template: Template) -> Iterator[Grant]:
    for role, properties in resources(template, "AWS::IAM::Role"):
        for policy in properties.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for action, resource in _allowed(statement):
                    yield Grant(role, action, readable(resource))


def _of_services(template: Template) -> Iterator[Grant]:
    for kind, field in (("AWS::SNS::TopicPolicy", "PolicyDocument"), ("AWS::SQS::QueuePolicy", "PolicyDocument")):
        for _, properties in resources(template, kind):
            yield from _to_services(properties[field])
    for key, properties in resources(template, "AWS::KMS::Key"):
        yield from _to_services(properties["KeyPolicy"], key)
    for _, properties in resources(template, "AWS::Lambda::Permission"):
        who = service(properties["Principal"], properties.get("SourceArn"))
        yield Grant(who, properties["Action"], readable(properties["FunctionName"]))


def _to_services(policy: dict[str, Any], itself: str = "") -> Iterator[Grant]:
    for statement in policy["Statement"]:
        principal = statement["Principal"]
        services = as_list(principal.get("Service", [])) if isinstance(principal, dict) else []
        conditions = statement.get("Condition", {}).values()
        source = next((asked["aws:SourceArn"] for asked in conditions if "aws:SourceArn" in asked), None)
        for name in services:
            for action, resource in _allowed(statement):
                yield Grant(service(name, source), action, itself if resource == "*" else readable(resource))


def _allowed(statement: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if statement["Effect"] != "Allow":
        return
    for action in as_list(statement["Action"]):
        for resource in as_list(statement["Resource"]):
            yield action, resource
