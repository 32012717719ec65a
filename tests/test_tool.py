"""Tools made of typed functions: what the model is told, what it may pass, and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import anyio
import pytest
from pydantic import BaseModel, Field

from callboard import ToolContext, tool
from callboard.actors.tool import Tool, ToolFailed, as_result
from callboard.events import SpecError

CONTEXT = ToolContext("log/k/a/1/1", "a", "k")


class Place(BaseModel):
    name: str
    country: str = "FR"


@tool(effect="read", timeout=5)
async def forecast(place: Place, days: Annotated[int, Field(ge=1, le=7)] = 1, unit: Literal["C", "F"] = "C") -> str:
    """Say what the weather will be.

    Args:
        place: Where.
        days (int): How many days
            from today.
    """
    return f"{place.name} {place.country} {days} {unit}"


def test_the_model_is_told_types_defaults_and_descriptions() -> None:
    spec = forecast.spec()
    assert spec.name == "forecast" and spec.description.startswith("Say what the weather")
    assert (spec.effect, spec.timeout, spec.code) == ("read", 5, "tests.test_tool:forecast")
    fields = spec.parameters["properties"]
    assert isinstance(fields, dict)
    assert fields["days"] == {
        "default": 1,
        "description": "How many days from today.",
        "maximum": 7,
        "minimum": 1,
        "type": "integer",
    }
    assert fields["unit"] == {"default": "C", "enum": ["C", "F"], "type": "string"}
    assert spec.parameters["required"] == ["place"] and spec.parameters["additionalProperties"] is False


async def test_arguments_are_validated_and_passed_as_their_types() -> None:
    assert await forecast.call('{"place": {"name": "Brest"}, "days": 3}', CONTEXT) == "Brest FR 3 C"
    with pytest.raises(ToolFailed, match=r"bad arguments: place\.name: Field required; days: Input should be less"):
        await forecast.call('{"place": {}, "days": 9}', CONTEXT)
    with pytest.raises(ToolFailed, match="when: Extra inputs"):
        await forecast.call('{"place": {"name": "x"}, "when": 1}', CONTEXT)


async def test_a_context_is_passed_and_hidden() -> None:
    def who(context: ToolContext, greeting: str = "hello") -> str:
        return f"{greeting} {context.agent} {context.key} {context.trace}"

    assert "context" not in str(Tool(who).spec().parameters)
    assert await Tool(who).call("", CONTEXT) == "hello a log/k/a/1/1 k"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "done"),
        ({"a": [1]}, '{"a":[1]}'),
        (Place(name="x"), '{"name":"x","country":"FR"}'),
        (b"raw", '"raw"'),
    ],
)
def test_results_are_texts(value: object, text: str) -> None:
    assert as_result(value) == text


@pytest.mark.parametrize("run", ["thread", "loop"])
async def test_a_call_that_takes_too_long_fails(run: str) -> None:
    release = anyio.Event()

    async def slow() -> None:
        await release.wait()

    def blocking() -> None:
        anyio.from_thread.run(release.wait)

    with pytest.raises(ToolFailed, match=r"no result after 0\.01 seconds"):
        await Tool(slow if run == "loop" else blocking, timeout=0.01).call("", CONTEXT)
    release.set()


@dataclass
class Opaque:
    handle: object


def with_rest(*rest: str) -> None: ...


def defined(source: str) -> Callable[..., object]:
    """Return the function that `source` defines, which no type checker would let pass."""
    names: dict[str, Any] = {}
    exec(source, names)
    return names["function"]


class Unknown:
    pass


def unknown(value: Unknown) -> None: ...


@pytest.mark.parametrize("function", [with_rest, unknown, defined("def function(value: 'Nowhere'): ...")])
def test_functions_that_no_model_can_call_are_refused(function: Callable[..., object]) -> None:
    with pytest.raises(SpecError):
        Tool(function).spec()


def test_a_function_without_a_name_is_refused() -> None:
    with pytest.raises(SpecError, match="define it with def"):
        Tool(partial(as_result, None)).spec()


def test_the_names_of_memory_tools_are_taken() -> None:
    def memory_append(text: str) -> None: ...

    with pytest.raises(SpecError, match="one of callboard's own"):
        Tool(memory_append).spec()


def test_parameters_without_a_type_are_strings() -> None:
    assert Tool(defined("def function(text): return text")).spec().parameters["properties"] == {
        "text": {"type": "string"}
    }


@pytest.mark.parametrize("count", [-1, True, "5", 1.5])
def test_how_often_a_tool_may_be_repeated_is_a_count(count: Any) -> None:
    with pytest.raises(SpecError, match=r"may_repeat of tool 'look' is .*; a count, 0 or more, is wanted"):
        tool(may_repeat=count)(look).spec()
    assert tool(may_repeat=30)(look).spec().may_repeat == 30


def look(place: str) -> str:
    """Look."""
    return place
