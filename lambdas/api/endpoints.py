"""What each path answers. Every endpoint takes the request as it came and returns bytes.

What a prediction does not need is imported by the endpoint that does: a cold start pays for it otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import Request, Response

from andamio import __version__
from andamio.contract.schema import record_schema
from andamio.errors import AccessRefused, AndamioError, NotReady
from lambdas.api import card, docs, log, replies
from lambdas.api.body import CSV, JSON, media_type, parse_json, read_text
from lambdas.api.champion import Champion
from lambdas.api.explain import check_offered, explanation
from lambdas.api.invocations import columns_of_csv, records_of
from lambdas.api.payload import Records, many_records, one_record
from lambdas.api.predict import predict, predict_csv
from lambdas.api.problems import RequestError
from lambdas.api.scored import Scored, limit_of, record_of
from lambdas.api.serving import Serving

PAGE_KEPT = 86400
"""Seconds that a browser may keep the parts of the page; they change with a deploy only."""

Route = tuple[str, str, Callable[[Request], Awaitable[Response]]]


class Endpoints:
    """The endpoints of one problem's API."""

    def __init__(self, connect: Callable[[], Serving], scored: Callable[[], Scored], static: Path) -> None:
        self._connect = connect
        self._scored = scored
        self._static = static
        self._known: Mapping[str, object] = {}

    def routes(self) -> list[Route]:
        """Method, path and endpoint, the busiest first: they are tried in this order."""
        return [
            ("POST", "/predict", self.predict),
            ("POST", "/predict/batch", self.predict_batch),
            ("POST", "/invocations", self.invocations),
            ("POST", "/explain", self.explain),
            ("GET", "/predictions/{prediction_id}", self.prediction),
            ("GET", "/predictions", self.predictions),
            ("POST", "/batches", self.ask_for_upload),
            ("GET", "/batches/{batch}", self.batch),
            ("GET", "/batches", self.batches),
            ("GET", "/ping", self.ping),
            ("GET", "/version", self.version),
            ("GET", "/model", self.model),
            ("GET", "/model/card", self.model_card),
            ("GET", "/schema", self.schema),
            ("GET", "/openapi.json", self.openapi),
            ("GET", "/docs", self.docs),
            ("GET", "/docs/", self.docs_moved),
            ("GET", "/docs/{asset}", self.docs_asset),
        ]

    # Predictions

    async def predict(self, request: Request) -> Response:
        """One record."""
        started = time.perf_counter()
        champion = self._champion()
        media_type(request, (JSON,))
        records = one_record(parse_json(await read_text(request)))
        return replies.json_reply(predict(champion, records, "predict", started)[0])

    async def predict_batch(self, request: Request) -> Response:
        """Up to a thousand records, all or none."""
        started = time.perf_counter()
        champion = self._champion()
        media_type(request, (JSON,))
        records = many_records(parse_json(await read_text(request)))
        return replies.json_reply({"predictions": predict(champion, records, "predict/batch", started)})

    async def invocations(self, request: Request) -> Response:
        """MLflow's scoring protocol."""
        started = time.perf_counter()
        champion = self._champion()
        kind = media_type(request, (JSON, CSV))
        text = await read_text(request)
        if kind == CSV:
            columns, rows = columns_of_csv(text)
            predictions = predict_csv(champion, columns, rows, "invocations", started)
        else:
            features = records_of(parse_json(text))
            predictions = predict(champion, Records(features, [None] * len(features)), "invocations", started)
        shown = ("label", "label_text", "probabilities", "prediction_id")
        return replies.json_reply({"predictions": [{key: row[key] for key in shown} for row in predictions]})

    async def explain(self, request: Request) -> Response:
        """What each feature of one record contributed to its prediction."""
        started = time.perf_counter()
        champion = self._champion()
        check_offered(champion)
        media_type(request, (JSON,))
        records = one_record(parse_json(await read_text(request)))
        return replies.json_reply(explanation(champion, records, started))

    async def prediction(self, request: Request) -> Response:
        """A prediction that was made before."""
        from lambdas.api.predictions import stored_prediction

        return replies.json_reply(stored_prediction(self._scored(), request.path_params["prediction_id"]))

    async def predictions(self, request: Request) -> Response:
        """The newest predictions of one of the caller's records."""
        from lambdas.api.predictions import predictions_of

        return replies.json_reply(predictions_of(self._scored(), record_of(request), limit_of(request)))

    # Batches

    async def ask_for_upload(self, request: Request) -> Response:
        """A place for a batch file; refused while there is no model that could score it."""
        from lambdas.api.batches import ask_for_upload

        self._champion()
        media_type(request, (JSON,))
        return replies.json_reply(ask_for_upload(self._scored(), parse_json(await read_text(request))), 201)

    async def batch(self, request: Request) -> Response:
        """How far a batch is, and links to its results."""
        from lambdas.api.batches import describe

        return replies.json_reply(describe(self._scored(), request.path_params["batch"]))

    async def batches(self, request: Request) -> Response:
        """The newest batches."""
        from lambdas.api.batches import listed

        return replies.json_reply(listed(self._scored(), limit_of(request)))

    # What serves

    async def ping(self, request: Request) -> Response:
        """Whether a model is loaded: 200 or 503, whatever else is wrong."""
        try:
            self._champion()
        except NotReady:
            raise
        except Exception as error:
            log.error(error, path="/ping")
            raise NotReady("The service cannot look for a model. What happened is in its log.") from error
        return replies.json_reply({"status": "ok"})

    async def version(self, request: Request) -> Response:
        """Which release serves since when, and how often looking for another one went wrong."""
        serving = self._connect()
        with suppress(NotReady, AccessRefused):  # either is in the state
            serving.champion()
        return replies.json_reply({**serving.state(), "andamio": __version__})

    async def model(self, request: Request) -> Response:
        """What the champion is, how good it is, and why it was promoted."""
        champion = self._champion()
        contract, evaluation = champion.contract, champion.document("evaluation.json")
        positive = contract.positive_index
        return replies.json_reply(
            {
                "name": contract.problem.name,
                "title": contract.problem.title,
                "version": champion.version,
                "since": champion.since,
                "run": champion.run,
                "data_version": evaluation.get("dataset"),
                "classes": contract.texts,
                "positive": contract.classes[positive] if positive >= 0 else None,
                "threshold": champion.threshold,
                "metric": evaluation.get("metric"),
                "metrics": evaluation.get("metrics"),
                "evaluation": {
                    key: value for key, value in evaluation.items() if key not in ("metric", "metrics", "dataset")
                },
                "decision": champion.document("decision.json"),
            }
        )

    async def model_card(self, request: Request) -> Response:
        """The champion's model card: a page, or Markdown."""
        return card.reply(request, self._champion().release)

    # What a request looks like

    async def schema(self, request: Request) -> Response:
        """JSON Schema of one record's features."""
        return replies.json_reply(record_schema(self._champion().contract))

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        return replies.json_reply(self.document())

    def document(self) -> dict[str, Any]:
        """The OpenAPI document of the champion's contract; of records in general while there is no model."""
        from lambdas.api import openapi

        try:
            contract = self._champion().contract
        except AndamioError:
            return openapi.document(None)
        return openapi.document(contract)

    async def docs(self, request: Request) -> Response:
        """The page that shows the OpenAPI document."""
        return replies.page_reply(docs.page("Andamio: prediction API"), "text/html; charset=utf-8", policy=docs.POLICY)

    async def docs_moved(self, request: Request) -> Response:
        """The page's own place: with a slash behind it, its relative links would lead astray."""
        return replies.moved("../docs")

    async def docs_asset(self, request: Request) -> Response:
        """A part of the page."""
        found = docs.asset(self._static, request.path_params["asset"])
        if found is None:
            raise RequestError(404, "not-found", "The page behind /docs has no such part.")
        body, kind = found
        return replies.page_reply(body, f"{kind}; charset=utf-8", seconds=PAGE_KEPT)

    def known_fields(self) -> Mapping[str, object]:
        """The fields of the contract that was served last: names that may be repeated as they are."""
        return self._known

    def _champion(self) -> Champion:
        champion = self._connect().champion()
        self._known = champion.contract.features
        return champion
