"""Number expressions: the German is a right translation of the English, however that is written."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from num2words import num2words

from tocompress.data.number_expressions import EXPRESSIONS, Expression


@cache
def drawn(kind: str) -> list[Expression]:
    random = np.random.default_rng(1)
    return [EXPRESSIONS[kind](random) for _ in range(6000)]


@pytest.mark.parametrize(
    ("kind", "source", "references"),
    [
        ("time", "half past seven", ("halb acht", "sieben Uhr dreißig")),
        ("time", "half past twelve", ("halb eins", "zwölf Uhr dreißig")),
        ("time", "a quarter to nine", ("Viertel vor neun", "drei viertel neun", "acht Uhr fünfundvierzig")),
        ("time", "twenty-five past one", ("fünf vor halb zwei", "ein Uhr fünfundzwanzig")),
        ("time", "one o'clock", ("ein Uhr",)),
        ("time", "19:30", ("neunzehn Uhr dreißig", "halb acht abends")),
        ("time", "7:30 pm", ("neunzehn Uhr dreißig", "halb acht abends")),
        ("year", "nineteen eighty-four", ("neunzehnhundertvierundachtzig",)),
        ("year", "2024", ("zweitausendvierundzwanzig",)),
        ("fraction", "three quarters", ("drei Viertel",)),
        ("fraction", "2/3", ("zwei Drittel",)),
        ("ordinal", "third", ("dritt",)),
        ("ordinal", "21st", ("einundzwanzigst",)),
        ("ordinal", "seventh", ("siebt", "siebent")),
        ("percent", "25 percent", ("fünfundzwanzig Prozent",)),
        ("temperature", "minus five degrees", ("minus fünf Grad",)),
        ("duration", "half an hour", ("eine halbe Stunde", "dreißig Minuten")),
        ("duration_dative", "half an hour", ("einer halben Stunde", "dreißig Minuten")),
        ("duration", "three days", ("drei Tage",)),
        ("duration_dative", "three days", ("drei Tagen",)),
        ("duration", "one and a half hours", ("anderthalb Stunden", "eineinhalb Stunden")),
        ("quantity", "a dozen eggs", ("ein Dutzend Eier", "zwölf Eier")),
        ("date_dative", "march seventh", ("am siebten März", "am siebenten März", "am siebten dritten")),
        ("date_accusative", "the third of may", ("den dritten Mai", "den dritten fünften")),
    ],
)
def test_known_expressions_are_translated_rightly(kind: str, source: str, references: tuple[str, ...]) -> None:
    assert references in {expression.references for expression in drawn(kind) if expression.source == source}


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_german_is_spelled_out_and_single_spaced(kind: str) -> None:
    for expression in drawn(kind):
        assert len(set(expression.references)) == len(expression.references) > 0
        for reference in expression.references:
            assert not re.search(r"\d|  |\N{NO-BREAK SPACE}|^ | $", reference), expression
        assert expression.source == expression.source.lower().strip()


def test_figures_and_words_say_the_same_number() -> None:
    for expression in drawn("cardinal"):
        if re.fullmatch(r"[\d,]+", expression.source):
            number = int(expression.source.replace(",", ""))
            assert expression.references[0] == num2words(number, lang="de")
            assert number % 100 != 1


def test_the_weekday_of_a_date_is_that_of_its_translation() -> None:
    weekdays = dict(
        zip(
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
            ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
            strict=True,
        )
    )
    with_weekday = [expression for expression in drawn("date_dative") if " , " in expression.references[0]]
    assert with_weekday
    for expression in with_weekday:
        weekday = weekdays[expression.source.split()[0]]
        assert all(re.match(f"am {weekday} , de[mn] ", reference) for reference in expression.references)


def test_prices_name_their_cents() -> None:
    prices = {expression.source: expression.references for expression in drawn("price")}
    in_figures = [source for source in prices if re.fullmatch(r"\d+\.\d\d euros", source)]
    assert in_figures
    for source in in_figures:
        cents = num2words(int(source.split()[0].partition(".")[2]), lang="de")
        assert prices[source][0].endswith(f" Euro {cents}")
        assert prices[source][-1].endswith(f" Euro und {cents} Cent")
