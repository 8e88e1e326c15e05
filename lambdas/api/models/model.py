"""The model that serves, and the state of the service."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from lambdas.api.models import ApiModel, one_value

Object = dict[str, Any]


class Model(ApiModel):
    """The champion: what it is, how good it is, and why it was promoted."""

    name: str
    title: str
    version: Annotated[str, Field(description="The release's version: a digest of all that is in it.")]
    since: Annotated[str, Field(description="Since when it serves")]
    run: Annotated[str, Field(description="The training run that made it")]
    data_version: Annotated[str | None, Field(description="The data version that it was trained on")]
    classes: Annotated[dict[str, str], Field(description="The text shown for each class")]
    positive: Annotated[str | None, Field(description="The positive class; null with more than two classes")]
    threshold: Annotated[
        float, Field(description="Of the positive class: the probability from which on it is the label")
    ]
    ignored: Annotated[
        list[str],
        Field(description="Features that were empty or constant in train: the model does not see their values"),
    ]
    metric: Annotated[str | None, Field(description="The metric that decides")]
    metrics: Annotated[
        Object | None, Field(description="Each metric on the holdout: value and the ends of its interval")
    ]
    evaluation: Annotated[Object, Field(description="All else that was measured on the holdout")]
    decision: Annotated[Object, Field(description="Why it was promoted, with all numbers")]


class Version(ApiModel):
    """Which release serves, and how loading went."""

    problem: str
    release: Annotated[str | None, Field(description="The release that serves")]
    revision: Annotated[
        int | None, Field(description="Of the pointer that names it; grows with every promotion and rollback")
    ]
    since: Annotated[str | None, Field(description="Since when it serves")]
    looked: Annotated[str | None, Field(description="When this environment last looked at the pointer")]
    loads: Annotated[int, Field(description="How many releases this environment has loaded")]
    refusals: Annotated[int, Field(description="How many looks did not lead to the release that is named")]
    last_refusal: Annotated[Object | None, Field(description="When, which release, code and reason")]
    challenger: Annotated[
        Object | None,
        Field(description="The release on trial: since when, its strategy, the share it answers, whether it is loaded"),
    ]
    andamio: Annotated[str, Field(description="The version of Andamio")]


class JsonSchema(RootModel[Object], defer_build=True):
    """JSON Schema 2020-12."""


class Pong(ApiModel):
    """A model is loaded."""

    status: Annotated[str, one_value("ok")]
    challenger: Annotated[
        Literal["ok", "failing"] | None, Field(description="Whether the model on trial is loaded; null without one")
    ]
