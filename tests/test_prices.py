"""What models cost, how many tokens a text has, and how a team file says limits."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from callboard import (
    Limits,
    Price,
)
from callboard.actors.prices import Prices
from callboard.actors.team import Team, load_team
from callboard.events import (
    SpecError,
    TeamFileError,
)
from callboard.events.catalog import (
    Usage,
)
from callboard.projections.estimate import tokens_in
from callboard.scripts.border import BadUse
from callboard.scripts.serving import limited

# -- prices and estimates ---------------------------------------------------------------------------


def test_a_price_counts_what_the_provider_had_read_before_apart() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert Price("1", "10", cached="0.1").cost(usage) == Decimal("1.64")
    assert Price("1", "10").cost(usage) == Decimal("2.0")


@pytest.mark.parametrize("name", ["m", "m-2025-08-07", "m-20250807", "m-latest"])
def test_a_name_with_a_date_has_the_price_of_the_plain_one(name: str) -> None:
    assert Prices({"m": Price(1, 2)}).of(name) == Price(1, 2)


@pytest.mark.parametrize("name", ["m-mini", "n", "m-2025", ""])
def test_another_name_has_no_price(name: str) -> None:
    assert Prices({"m": Price(1, 2)}).of(name) is None


def test_prices_are_looked_up_where_the_package_for_them_is_installed() -> None:
    pytest.importorskip("genai_prices")
    price = Prices().of("gpt-5-mini-2025-08-07")
    assert price is not None and price.cost(Usage(input_tokens=1_000_000)) > 0
    assert Prices().of("no such model") is None


@pytest.mark.parametrize("price", [-1, "x", float("inf"), True])
def test_a_price_is_an_amount(price: object) -> None:
    with pytest.raises(SpecError, match="an amount in USD of 0 or more is wanted"):
        Price(price, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 2), ("日本", 2), ("🙂🙂", 6)])
def test_tokens_are_estimated_by_script(text: str, tokens: int) -> None:
    assert tokens_in(text) == tokens


def test_a_team_file_says_limits_and_prices(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text(
        "[prices.m]\ninput = 1\noutput = 2.5\n[agents.a]\nlimits = { tokens = 9, usd = 0.5 }\n"
        "[groups.g]\nmembers = ['a']\nlimits = { turns = 3, then = 'ask' }\n"
    )
    team = load_team(file)
    assert team.prices == {"m": Price(1.0, 2.5)}
    assert team.agents["a"].limits == Limits(tokens=9, usd=0.5)
    assert team.groups["g"].limits == Limits(turns=3, then="ask")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limits = { tokens = 0 }", "1 or more is wanted, found 0"),
        ("limits = { usd = 0 }", "more than 0 is wanted, found 0"),
        ("limits = { token = 5 }", "did you mean 'tokens'?"),
        ("limits = 5", "a table is wanted, found 5"),
    ],
)
def test_wrong_limits_in_a_team_file_are_told(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "team.toml"
    file.write_text(f"[agents.a]\n{line}\n")
    with pytest.raises(TeamFileError) as failure:
        load_team(file)
    assert said in str(failure.value)


def test_a_team_file_says_what_each_request_and_all_together_may_spend(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text("[limits]\nturns = 3\n[budget]\nusd = 20.0\n[agents.a]\n")
    team = load_team(file)
    assert (team.limits, team.budget) == (Limits(turns=3), Limits(usd=20.0))


def test_limits_on_the_command_line_take_the_place_of_those_of_the_file() -> None:
    team = limited(Team("t", limits=Limits(turns=3)), ["tokens=500", "usd=0.25", "seconds=2.5", "then=ask"])
    assert team.limits == Limits(tokens=500, usd="0.25", seconds=2.5, then="ask")
    assert limited(team, None) is team


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("token=5", "there is no such limit; there are turns, model_calls"),
        ("tokens", "limit tokens is ''; a whole number of 1 or more is wanted"),
        ("tokens=2.5", "limit tokens is 2.5"),
        ("usd=lots", "limit usd is 'lots'"),
    ],
)
def test_a_wrong_limit_on_the_command_line_is_told(given: str, said: str) -> None:
    with pytest.raises((BadUse, SpecError), match=re.escape(said)):
        limited(Team("t"), [given])
