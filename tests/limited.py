"""What tests of limits share: a model that does as a function says, a tool, and one request."""

from collections.abc import Callable

from callboard import Agent, Answer, Group, Limits, MemoryStore, ModelReply, ModelRequest, Price, System, tool
from callboard.events.catalog import Usage

USED = Usage(input_tokens=100, output_tokens=50)
LOOK = ("look", "{}")


@tool(effect="read")
async def look() -> str:
    """Look."""
    return "seen"


class Scripted:
    """Says what a function of the request says; remembers all requests."""

    name = "m"

    def __init__(self, reply: Callable[[ModelRequest], ModelReply]) -> None:
        self.reply, self.asked = reply, list[ModelRequest]()

    async def complete(self, request: ModelRequest, say: Callable[[str], None]) -> ModelReply:
        self.asked.append(request)
        return self.reply(request)


def busy(request: ModelRequest) -> ModelReply:
    """Look again and again."""
    return ModelReply(f"step {request.id.rsplit('/', 1)[-1]}", [LOOK], USED)


def brief(request: ModelRequest) -> ModelReply:
    return ModelReply(f"{request.agent} is done", usage=USED)


async def asked(
    limits: Limits | None, spec: Agent | Group | None = None, reply: Callable[[ModelRequest], ModelReply] = busy
) -> tuple[Answer, list[ModelRequest]]:
    model = Scripted(reply)
    async with System.open(MemoryStore(), model=model, prices={"m": Price(1, 2)}) as system:
        ref = await system.start(spec or Agent("a", tools=[look]))
        return await ref.ask("go", limits=limits), model.asked
