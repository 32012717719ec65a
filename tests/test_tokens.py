"""Texts as words: what is a word, and that a query is words and nothing else."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.actors.excerpts import excerpt, marks
from callboard.events.tokens import MOST_WORDS, TOKENIZER, matching, spaced, words_of


def found(query: str, *texts: str) -> list[int]:
    """Return which of `texts` hold a word of `query`."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize=\"{TOKENIZER}\")")
        database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(map(spaced, texts)))
        expression = matching(query)
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid"
        return [row[0] for row in database.execute(sql, (expression,))] if expression else []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("TIDE", "the tides"),
        ("running", "she runs"),
        ("Zoë", "zoe was here"),
        ("naïve", "nai\u0308ve"),
        ("日本", "東京は日本の首都です"),
        ("🌊", "high water🌊at noon"),
        ("👍🏽", "fine 👍"),
        ("서울", "대한민국 서울에서"),
        ("3.50", "it costs 3.50 EUR"),
        ("k1/slow", "see k1/slow"),
        ("\uff26ull", "full width"),
        ("STRASSE", "die Straße"),
        ("don't", "they don't know"),
        ("€", "12 €"),
        ("plan,tides", "about tides"),
        ("tieng viet", "học tiếng Việt"),
        ("Nguyễn", "nguyen"),
        ("ΣΟΦΟΣ", "είναι σοφός"),
        ("αθηναι", "Ἀθῆναι"),
        ("محمد", "قال مُحَمَّد"),
        ("مُحَمَّد", "قال محمد"),
        ("שלום", "שָׁלוֹם לכם"),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
        ("ガ", "ｶﾞ"),
        ("cooperate", "co\u00adoperate"),
        ("1", "key 1\ufe0f\u20e3"),
    ],
)
def test_a_word_is_found_however_it_is_written(query: str, text: str) -> None:
    assert found(query, text, "nothing of the kind") == [0]


@pytest.mark.parametrize(
    ("query", "text"),
    [("本日", "日本"), ("3.51", "3.50"), ("🌊", "🌋"), ("tide", "tie"), ("दिन", "दीन"), ("दिन", "दे ना"), ("カ", "ガ")],
)
def test_another_word_is_not(query: str, text: str) -> None:
    assert found(query, text) == []


@pytest.mark.parametrize("query", ["", " ", "***", '"', "()", "\0", "\ud800", "...", "-", "'", "𝄞" * 0 + "\u200d"])
def test_a_query_without_words_is_no_expression(query: str) -> None:
    assert matching(query) == "" or found(query, "a text") == []


@pytest.mark.parametrize(
    "query", ["NOT tide", "tide NEAR(x, 2)", "text : tide", "tide*", '"tide', "^tide", "tide AND", "{tide}"]
)
def test_operators_are_words(query: str) -> None:
    assert 0 in found(query, "a tide", "something else")


def test_a_thousand_words_are_cut_and_found() -> None:
    many = " ".join(f"w{n}" for n in range(1_000))
    assert len(words_of(many)) == MOST_WORDS and found(many, "w7", "w999") == [0]


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_query_is_an_expression_that_fts5_takes(query: str, text: str) -> None:
    found(query, text.encode(errors="replace").decode())


LETTERS = st.sampled_from("aZ09éßŁİΣςжЁשݐع日本カ가힣🌊€ \n.,'-")


@given(st.text(LETTERS, min_size=1, max_size=60))
def test_a_text_that_has_words_is_found_by_itself(text: str) -> None:
    assert found(text, text) == ([0] if words_of(text) else [])


def test_an_excerpt_is_around_the_first_word_that_was_asked_for() -> None:
    text = "x" * 5_000 + " the tides turn " + "y" * 5_000
    cut = excerpt(text, "tide", 100)
    assert "tides turn" in cut and len(cut) <= 100 and cut[0] == cut[-1] == "…"
    assert excerpt(text, "zebra", 100).startswith("xxx") and excerpt("short", "", 100) == "short"


def test_what_is_marked_are_the_words_and_those_that_begin_like_them() -> None:
    text = "Tide, tides, bride; 東京は日本 🌊"
    assert [text[a:b] for a, b in marks(text, "tide 日本 🌊")] == ["Tide", "tides", "日本", "🌊"]


def test_what_is_marked_is_what_was_found_whatever_its_accents_and_signs() -> None:
    text = "rue\u0301, résumé 115 kg, 15 kg; Straße"
    assert [text[a:b] for a, b in marks(text, "resume rué 15 STRASSE")] == ["rue\u0301", "résumé", "15", "Straße"]
    long = "in 115 " + "ä" * 5_000 + " le résumé de 15 " + "ö" * 5_000
    assert all("résumé de 15" in excerpt(long, query, 100) for query in ("resume", "RÉSUMÉ", "15"))
