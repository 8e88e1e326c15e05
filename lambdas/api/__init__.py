"""The prediction API: FastAPI behind API Gateway, serving the champion of one problem."""

from pydantic import BaseModel

# FastAPI describes OpenAPI itself in models, whose validators take a quarter of a cold start and are used only when the
# document is made: they are built then.
BaseModel.model_config["defer_build"] = True
try:
    import fastapi.openapi.models  # noqa: F401
finally:
    del BaseModel.model_config["defer_build"]
