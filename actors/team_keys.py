"""The tables of a team file: which keys each may have, and what stands there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from callboard.events import SpecError
from callboard.events.specs import Form, OnFailure

from .names import checked_text


def _words(text: str) -> str:
    try:
        return checked_text(text, "it")
    except SpecError as error:
        raise PydanticCustomError("text", "{why}", {"why": error.what}) from None


_Words = Annotated[str, AfterValidator(_words)]


class Keys(BaseModel):
    """Any table: what it may not have is a fault."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ModelKeys(Keys):
    """`[model]`, and `[models.NAME]`."""

    name: _Words = ""
    base_url: _Words = ""
    at_once: int = Field(0, ge=1)


class EmbedderKeys(Keys):
    """`[embedder]`."""

    name: _Words = Field(min_length=1)
    base_url: _Words = ""
    dimensions: int = Field(0, ge=1)


class BlockKeys(Keys):
    """`[blocks.NAME]`."""

    value: _Words = ""
    limit: int = Field(0, ge=1)
    description: _Words = ""
    form: Form = "text"
    holds: str | dict[str, JsonValue] = Field({}, alias="schema")
    locked: bool = False
    tags: list[_Words] = []
    metadata: dict[str, JsonValue] = {}


class ArchiveKeys(Keys):
    """`[archives.NAME]`."""

    description: _Words = ""


class UseKeys(Keys):
    """A block in `blocks` of an agent."""

    label: str
    access: Literal["write", "read"] = "write"


class ShareKeys(UseKeys):
    """A block in `blocks` of a group; `writers` is None where it does not say who."""

    writers: list[str] | None = None


class LimitKeys(Keys):
    """`limits` of an agent or a group."""

    turns: int = Field(0, ge=1)
    model_calls: int = Field(0, ge=1)
    tool_calls: int = Field(0, ge=1)
    tokens: int = Field(0, ge=1)
    usd: float = Field(0, gt=0)
    seconds: float = Field(0, gt=0)
    hops: int = Field(0, ge=1)
    fan_out: int = Field(0, ge=1)
    then: Literal["stop", "ask"] = "stop"


class PriceKeys(Keys):
    """`[prices.NAME]`."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float = Field(0, ge=0)


class WindowKeys(Keys):
    """`window` of an agent, as a table."""

    tokens: int = Field(0, ge=1)
    at: float = 0.9
    mode: Literal["sliding", "all"] = "sliding"
    evict: float = 0.3


class AgentKeys(Keys):
    """`[agents.NAME]`."""

    instructions: _Words = ""
    description: _Words = ""
    persona: _Words = ""
    human: _Words = ""
    model: _Words = ""
    blocks: list[object] = []
    tags: list[_Words] = []
    tools: list[str] = []
    metadata: dict[str, JsonValue] = {}
    max_steps: int = Field(0, ge=1)
    fallback: _Words | dict[str, _Words | list[_Words]] = ""
    limits: object = None
    output: str | dict[str, JsonValue] = {}
    window: object = None
    stateless: bool = False
    archive: str = ""


class GroupKeys(Keys):
    """`[groups.NAME]`; its pattern, its blocks and its end are looked at on their own."""

    members: list[str] = Field(min_length=1)
    pattern: dict[str, object] = {}
    manager: str = ""
    standby: list[str] = []
    blocks: list[object] = []
    description: _Words = ""
    until: object = None
    on_failure: OnFailure = "skip"
    limits: object = None


class UntilKeys(Keys):
    """`until` of a group, as a table: one of these, and `by` beside `mention`."""

    mention: _Words = ""
    by: list[str] = Field([], min_length=1)
    spoke: list[str] = Field([], min_length=1)
    turns: int = Field(0, ge=1)
    any: list[object] = Field([], min_length=1)
    all: list[object] = Field([], min_length=1)
