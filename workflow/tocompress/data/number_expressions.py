"""Random English expressions with numbers, each with all its German translations.

Number words come from num2words. The names of months, weekdays and units come from Babel's copy of the CLDR.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import gcd

import numpy as np
from babel.dates import get_day_names, get_month_names
from babel.units import format_unit
from num2words import num2words

FIGURES_SHARE = 0.4  # of English expressions, written in figures instead of words


@dataclass(frozen=True)
class Expression:
    """English text and its valid German translations, the most usual one first."""

    source: str
    references: tuple[str, ...]


# Numbers


@cache
def _english(number: int | Decimal, to: str = "cardinal") -> str:
    return str(num2words(number, lang="en", to=to)).replace(",", "")


@cache
def _german(number: int | Decimal, to: str = "cardinal") -> str:
    return str(num2words(number, lang="de", to=to))


def _german_cardinals(number: int) -> tuple[str, ...]:
    word = _german(number)
    if word.startswith(("einhundert", "eintausend")):
        return word, word.removeprefix("ein")
    if word.startswith("zweihundert"):
        return word, "zwo" + word.removeprefix("zwei")
    return (word,)


def _chance(random: np.random.Generator, share: float) -> bool:
    return bool(random.random() < share)


def _one_of(random: np.random.Generator, *texts: str) -> str:
    return texts[random.integers(len(texts))]


def _between(random: np.random.Generator, low: int, high: int) -> int:
    return int(random.integers(low, high + 1))


def _number(random: np.random.Generator) -> int:
    """Draw a number from 2 to 9999, small ones more often. None ends in 01, which German declines before a noun."""
    low, high = [(2, 12), (2, 12), (13, 99), (13, 99), (100, 999), (1000, 9999)][random.integers(6)]
    number = _between(random, low, high)
    return number + (number % 100 == 1)


def _number_text(random: np.random.Generator, number: int) -> str:
    if _chance(random, FIGURES_SHARE):
        return _one_of(random, str(number), f"{number:,}")
    words = _english(number)
    return words.replace(" and ", " ") if _chance(random, 0.2) else words


def cardinal(random: np.random.Generator) -> Expression:
    number = _number(random)
    return Expression(_number_text(random, number), _german_cardinals(number))


def ordinal(random: np.random.Generator) -> Expression:
    """Draw an ordinal. Its German is a stem, and the template appends the ending."""
    number = _between(random, 1, 12) if _chance(random, 0.5) else _between(random, 13, 120)
    source = _english(number, "ordinal_num" if _chance(random, FIGURES_SHARE) else "ordinal")
    stem = _german(number, "ordinal").removesuffix("e")
    return Expression(source, (stem, "siebent") if number == 7 else (stem,))


def _decimal(random: np.random.Generator) -> tuple[str, str]:
    """Draw a number with one or two decimal places, the last one not 0. Return its English and German."""
    places = _between(random, 1, 2)
    number = Decimal(10 * _between(random, 0, 10**places * 10 - 1) + _between(random, 1, 9)).scaleb(-places)
    return (str(number) if _chance(random, FIGURES_SHARE) else _english(number)), _german(number)


def decimal(random: np.random.Generator) -> Expression:
    source, reference = _decimal(random)
    return Expression(source, (reference,))


def fraction(random: np.random.Generator) -> Expression:
    denominator = _between(random, 3, 10)
    numerator = _between(random, 2, denominator - 1)
    numerator = numerator if gcd(numerator, denominator) == 1 else denominator - 1
    part = "quarter" if denominator == 4 else _english(denominator, "ordinal")
    source = f"{numerator}/{denominator}" if _chance(random, FIGURES_SHARE) else f"{_english(numerator)} {part}s"
    teil = _german(denominator, "ordinal").removesuffix("e").capitalize() + "el"
    return Expression(source, (f"{_german(numerator)} {teil}",))


def percent(random: np.random.Generator) -> Expression:
    if _chance(random, 0.25):
        source, reference = _decimal(random)
    else:
        number = _between(random, 2, 99)
        source, reference = _number_text(random, number), _german(number)
    return Expression(source + _one_of(random, " percent", " percent", " per cent", " %"), (f"{reference} Prozent",))


# Dates and times

_MONTHS = {language: get_month_names("wide", locale=language) for language in ("en", "de")}
_WEEKDAYS = {language: get_day_names("wide", locale=language) for language in ("en", "de")}


def _year(random: np.random.Generator, low: int = 1850, high: int = 2035) -> tuple[str, str]:
    number = _between(random, low, high)
    words = _english(number) if number > 2000 and _chance(random, 0.3) else _english(number, "year")
    return (str(number) if _chance(random, FIGURES_SHARE) else words), _german(number, "year")


def year(random: np.random.Generator) -> Expression:
    source, reference = _year(random)
    return Expression(source, (reference,))


def date_dative(random: np.random.Generator) -> Expression:
    """Draw a date for use after English "on". German includes its preposition: "am siebten März"."""
    return _date(random, ("am ",), ("am {weekday} , dem ", "am {weekday} , den "))


def date_accusative(random: np.random.Generator) -> Expression:
    """Draw a date for use after English "to" or "until" and German "auf" or "für": "den siebten März"."""
    return _date(random, ("den ",), ("{weekday} , den ", "den {weekday} , den "))


def _date(random: np.random.Generator, plain: tuple[str, ...], with_weekday: tuple[str, ...]) -> Expression:
    day = datetime.date(1950, 1, 1) + datetime.timedelta(days=_between(random, 0, 31000))
    month = _MONTHS["en"][day.month].lower()
    if _chance(random, FIGURES_SHARE):
        number = _english(day.day, "ordinal_num")
        source = _one_of(random, f"{month} {day.day}", f"{day.day} {month}", f"{month} {number}")
    else:
        number = _english(day.day, "ordinal")
        source = _one_of(random, f"the {number} of {month}", f"{month} {number}", f"{month} the {number}")
    references = [f"{_german(day.day, 'ordinal')}n {_MONTHS['de'][day.month]}"]
    if day.day == 7:
        references.append(f"siebenten {_MONTHS['de'][day.month]}")
    starts = plain
    if _chance(random, 0.35):
        source = f"{_WEEKDAYS['en'][day.weekday()].lower()} , {source}"
        starts = tuple(start.format(weekday=_WEEKDAYS["de"][day.weekday()]) for start in with_weekday)
    if _chance(random, 0.4):
        in_english, in_german = _year(random, day.year, day.year)
        source = f"{source} {_one_of(random, ', ', '')}{in_english}"
        references = [f"{reference} {in_german}" for reference in references]
    else:
        references.append(f"{_german(day.day, 'ordinal')}n {_german(day.month, 'ordinal')}n")
    return Expression(source, tuple(start + reference for reference in references for start in starts))


def time(random: np.random.Generator) -> Expression:
    """Draw a time of day. Its German follows "um"."""
    hour, minute = _between(random, 0, 23), 5 * _between(random, 0, 11)
    if _chance(random, 0.15):
        minute = _between(random, 0, 59)
    half_day = "am" if hour < 12 else "pm"
    twelve = (hour - 1) % 12 + 1
    if _chance(random, FIGURES_SHARE):
        colon, point = f"{twelve}:{minute:02} {half_day}", f"{twelve}.{minute:02} {half_day}"
        source = _one_of(random, f"{hour}:{minute:02}", colon, point)
        return Expression(source, (_official_time(hour, minute), *_spoken_times(twelve, minute, _part_of_day(hour)[1])))
    in_english, in_german = _part_of_day(hour) if _chance(random, 0.35) else ("", "")
    references = (*_spoken_times(twelve, minute, in_german), _official_time(twelve, minute) + in_german)
    return Expression(_english_time(random, twelve, minute) + in_english, tuple(dict.fromkeys(references)))


def _part_of_day(hour: int) -> tuple[str, str]:
    if hour < 5 or hour > 22:
        return " at night", " nachts"
    if hour < 12:
        return " in the morning", " morgens" if hour < 9 else " vormittags"
    if hour < 18:
        return " in the afternoon", " mittags" if hour == 12 else " nachmittags"
    return " in the evening", " abends"


def _english_time(random: np.random.Generator, hour: int, minute: int) -> str:
    after, before = _english(hour), _english(hour % 12 + 1)
    if minute == 0:
        return _one_of(random, f"{after} o'clock", after)
    digits = f"{after} {'oh ' if minute < 10 else ''}{_english(minute)}"
    if minute == 30:
        return _one_of(random, f"half past {after}", f"half past {after}", digits)
    if minute % 5:
        return digits
    words = {15: "a quarter", 45: "a quarter"}.get(minute) or _english(min(minute, 60 - minute))
    relative = f"{words} past {after}" if minute < 30 else f"{words} to {before}"
    return _one_of(random, relative, relative, digits)


def _official_time(hour: int, minute: int) -> str:
    hours = "ein" if hour == 1 else _german(hour)
    return f"{hours} Uhr {_german(minute)}" if minute else f"{hours} Uhr"


def _spoken_times(hour: int, minute: int, part_of_day: str) -> tuple[str, ...]:
    """Return the spoken forms on a twelve-hour clock. Minutes without a spoken form give an empty tuple."""
    after, before = _german(hour), _german(hour % 12 + 1)
    spoken: dict[int, tuple[str, ...]] = {
        0: (_official_time(hour, 0),),
        15: (f"Viertel nach {after}", f"viertel {before}"),
        25: (f"fünf vor halb {before}",),
        30: (f"halb {before}",),
        35: (f"fünf nach halb {before}",),
        45: (f"Viertel vor {before}", f"drei viertel {before}"),
        **{minutes: (f"{_german(minutes)} nach {after}",) for minutes in (5, 10, 20)},
        **{60 - minutes: (f"{_german(minutes)} vor {before}",) for minutes in (5, 10, 20)},
    }
    return tuple(text + part_of_day for text in spoken.get(minute, ()))


# Amounts

_CURRENCIES = (  # large and small unit in English, in German, and the sign
    ("euros", "cents", "Euro", "Cent", "€"),
    ("euros", "cents", "Euro", "Cent", "€"),
    ("dollars", "cents", "Dollar", "Cent", "$"),
    ("pounds", "pence", "Pfund", "Pence", "£"),
)


def price(random: np.random.Generator) -> Expression:
    units, small_units, einheiten, kleine_einheiten, sign = _CURRENCIES[random.integers(len(_CURRENCIES))]
    number = _number(random)
    words = tuple(f"{word} {einheiten}" for word in _german_cardinals(number))
    if number > 999 or _chance(random, 0.4):
        amount = _number_text(random, number)
        source = f"{sign} {number}" if _chance(random, 0.2) else f"{amount} {units}"
        return Expression(source, words)
    cents = 5 * _between(random, 1, 19) if _chance(random, 0.7) else _between(random, 2, 99)
    if _chance(random, FIGURES_SHARE):
        source = _one_of(random, f"{sign} {number}.{cents:02}", f"{number}.{cents:02} {units}")
    else:
        in_full = f"{_english(number)} {units} and {_english(cents)} {small_units}"
        source = _one_of(random, in_full, in_full, f"{_english(number)} {units} {_english(cents)}")
    ends = (_german(cents), f"und {_german(cents)} {kleine_einheiten}")
    return Expression(source, tuple(f"{word} {end}" for end in ends for word in words))


@cache
def _unit(name: str, language: str) -> str:
    """Return the plural of a CLDR unit."""
    return format_unit(5, name, locale=language).replace("\N{NO-BREAK SPACE}", " ").removeprefix("5 ")


def _dative(plural: str) -> str:
    return plural if plural[-1] in "ns" else plural + "n"


def _measured(random: np.random.Generator, *units: str, decimals: bool = True) -> Expression:
    unit = _one_of(random, *units)
    kind = random.random() if decimals else 0.0
    if kind < 0.5:
        number = _number(random)
        source, references = _number_text(random, number), _german_cardinals(number)
    elif kind < 0.75:
        source, references = _with_half(random, _between(random, 1, 12))
    else:
        source, reference = _decimal(random)
        references = (reference,)
    names = ("Kilo", "Kilogramm") if unit == "mass-kilogram" else (_unit(unit, "de"),)
    english = _unit(unit, "en_GB")
    return Expression(f"{source} {english}", tuple(f"{number} {name}" for name in names for number in references))


def _with_half(random: np.random.Generator, number: int) -> tuple[str, tuple[str, ...]]:
    """Return a number and a half, in English and German."""
    references = ("anderthalb", "eineinhalb") if number == 1 else (f"{_german(number)}einhalb",)
    if _chance(random, FIGURES_SHARE):
        return f"{number}.5", (*references, f"{_german(number)} Komma fünf")
    return f"{_english(number)} and a half", references


def weight(random: np.random.Generator) -> Expression:
    return _measured(random, "mass-kilogram", "mass-kilogram", "mass-gram", "mass-tonne")


def distance(random: np.random.Generator) -> Expression:
    return _measured(random, "length-kilometer", "length-meter", "length-mile")


def length(random: np.random.Generator) -> Expression:
    return _measured(random, "length-meter", "length-centimeter", "length-millimeter")


def temperature(random: np.random.Generator) -> Expression:
    number = _between(random, 2, 40)
    minus = "minus " if _chance(random, 0.3) else ""
    reference = f"{minus}{_german(number)} Grad"
    if _chance(random, FIGURES_SHARE):
        return Expression(f"{'-' if minus else ''}{number} °c", (reference, f"{reference} Celsius"))
    if _chance(random, 0.3):
        return Expression(f"{minus}{_english(number)} degrees celsius", (f"{reference} Celsius",))
    return Expression(f"{minus}{_english(number)} degrees", (reference,))


_GOODS = (  # English and German after an amount, and the kind of unit
    ("flour", "Mehl", "mass"), ("sugar", "Zucker", "mass"), ("rice", "Reis", "mass"), ("apples", "Äpfel", "mass"),
    ("potatoes", "Kartoffeln", "mass"), ("cheese", "Käse", "mass"), ("milk", "Milch", "volume"),
    ("water", "Wasser", "volume"), ("oil", "Öl", "volume"), ("wine", "Wein", "volume"), ("juice", "Saft", "volume"),
)  # fmt: skip
_COUNTED_GOODS = (
    ("eggs", "Eier"), ("bottles of wine", "Flaschen Wein"), ("cups of coffee", "Tassen Kaffee"), ("rolls", "Brötchen"),
    ("boxes", "Kisten"), ("oranges", "Orangen"), ("books", "Bücher"), ("tickets", "Karten"), ("chairs", "Stühle"),
)  # fmt: skip


def quantity(random: np.random.Generator) -> Expression:
    if _chance(random, 0.5):
        goods, waren = _COUNTED_GOODS[random.integers(len(_COUNTED_GOODS))]
        if _chance(random, 0.15):
            return Expression(f"a dozen {goods}", (f"ein Dutzend {waren}", f"zwölf {waren}"))
        number = _number(random)
        return Expression(
            f"{_number_text(random, number)} {goods}", tuple(f"{word} {waren}" for word in _german_cardinals(number))
        )
    goods, waren, measure = _GOODS[random.integers(len(_GOODS))]
    units = ("mass-kilogram", "mass-kilogram", "mass-gram") if measure == "mass" else ("volume-liter",)
    amount = _measured(random, *units)
    return Expression(f"{amount.source} of {goods}", tuple(f"{text} {waren}" for text in amount.references))


_UNITS_OF_TIME = tuple(f"duration-{name}" for name in ("minute", "minute", "hour", "day", "week", "month", "year"))
_SINGLE_DURATIONS = (  # English, German accusatives, German datives
    ("half an hour", ("eine halbe Stunde", "dreißig Minuten"), ("einer halben Stunde", "dreißig Minuten")),
    ("a quarter of an hour", ("eine Viertelstunde", "fünfzehn Minuten"), ("einer Viertelstunde", "fünfzehn Minuten")),
    ("three quarters of an hour", ("eine Dreiviertelstunde",), ("einer Dreiviertelstunde",)),
    ("an hour", ("eine Stunde",), ("einer Stunde",)),
    ("a day", ("einen Tag",), ("einem Tag",)),
    ("two weeks", ("zwei Wochen", "vierzehn Tage"), ("zwei Wochen", "vierzehn Tagen")),
    ("a week", ("eine Woche", "acht Tage"), ("einer Woche", "acht Tagen")),
    ("a month", ("einen Monat",), ("einem Monat",)),
    ("a year", ("ein Jahr",), ("einem Jahr",)),
    ("half a year", ("ein halbes Jahr", "sechs Monate"), ("einem halben Jahr", "sechs Monaten")),
)


def duration(random: np.random.Generator) -> Expression:
    """Draw a duration with its German in the accusative."""
    return _duration(random, dative=False)


def duration_dative(random: np.random.Generator) -> Expression:
    """Draw a duration with its German for use after "in", "vor" or "seit"."""
    return _duration(random, dative=True)


def _duration(random: np.random.Generator, dative: bool) -> Expression:
    if _chance(random, 0.3):
        source, accusatives, datives = _SINGLE_DURATIONS[random.integers(len(_SINGLE_DURATIONS))]
        return Expression(source, datives if dative else accusatives)
    unit = _one_of(random, *_UNITS_OF_TIME)
    name = _dative(_unit(unit, "de")) if dative else _unit(unit, "de")
    if _chance(random, 0.2) and unit != "duration-minute":
        source, halves = _with_half(random, _between(random, 1, 9))
        return Expression(f"{source} {_unit(unit, 'en')}", tuple(f"{half} {name}" for half in halves))
    number = _between(random, 2, 12) if _chance(random, 0.7) else _between(random, 13, 99)
    source = f"{_number_text(random, number)} {_unit(unit, 'en')}"
    reference = f"{_german(number)} {name}"
    if unit == "duration-hour" and _chance(random, 0.5):
        minutes = _between(random, 2, 59)
        source = f"{source} and {_number_text(random, minutes)} minutes"
        return Expression(source, tuple(f"{reference}{link}{_german(minutes)} Minuten" for link in (" und ", " ")))
    return Expression(source, (reference,))


EXPRESSIONS: dict[str, Callable[[np.random.Generator], Expression]] = {
    function.__name__: function
    for function in (
        cardinal, ordinal, decimal, fraction, percent, year, date_dative, date_accusative, time, price, weight,
        distance, length, temperature, quantity, duration, duration_dative,
    )
}  # fmt: skip
