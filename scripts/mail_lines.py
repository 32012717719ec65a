"""Mail on a terminal and as JSON: messages that wait, dead letters, conversations, threads. All pure."""

from __future__ import annotations

from pydantic import JsonValue
from rich.console import RenderableType

from callboard.actors.letters import DeadLetter
from callboard.actors.post import Mail
from callboard.projections.conversation import Utterance
from callboard.projections.shapes import time_shape
from callboard.projections.threads import ConversationOf, Facts, Thread
from callboard.scripts.screen import many, moment, one_line, styled

Line = tuple[RenderableType, ...]
Shape = dict[str, JsonValue]


def mail_shape(mail: Mail) -> Shape:
    """Return a message that nobody works on yet."""
    return {
        "id": mail.id,
        "state": mail.state.replace(" ", "_"),
        "to": mail.to,
        "sender": mail.sender,
        "wants": mail.kind,
        "text": mail.text,
        "conversation": mail.conversation,
        "place": mail.place or None,
        "position": mail.position,
        "since": time_shape(mail.since),
        "expires": time_shape(mail.expires),
    }


def mail_line(mail: Mail) -> Line:
    """Return a message that nobody works on yet, as a line."""
    where = f"{mail.to} {mail.place}" if mail.place else f"to {mail.to}"
    expires = f" (expires {moment(mail.expires)})" if mail.expires else ""
    talk = f" in {mail.conversation}" if mail.conversation != "main" else ""
    return (
        styled((f"@{mail.position}", "dim")),
        styled((moment(mail.since), "dim")),
        styled((where, "cyan" if mail.place else "yellow")),
        styled((mail.id, "")),
        styled((f"{mail.sender}{talk}: ", "dim"), (one_line(mail.text, 200), ""), (expires, "dim")),
    )


def dead_shape(letter: DeadLetter) -> Shape:
    """Return a dead letter."""
    return {
        "id": letter.message.id,
        "stream": letter.died.stream,
        "sender": letter.message.sender,
        "text": "\n".join(part.text for part in letter.message.parts),
        "how": letter.how.replace(" ", "_"),
        "why": str(getattr(letter.died.data, "text", "")),
        "died": letter.died.recorded_at.isoformat(),
        "position": letter.died.position,
        "requeued": list(letter.requeued),
    }


def dead_line(letter: DeadLetter) -> Line:
    """Return a dead letter as a line."""
    said = one_line(" ".join(part.text for part in letter.message.parts))
    why = one_line(str(getattr(letter.died.data, "text", "")), 200)
    again = f" (requeued as {', '.join(letter.requeued)})" if letter.requeued else ""
    return (
        styled((f"@{letter.died.position}", "dim")),
        styled((moment(letter.died.recorded_at), "dim")),
        styled((letter.how, "yellow")),
        styled((letter.message.id, "")),
        styled((f"{said}{again}", ""), (f" ({why})", "dim")),
    )


def _facts(facts: Facts) -> Shape:
    kinds: Shape = {kind: count for kind, count in facts.kinds.items()}
    return {
        "messages": facts.messages,
        "answered": facts.answers,
        "unanswered": facts.unanswered,
        "open": facts.open,
        "kinds": kinds,
        "first": time_shape(facts.first),
        "last": time_shape(facts.last),
    }


def _counts(facts: Facts) -> Line:
    open = f", {facts.open:,} open" if facts.open else ""
    return styled((f"{many(facts.messages, 'message')}{open}", "")), styled((f"last {moment(facts.last)}", "dim"))


def conversation_shape(talk: ConversationOf) -> Shape:
    """Return a conversation."""
    participants: list[JsonValue] = [*talk.participants]
    return {
        "owner": talk.owner,
        "type": talk.type,
        "conversation": talk.name,
        "participants": participants,
        **_facts(talk.facts),
    }


def conversation_line(talk: ConversationOf) -> Line:
    """Return a conversation as a line."""
    others = ", ".join(name for name in talk.participants if name != talk.owner)
    named = styled((talk.owner, "cyan")), styled((talk.name, ""))
    return *named, *_counts(talk.facts), styled((f"with {one_line(others, 200)}", "dim"))


def thread_shape(thread: Thread) -> Shape:
    """Return what two said to each other, as numbers."""
    participants: list[JsonValue] = [*thread.participants]
    talks: list[JsonValue] = [*thread.conversations]
    return {
        "participants": participants,
        "type": thread.type,
        "conversations": talks,
        **_facts(thread.facts),
    }


def thread_line(thread: Thread) -> Line:
    """Return a thread as a line."""
    low, high = thread.participants
    talks = ", ".join(thread.conversations)
    named = styled((f"{low} and {high}", "cyan")), styled((thread.type, "dim"))
    return *named, *_counts(thread.facts), styled((f"in {one_line(talks, 200)}", "dim"))


def said_line(said: Utterance) -> Line:
    """Return what one of two said to the other, as a line."""
    style = "red" if said.kind == "failure" else ""
    return (
        styled((f"@{said.position}", "dim")),
        styled((moment(said.at), "dim")),
        styled((said.speaker, "cyan"), (f" to {said.to}", "dim")),
        styled((one_line(said.text, 500), style)),
    )
