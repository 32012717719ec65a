"""Tools: typed Python functions that an agent may call, each with what it does outside declared."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast, get_type_hints, overload

import anyio
from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import to_json

from callboard.events import DeliveryFailed, SpecError
from callboard.events.specs import InDoubt, ToolSpec

from . import forks, own_tools
from .blocking import LOOP_WATCH
from .code import address_of
from .memory import faults, schema_of
from .others import ToolFailed, is_ours, words_of

if TYPE_CHECKING:
    from .reach import Reach

Reconcile = Callable[[str], Awaitable[str] | str]
"""Given the key of a call in doubt, looks whether it was done and returns what to tell the model."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its own call; a parameter of this type is hidden from the model.

    Attributes:
        key: Names this very call to the outside, the same at every attempt.
        agent: Name of the agent that calls.
        trace: The request from outside that this came of.
    """

    key: str
    agent: str
    trace: str
    reach: Reach | None = field(default=None, repr=False, compare=False)

    async def ask(self, name: str, text: str | BaseModel, *, timeout: float | None = None) -> str:
        """Ask the agent or group called `name`, and return its answer.

        The message is recorded under this call, numbered in the order of asking: a tool that runs again after a crash
        and asks the same gets the recorded answer. From a plain function, which runs in a worker thread, call
        `anyio.from_thread.run(context.ask, name, text)`.

        Args:
            text: What to ask; of a pydantic model its JSON.
            timeout: Seconds until the other is told to stop; it never outlasts the tool's own.

        Raises:
            RequestFailed: There is no answer; says why.
            DeliveryFailed: It was not sent: nobody is called that (`NoSuchActor`), it is the agent itself, the call
                has ended (`CallEnded`), or a tool that runs again asks another thing (`MessageChanged`).
            TextRefused: The text cannot be taken in.
            TimeoutError: There was no answer in time.
        """
        return await self._reach().send("ask", name, text, timeout)

    async def tell(self, name: str, text: str | BaseModel) -> None:
        """Tell the agent or group called `name` something; return when it can no longer be lost. Else as `ask`."""
        await self._reach().send("tell", name, text)

    def _reach(self) -> Reach:
        if self.reach is None:
            raise DeliveryFailed("this context belongs to no agent, so that it reaches nobody; let an agent call")
        return self.reach


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with what it does outside.

    Attributes:
        effect: `read` runs again after a crash; `idempotent` too, with the same key; `once` never by itself.
        timeout: Seconds until a call counts as failed.
        reconcile: Says by a call's key what came of it, where the process ended while it ran.
        in_doubt: Without that, `tell` the model that nobody knows, `ask` a person, or `fail` the turn.
        needs_approval: Whether a person is asked before a call begins; or a function that says so of the arguments,
            which it gets by name. Where it fails, a person is asked.
        may_repeat: How often one turn may call it with the same arguments before that counts as a loop, as where it
            polls; 0 for as often as any other tool.
    """

    function: Callable[..., Any]
    effect: Literal["read", "idempotent", "once"] = "once"
    timeout: float = 60.0
    reconcile: Reconcile | None = None
    in_doubt: InDoubt = "tell"
    needs_approval: bool | Callable[..., bool | Awaitable[bool]] = False
    may_repeat: int = 0

    @property
    def name(self) -> str:
        """What the model calls it."""
        return getattr(self.function, "__name__", "")

    def spec(self) -> ToolSpec:
        """Return this as data.

        Raises:
            SpecError: The function has no name, or a parameter that no model can fill; or `needs_approval` is no
                function of its arguments.
        """
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", self.name):
            raise SpecError(f"the tool {self.name!r} needs a plain name; define it with def")
        if self.name in own_tools.RESERVED:
            raise SpecError(f"the tool name {self.name!r} is one of callboard's own; take another")
        arguments = self.arguments()
        return ToolSpec(
            name=self.name,
            description=inspect.getdoc(self.function) or "",
            parameters=schema_of(arguments),
            effect=self.effect,
            code=address_of(self.function),
            timeout=self.timeout,
            reconcile=address_of(self.reconcile) if self.reconcile else "",
            in_doubt=self.in_doubt,
            needs_approval=self._who_asks(list(arguments.model_fields)),
            may_repeat=self._how_often(),
        )

    def _how_often(self) -> int:
        """Return `may_repeat`, if it is a count."""
        count = cast(object, self.may_repeat)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise SpecError(f"may_repeat of tool {self.name!r} is {count!r}; a count, 0 or more, is wanted")
        return count

    def _who_asks(self, names: list[str]) -> bool | str:
        """Return `needs_approval` as data: a function by its address."""
        asks = self.needs_approval
        if isinstance(asks, bool):
            return asks
        if not inspect.isfunction(asks) or asks.__name__ == "<lambda>":
            raise SpecError(f"needs_approval of tool {self.name!r} is {asks!r}; True or a plain function is wanted")
        try:
            inspect.signature(asks).bind(**dict.fromkeys(names))
        except TypeError as error:
            why = f"{error}; it gets the arguments {', '.join(names) or '(none)'} by name"
            raise SpecError(f"needs_approval of tool {self.name!r} cannot be called: {why}") from None
        return address_of(asks)

    def arguments(self) -> type[BaseModel]:
        """Return the arguments as a model: types from the signature, descriptions from the docstring."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
            described = _descriptions(inspect.getdoc(self.function) or "")
            fields = {
                name: _field(self.name, parameter, hints.get(name, str), described.get(name))
                for name, parameter in inspect.signature(self.function).parameters.items()
                if hints.get(name) is not ToolContext
            }
            config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
            return create_model(self.name, __config__=config, **fields)  # type: ignore[call-overload]
        except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError, ValueError) as error:
            raise SpecError(f"the tool {self.name!r} cannot be described to a model: {error}") from None

    async def call(self, arguments: str, context: ToolContext) -> str:
        """Run the function on JSON `arguments`; return its result as text.

        Raises:
            ToolFailed: The arguments do not fit, or it took longer than `timeout`.
        """
        values = self.values(arguments)
        hints = get_type_hints(self.function)
        values |= {name: context for name, hint in hints.items() if hint is ToolContext and name != "return"}
        try:
            with anyio.fail_after(self.timeout):
                return as_result(await run(self.function, **values))
        except TimeoutError:
            why = f"{self.name} gave no result after {self.timeout:g} seconds; it may still go on outside"
            raise ToolFailed(why) from None

    def values(self, arguments: str) -> dict[str, Any]:
        """Return JSON `arguments` as the function gets them.

        Raises:
            ToolFailed: They do not fit.
        """
        model = self.arguments()
        try:
            filled = model.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise ToolFailed(faults(error)) from None
        return {name: getattr(filled, name) for name in model.model_fields}


async def run(function: Callable[..., Any], *args: object, **values: object) -> object:
    """Call `function`: on the loop where it is async, else in a worker thread that a time-out leaves behind.

    Raises:
        ToolFailed: It raised what is no `Exception`, such as `KeyboardInterrupt`, or a cancellation of its own.
    """
    process, name = forks.noted(), getattr(function, "__name__", "")
    try:
        if inspect.iscoroutinefunction(function):
            result: object = function(*args, **values)
        else:
            result = await to_thread.run_sync(partial(forks.alone, function, args, values), abandon_on_cancel=True)
        if inspect.iscoroutine(result):
            return await LOOP_WATCH.run(name, result)
        return await result if inspect.isawaitable(result) else result
    except BaseException as error:
        if isinstance(error, Exception) or is_ours(error):
            raise
        raise ToolFailed(words_of(error)) from error
    finally:
        forks.end_child(process)


def as_result(value: object) -> str:
    """Return what a tool returned as text: strings as they are, nothing as `done`, all else as JSON."""
    if value is None:
        return "done"
    return value if isinstance(value, str) else to_json(value).decode()


def as_tool(what: Tool | Callable[..., Any]) -> Tool:
    """Return `what` as a tool; a plain function is one whose calls must not happen twice."""
    return what if isinstance(what, Tool) else Tool(what)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    effect: Literal["read", "idempotent", "once"] = "once",
    timeout: float = 60.0,
    reconcile: Reconcile | None = None,
    in_doubt: InDoubt = "tell",
    needs_approval: bool | Callable[..., bool | Awaitable[bool]] = False,
    may_repeat: int = 0,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **declared: Any) -> Any:
    """Declare what a tool does outside. Without this, a function is a `once` tool.

    Args:
        effect: `read`, `idempotent` or `once`; see `Tool`.
        timeout: Seconds until a call counts as failed; 60 by default.
        reconcile: Says by a call's key what came of it, if the process stopped while it ran.
        in_doubt: Without that, `tell` the model, `ask` a person, or `fail` the turn.
        needs_approval: Whether a person is asked before a call begins, or a function of the arguments that says so.
        may_repeat: How often one turn may call it with the same arguments before that counts as a loop.
    """
    if function is not None:
        return Tool(function)
    return partial(_declared, declared)


def _declared(declared: dict[str, Any], function: Callable[..., Any]) -> Tool:
    return replace(Tool(function), **declared)


def _field(tool_name: str, parameter: inspect.Parameter, hint: Any, description: str | None) -> Any:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise SpecError(f"the tool {tool_name!r} takes {parameter}; only plain named parameters can be filled")
    default = ... if parameter.default is parameter.empty else parameter.default
    return (hint, Field(default, description=description) if description else default)


def _descriptions(doc: str) -> dict[str, str]:
    """Return what the `Args:` section of a docstring says of each parameter."""
    _, found, section = doc.partition("Args:\n")
    if not found:
        return {}
    section = re.split(r"\n\S", section)[0]
    matches = re.finditer(r"^( {2,8})(\w+)(?: \([^)]*\))?: (.*(?:\n\1 +\S.*)*)", section, re.MULTILINE)
    return {match[2]: re.sub(r"\s+", " ", match[3]) for match in matches}
