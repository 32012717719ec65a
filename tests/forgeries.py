"""Logs that somebody changed: each kind with the first bad position, and the check that must name it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from callboard.events.anchor import Head
from callboard.events.codec import Row, chain

from .harness import run
from .logs import rechained, rows_of
from .scenarios import SCENARIOS

Rows = list[Row]


def healthy(scenario: int = 0, *deaths: int) -> Rows:
    """Return the log of a scenario that died at these ticks and went on."""
    return rows_of(anyio.run(run, SCENARIOS[scenario], deaths).log)


def at(rows: Sequence[Row], type: str, n: int = 0) -> int:
    """Return the index of the n-th event of a type."""
    return [i for i, row in enumerate(rows) if row.type == type][n]


def with_data(row: Row, **fields: Any) -> Row:
    """Return `row` with other fields in its data."""
    return row._replace(data=json.dumps({**json.loads(row.data), **fields}, separators=(",", ":")))


def changed(rows: Rows, i: int, row: Row, *, rechain: bool = True) -> tuple[Rows, int]:
    """Return `rows` with `row` at `i`, and the position of that; rechained, its own chain tells nothing."""
    forged = [*rows[:i], row, *rows[i + 1 :]]
    return (rechained(forged) if rechain else forged), i + 1


def with_id(rows: Rows, old: str, new: str) -> Rows:
    """Return `rows` with the id `old` called `new` wherever it is the id of a thing."""
    return [with_data(row, id=new) if json.loads(row.data).get("id") == old else row for row in rows]


@dataclass(frozen=True)
class Forgery:
    """A way to change a log; an empty check is not that tool's."""

    name: str
    verify: str
    audit: str
    forge: Callable[[Rows], tuple[Rows, int]]


def edited(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished")
    return changed(rows, i, with_data(rows[i], model="m-2"), rechain=False)


def reworded(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished", 1)
    return changed(rows, i, rows[i]._replace(content='["something else"]'), rechain=False)


def silenced(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished")
    return changed(rows, i, rows[i]._replace(content=None, salt=None), rechain=False)


def later(rows: Rows) -> tuple[Rows, int]:
    return changed(rows, 7, rows[7]._replace(recorded_at=rows[7].recorded_at + 1), rechain=False)


def removed(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ToolCallStarted")
    return [*rows[:i], *rows[i + 1 :]], i + 2


def removed_and_renumbered(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ToolCallRequested")
    id = json.loads(rows[i].data)["id"]
    forged = rechained([*rows[:i], *rows[i + 1 :]])
    return forged, next(row.position for row in forged[i:] if json.loads(row.data).get("id") == id)


def out_of_turn(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished")
    forged = rechained(rows)
    forged[i] = forged[i]._replace(version=forged[i].version + 1)
    last = forged[: i + 1]
    return rechained_in_place(last), i + 1


def rechained_in_place(rows: Rows) -> Rows:
    """Return `rows` rechained, each with the version that it has."""
    previous, forged = b"", Rows()
    for row in rows:
        previous = chain(previous, row)
        forged.append(row._replace(chain=previous))
    return forged


def repeated(rows: Rows, type: str) -> tuple[Rows, int]:
    i = at(rows, type)
    return rechained([*rows, rows[i]]), len(rows) + 1


def opened_again(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallRequested")
    return rechained([*rows[: i + 1], *rows[i:]]), i + 2


def of_no_kind(rows: Rows) -> tuple[Rows, int]:
    return rechained([*rows, rows[at(rows, "AgentStarted")]._replace(stream="robot-x")]), len(rows) + 1


def of_another_kind(rows: Rows) -> tuple[Rows, int]:
    changed = rows[at(rows, "AgentStarted")]._replace(type="AgentChanged", stream="group-essay")
    return rechained([*rows, changed]), len(rows) + 1


def with_cause(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "TurnStarted")
    return changed(rows, i, rows[i]._replace(causation_id=f"{rows[-1].stream}@{rows[-1].version}"))


def of_unknown_type(rows: Rows) -> tuple[Rows, int]:
    return changed(rows, len(rows) - 1, rows[-1]._replace(type="TurnInvented"))


def of_newer_schema(rows: Rows) -> tuple[Rows, int]:
    return changed(rows, len(rows) - 1, rows[-1]._replace(schema_version=99))


def not_json(rows: Rows) -> tuple[Rows, int]:
    return changed(rows, len(rows) - 1, rows[-1]._replace(data='{"id":'))


def without_a_field(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ToolCallStarted")
    data = json.loads(rows[i].data)
    return changed(rows, i, rows[i]._replace(data=json.dumps({"id": data["id"]})))


def refers(rows: Rows, place: list[Any]) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished")
    return changed(rows, i, with_data(rows[i], text=place))


def never_opened(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallFinished")
    return changed(rows, i, with_data(rows[i], id=json.loads(rows[i].data)["id"] + "0"))


def elsewhere(rows: Rows) -> tuple[Rows, int]:
    """Put an event of the writer's into the stream of the critic."""
    i = next(i for i in range(at(rows, "AgentStarted", 1), len(rows)) if rows[i].type == "ToolCallFinished")
    other = "agent-critic" if rows[i].stream == "agent-writer" else "agent-writer"
    return changed(rows, i, rows[i]._replace(stream=other))


def keyed(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "TurnFinished")
    return changed(rows, i, rows[i]._replace(key="re:other"))


def correlated(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "TurnFinished")
    return changed(rows, i, rows[i]._replace(correlation_id="other"))


def begun_otherwise(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "AgentStarted")
    return changed(rows, i, rows[i]._replace(type="AgentChanged"))


def created_twice(rows: Rows) -> tuple[Rows, int]:
    return repeated(rows, "LogCreated")


def not_its_own(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallRequested")
    id = json.loads(rows[i].data)["id"]
    head, _, step = id.rpartition("/")
    return rechained(with_id(rows, id, f"{head}x/{step}")), i + 1


def spliced_outside(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "BlockEdited")
    return changed(rows, i, with_data(rows[i], at=10_000))


def of_wrong_size(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "BlockEdited")
    return changed(rows, i, with_data(rows[i], size=4))


def prompted(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallStarted")
    return changed(rows, i, with_data(rows[i], prompt="0" * 16))


def prompted_with_nothing(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallStarted")
    return changed(rows, i, with_data(rows[i], blocks={"plan": 999}))


def sent_elsewhere(rows: Rows) -> tuple[Rows, int]:
    i = next(i for i, row in enumerate(rows) if row.type == "MessageSent" and row.stream == "group-essay")
    id = json.loads(rows[i].data)["id"]
    forged, _ = changed(rows, i, with_data(rows[i], recipient="agent-nobody"))
    got = (row for row in forged if row.type == "MessageReceived" and json.loads(row.data)["id"] == id)
    return forged, next(got).position


def run_twice(rows: Rows) -> tuple[Rows, int]:
    calls = {json.loads(row.data)["id"]: json.loads(row.data)["effect"] for row in rows if "Requested" in row.type
             and row.type[0] == "T"}  # fmt: skip
    i = next(
        i for i, row in enumerate(rows)
        if row.type == "ToolCallStarted" and calls[json.loads(row.data)["id"]] == "once"
    )  # fmt: skip
    return rechained([*rows[: i + 1], with_data(rows[i], attempt=2), *rows[i + 1 :]]), i + 2


def misnumbered(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "ModelCallStarted")
    return changed(rows, i, with_data(rows[i], attempt=2))


def answered_otherwise(rows: Rows) -> tuple[Rows, int]:
    i = next(i for i, row in enumerate(rows) if row.type == "SendAnswered" and row.stream == "group-essay")
    text = json.loads(rows[at(rows, "MessageReceived")].data)["parts"][0][1]
    first = rows[at(rows, "MessageReceived")]
    assert text == 0
    return changed(rows, i, with_data(rows[i], text=[first.stream, first.version, 0]))


def unanswered(rows: Rows) -> tuple[Rows, int]:
    i = at(rows, "SendAnswered")
    data = json.loads(rows[i].data)
    return changed(rows, i, rows[i]._replace(type="SendFailed", data=json.dumps(data)))


def reordered(rows: Rows) -> tuple[Rows, int]:
    """Let two edits of one agent be decided in the other order than they were sent; the second one is too late."""
    first, second = (i for i, row in enumerate(rows) if row.type == "BlockEdited" and row.stream == "block-plan")
    ids = [json.loads(rows[i].data)["id"] for i in (first, second)]
    forged = list(rows)
    for i, id in zip((first, second), reversed(ids), strict=True):
        forged[i] = with_data(rows[i], id=id)._replace(key=f"re:{id}")
    return rechained(forged), second + 1


FORGERIES = [
    Forgery("data edited", "chain", "chain", edited),
    Forgery("a text edited", "chain", "chain", reworded),
    Forgery("a text taken away", "chain", "chain", silenced),
    Forgery("a time edited", "chain", "chain", later),
    Forgery("a row removed", "position", "position", removed),
    Forgery("a row removed, the rest renumbered", "pair", "pair", removed_and_renumbered),
    Forgery("a version skipped", "version", "version", out_of_turn),
    Forgery("opened twice", "pair", "pair", lambda rows: repeated(rows, "ModelCallRequested")),
    Forgery("opened while open", "pair", "pair", opened_again),
    Forgery("a stream of no kind", "stream", "stream", of_no_kind),
    Forgery("an agent's event in a group", "stream", "", of_another_kind),
    Forgery("closed twice", "pair", "pair", lambda rows: repeated(rows, "ToolCallFinished")),
    Forgery("gone on with after its end", "pair", "pair", lambda rows: repeated(rows, "ModelCallStarted")),
    Forgery("closed, never opened", "pair", "pair", never_opened),
    Forgery("a key used twice", "key", "key", lambda rows: repeated(rows, "TurnFinished")),
    Forgery("a key of something else", "key", "key", keyed),
    Forgery("a correlation of something else", "correlation", "correlation", correlated),
    Forgery("caused by what came later", "cause", "cause", with_cause),
    Forgery("an unknown type", "event", "schema", of_unknown_type),
    Forgery("a newer schema", "schema", "schema", of_newer_schema),
    Forgery("no JSON", "event", "event", not_json),
    Forgery("a field missing", "event", "event", without_a_field),
    Forgery("a text of no event", "reference", "reference", lambda rows: refers(rows, ["agent-writer", 999, 0])),
    Forgery("a text too many", "reference", "reference", lambda rows: refers(rows, ["agent-writer", 1, 9])),
    Forgery("a text of an event without", "reference", "reference", lambda rows: refers(rows, ["system", 1, 0])),
    Forgery("another's event", "pair", "pair", elsewhere),
    Forgery("a stream that begins otherwise", "stream", "stream", begun_otherwise),
    Forgery("a log created twice", "stream", "stream", created_twice),
    Forgery("an id of another", "id", "id", not_its_own),
    Forgery("a splice outside", "block", "", spliced_outside),
    Forgery("a wrong size", "block", "", of_wrong_size),
    Forgery("another prompt", "prompt", "", prompted),
    Forgery("a version of a block that never was", "prompt", "", prompted_with_nothing),
    Forgery("received, not sent", "", "send", sent_elsewhere),
    Forgery("run twice", "", "call", run_twice),
    Forgery("an attempt skipped", "", "attempt", misnumbered),
    Forgery("another answer", "", "answer", answered_otherwise),
    Forgery("a failure that was an answer", "", "answer", unanswered),
]


def head_of(rows: Rows, **fields: Any) -> Head:
    """Return what an anchor says of a log of `rows`."""
    return Head(json.loads(rows[0].data)["log_id"], 0, len(rows), rows[-1].chain)._replace(**fields)
