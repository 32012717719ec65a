"""What the errors of a provider mean: status, codes, and for how long it wants us to wait. All pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from callboard.events.errors import ModelError

LONGEST_WAIT = 120.0
"""Seconds; a provider that asks for more is not asked again."""

MOST_SAID = 500
"""Characters of what others say about a failure, that its message takes over."""

NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Error codes of an empty account, which come with the status of a rate limit but do not pass."""

TOO_LONG = "context_length_exceeded"
"""The code of a prompt that does not fit into the model's context, where a provider follows OpenAI in that."""

_TOO_LONG = re.compile(
    r"context ?(length|size|window)|reduce the length of the (messages|prompt|input)|"
    r"(prompt|input) is too long|too many (input |prompt )?tokens|"
    r"(token|input) counts?\b.{0,40}\bexceed|input tokens exceed|inputs` tokens.{0,40} must be <=",
    re.IGNORECASE,
)
"""How others say so, who have no code for it."""

REFUSALS = (400, 413, 422, 500)
"""The statuses that it comes with."""

STATUS = {
    **{str(status): status for status in range(400, 600)},
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error"), 429),
    **dict.fromkeys(("invalid_request_error", TOO_LONG), 400),
}
"""What a code of an error stands for, where it came without a status."""


def of_status(status: int, text: str, codes: frozenset[str], headers: Mapping[str, str], now: float) -> ModelError:
    """Return what an answer of 400 and above means; `now` is Unix time in seconds. Pure."""
    retry_after = wait(headers, now)
    kind, hint = _kind(status, text[:MOST_SAID], codes)
    retry = (
        kind in ("rate_limit", "server")
        and headers.get("x-should-retry") != "false"
        and (retry_after is None or retry_after <= LONGEST_WAIT)
    )
    return ModelError(text[:MOST_SAID] + hint, kind=kind, retry=retry, retry_after=retry_after)


def _kind(status: int, text: str, codes: frozenset[str]) -> tuple[str, str]:
    """Return the class of a status with what was said, and what to do."""
    if status == 402 or codes & NO_CREDIT:
        return "quota", "; the account has no credit left: add some, or take another provider"
    if status == 429:
        return "rate_limit", ""
    if TOO_LONG in codes or status == 413 or (status in REFUSALS and _TOO_LONG.search(text)):
        return "context", "; take a model with a larger context, such as by the agent's fallback"
    if status in (401, 403):
        return "auth", "; check the key in OPENAI_API_KEY, and what it may use"
    if status == 404:
        return "not_found", "; check the name of the model, and base_url (most end in /v1)"
    if status >= 500 or status in (408, 409):
        return "server", ""
    return "bad_request", ""


def of_code(text: str, codes: frozenset[str]) -> ModelError:
    """Return what an error in the midst of a stream means, where only its codes tell the status. Pure."""
    status = next((STATUS[code] for code in sorted(codes) if code in STATUS), 500)
    return of_status(status, f"the provider broke off: {text}", codes, {}, 0.0)


def wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return for how many seconds the provider asks to wait, if it does. Pure."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if not math.isnan(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, OverflowError):
        return None
