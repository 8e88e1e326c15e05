"""The OpenAPI document says what the API does: all of it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from andamio.contract import Contract
from andamio.errors import PROBLEM_TYPES, URN
from lambdas.api import openapi
from lambdas.api.app import ROUTES, create_app
from lambdas.api.models.batches import Batch
from scoring.status import Status
from tests.support.api import Api, event
from tests.support.releases import ROOT, heart, serve
from tests.unit.api.conftest import PATIENT, loans

SNAPSHOT = ROOT / "docs" / "openapi.json"


def test_the_committed_document_is_the_one_that_is_served(api: Api) -> None:
    served = api.get("/openapi.json").json
    committed = json.loads(SNAPSHOT.read_text())
    assert served | {"servers": committed["servers"]} == committed, (
        "the API changed: if it was meant to, run "
        ".venv/bin/python -m lambdas.api.openapi problems/heart > docs/openapi.json"
    )


def walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walk(inner)


@pytest.mark.parametrize("contract", [heart(), loans(), None], ids=["heart", "loans", "no model"])
def test_every_reference_leads_somewhere(contract: Contract | None) -> None:
    document = openapi.document(ROUTES, contract)
    for value in walk(document):
        if isinstance(value, dict) and "$ref" in value:
            place = document
            for part in value["$ref"].removeprefix("#/").split("/"):
                place = place[part]


def test_every_schema_is_json_schema() -> None:
    for schema in openapi.document(ROUTES, heart())["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    routes = {(method.lower(), route.path) for route in ROUTES for method in route.methods}
    parts_of_the_page = {("get", "/docs/"), ("get", "/docs/{asset}")}
    paths = openapi.document(ROUTES, heart())["paths"]
    assert {(method, path) for path, item in paths.items() for method in item} == routes - parts_of_the_page


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations(openapi.document(ROUTES, heart()))]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def validator(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]},
    )


def test_every_example_is_what_its_schema_says_and_is_answered(api: Api, loans_api: Api) -> None:
    for served in (api, loans_api):
        document = served.get("/openapi.json").json
        sent = 0
        for method, path, operation in operations(document):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            for example in content["examples"].values():
                validator(document, content["schema"]["$ref"].rsplit("/", 1)[1]).validate(example["value"])
                answer = served.post(path, example["value"])
                (good,) = (status for status in operation["responses"] if status < "300")
                assert answer.status == int(good), (method, path, answer.text)
                reply = operation["responses"][good]["content"]["application/json"]["schema"]["$ref"]
                validator(document, reply.rsplit("/", 1)[1]).validate(answer.json)
                sent += 1
        assert sent == 10
        csv = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["text/csv"]["example"]
        assert served.post("/invocations", csv, "text/csv").status == 200


@pytest.mark.parametrize("path", ["/ping", "/version", "/model", "/schema"])
def test_what_is_read_is_what_the_document_says(api: Api, path: str) -> None:
    document = api.get("/openapi.json").json
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    validator(document, schema.rsplit("/", 1)[1]).validate(api.get(path).json)


def test_a_problem_is_what_the_document_says(api: Api) -> None:
    document = api.get("/openapi.json").json
    for answer in (api.predict({}), api.post("/predict", "{"), api.get("/nowhere"), Api().predict(PATIENT)):
        validator(document, "Problem").validate(answer.json)
        assert answer.json["type"].removeprefix(URN) in PROBLEM_TYPES


def test_fields_are_described_with_unit_range_and_meaning(api: Api) -> None:
    features = api.get("/openapi.json").json["components"]["schemas"]["Features"]["properties"]
    assert features["age"]["description"] == "Age of the patient (years)"
    assert (features["age"]["minimum"], features["age"]["maximum"]) == (0, 120)
    assert "4 = asymptomatic" in features["cp"]["description"]


def test_authorize_works_and_what_needs_no_key_says_so(api: Api) -> None:
    document = api.get("/openapi.json").json
    assert document["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}
    assert document["security"] == [{"key": []}]
    free = {path for _, path, operation in operations(document) if operation.get("security") == [{}]}
    assert free == {"/ping", "/docs", "/openapi.json"}


ADDRESSES = {
    "the stage": ({}, "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1"),
    "a custom domain with a base path": (
        {"domainName": "ml.example.org", "path": "/heart/openapi.json"},
        "https://ml.example.org/heart",
    ),
    "a custom domain without one": (
        {"domainName": "ml.example.org", "path": "/openapi.json"},
        "https://ml.example.org",
    ),
}


@pytest.mark.parametrize(("context", "expected"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_the_server_is_the_address_that_the_document_was_asked_at(
    api: Api, context: dict[str, str], expected: str
) -> None:
    sent = event("api-ping")
    sent["requestContext"] |= {"path": "/v1/openapi.json"} | context
    sent |= {"resource": "/openapi.json", "path": sent["requestContext"]["path"].replace("/v1/", "/")}
    assert [server["url"] for server in api.send(sent).json["servers"]] == [expected]


def test_on_the_local_cloud_the_server_is_the_api_s_own_path(api: Api) -> None:
    sent = event("api-predict-ministack") | {"resource": "/openapi.json", "path": "/openapi.json", "httpMethod": "GET"}
    sent["requestContext"] |= {"path": "/v1/openapi.json"}
    sent["multiValueHeaders"]["x-forwarded-proto"] = ["https"]  # as it is on AWS
    (server,) = api.send(sent).json["servers"]
    assert server["url"] == "http://127.0.0.1:4566/restapis/a1b2c3d4/v1/_user_request_"
    sent["headers"] |= {"host": "a1b2c3d4.execute-api.localhost:4566"}
    sent["multiValueHeaders"] = None
    (server,) = api.send(sent).json["servers"]
    assert server["url"] == "http://a1b2c3d4.execute-api.localhost:4566/v1"


def test_before_there_is_a_model_the_document_is_of_records_in_general() -> None:
    answer = Api().get("/openapi.json")
    assert answer.status == 200
    assert answer.json["components"]["schemas"]["Features"]["type"] == "object"
    assert "/predict" in answer.json["paths"]


def test_the_schema_is_json_schema_and_takes_the_course_s_example(api: Api) -> None:
    schema = api.get("/schema").json
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(PATIENT)


@pytest.mark.parametrize("contract", [heart(), loans(), None], ids=["heart", "loans", "no model"])
def test_the_document_is_openapi(contract: Contract | None) -> None:
    OpenAPIV31SpecValidator(openapi.document(ROUTES, contract)).validate()


def test_a_new_contract_is_a_new_document_and_the_same_one_is_made_once(api: Api) -> None:
    app = api.gateway.app
    assert app.openapi() is app.openapi()
    narrower = heart().model_dump(mode="json", exclude_none=True)
    narrower["features"]["age"]["max"] = 100
    serve(api.objects, type(heart()).model_validate(narrower))
    api.clock.move(60)
    assert app.openapi()["components"]["schemas"]["Features"]["properties"]["age"]["maximum"] == 100


def test_operations_keep_the_names_that_generated_clients_call() -> None:
    assert {operation["operationId"] for _, _, operation in operations(openapi.document(ROUTES, None))} == {
        "predict_one_record",
        "predict_up_to_1000_records",
        "predict_in_mlflows_scoring_protocol",
        "explain_the_prediction_of_one_record",
        "what_the_watch_found",
        "look_up_a_prediction_by_its_id",
        "list_the_predictions_of_a_record",
        "send_true_labels",
        "ask_for_an_upload_of_a_file_to_score",
        "how_far_a_batch_is",
        "list_recent_batches",
        "whether_a_model_is_loaded",
        "which_release_serves",
        "the_model_that_serves",
        "the_model_card",
        "json_schema_of_a_record",
        "this_document",
        "the_page_that_shows_this_document",
    }


def test_no_schema_has_what_client_generators_do_not_know() -> None:
    """`const`, lists of types, enums of values of several types, arrays of nobody knows what."""
    for contract in (heart(), loans(), None):
        for value in walk(openapi.document(ROUTES, contract)):
            if isinstance(value, dict) and value.get("type") != "object":
                assert not isinstance(value.get("const"), str)
                assert not isinstance(value.get("type"), list)
                if isinstance(value.get("enum"), list):
                    assert len({type(item) for item in value["enum"]}) == 1
                if value.get("type") == "array":
                    assert value["items"] or contract is None


def test_what_the_gateway_answers_itself_is_declared() -> None:
    for _, path, operation in operations(openapi.document(ROUTES, heart())):
        assert "429" in operation["responses"]
        assert ("403" in operation["responses"]) == (operation.get("security") is None), path


def test_unknown_keys_are_refused_where_the_document_says_so(api: Api) -> None:
    schemas = api.get("/openapi.json").json["components"]["schemas"]
    strict = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert strict == {
        "BatchRequest", "Columns", "DataframeRecords", "DataframeSplit", "Features", "Inputs", "Instances", "NoParams",
        "PredictRequest", "PredictionFeedback", "Record", "RecordFeedback", "Table", "UploadRequest",
    }  # fmt: skip


def test_states_of_a_batch_are_those_that_scoring_knows() -> None:
    known, described = get_type_hints(Status), get_type_hints(Batch)
    assert described["status"] == known["status"]
    assert described["step"] == known["step"]


def test_features_take_every_spelling_that_the_record_schema_takes(api: Api) -> None:
    features = validator(api.get("/openapi.json").json, "Features")
    for cp in (4, "4", 4.0):
        features.validate(PATIENT | {"cp": cp})
    assert not features.is_valid(PATIENT | {"cp": 9})
    assert not features.is_valid(PATIENT | {"cp": True})


def test_the_busiest_paths_are_tried_first() -> None:
    app = create_app(lambda: None, lambda: None)  # type: ignore[arg-type,return-value]
    paths = [getattr(route, "path", "") for route in app.router.routes]
    assert set(paths[:2]) == {"/predict", "/ping"}
    assert len(paths) == len(ROUTES)
