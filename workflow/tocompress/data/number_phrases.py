"""Number phrases: English sentences about numbers, dates, times, prices and amounts, with their German translation.

They stand in for WMT where a translation network has to be trained and judged in minutes. The German is always spelled
out, the English sometimes holds figures. The reference is drawn from several valid translations. Some English sentences
have a slip of the pen. Both keep a good network well below a BLEU of 100.

Text is tokenized, as tensorflow/nmt expects it: spaces stand around punctuation. The English is lower-case.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Literal, TypeVar
from zlib import crc32

import numpy as np
import pandas as pd

from tocompress.data.number_expressions import EXPRESSIONS
from tocompress.data.subwords import Segmentation, Vocabulary, learn
from tocompress.files import replace_on_success
from tocompress.schemas.study import SENTENCES
from tocompress.settings.data import NumberPhrases, Split
from tocompress.tables import write_table

Order = Literal["main", "inverted", "subordinate"]
Option = TypeVar("Option")

LENGTH = (4, 20)  # of an English sentence, in tokens
PREFERRED_SHARE = 0.7  # of choices, take the most usual translation instead of any valid one
SLIP_SHARE = 0.06  # of English sentences with a slip of the pen
OPENED_SHARE = 0.6  # of sentences with an opener

_SPLITS: dict[Split, int] = {"train": 0, "calibration": 1, "test": 2}


@dataclass(frozen=True)
class Phrase:
    """An English sentence, one German translation, and the English template with slots behind both."""

    source: str
    reference: str
    template: str


@dataclass(frozen=True)
class German:
    """A German predicate in parts, because each kind of clause orders them differently."""

    finite: str
    middle: str
    end: str = ""  # a participle, an infinitive or an adverb, before the finite verb of a subordinate clause
    particle: str = ""  # of a separable verb, one word with the finite verb of a subordinate clause
    reflexive: str = ""

    def clause(self, subject: str, order: Order) -> str:
        """Return the clause about a subject, in the order of words that its opener needs."""
        match order:
            case "main":
                parts = [subject, self.finite, self.reflexive, self.middle, self.end, self.particle]
            case "inverted":
                parts = [self.finite, self.reflexive, subject, self.middle, self.end, self.particle]
            case "subordinate":
                parts = [self.reflexive, subject, self.middle, self.end, self.particle + self.finite]
        return _joined(*parts)


@dataclass(frozen=True)
class Opener:
    """The words before a clause, and the order of the German words after them."""

    source: str
    references: tuple[tuple[str, Order], ...]
    mark: str = "."


@dataclass(frozen=True)
class Clause:
    """An English clause with slots, and the parts of its German translations, the most usual ones first."""

    template: str
    subjects: tuple[str, ...]
    predicates: tuple[German, ...]


_PLAIN = Opener("", (("", "main"),))
_OPENERS = (
    Opener("please note that", (("bitte beachten Sie , dass", "subordinate"), ("bitte beachte , dass", "subordinate"))),
    Opener("i think", (("ich glaube ,", "main"), ("ich glaube , dass", "subordinate"), ("ich denke ,", "main"))),
    Opener("i think that", (("ich glaube , dass", "subordinate"), ("ich denke , dass", "subordinate"))),
    Opener("as you know ,", (("wie Sie wissen ,", "inverted"), ("wie du weißt ,", "inverted"))),
    Opener("unfortunately", (("leider", "inverted"), ("bedauerlicherweise", "inverted"))),
    Opener("according to the plan ,", (("laut Plan", "inverted"), ("dem Plan zufolge", "inverted"))),
    Opener("they say that", (("man sagt , dass", "subordinate"), ("es heißt , dass", "subordinate"))),
    Opener("we have heard that", (("wir haben gehört , dass", "subordinate"),)),
    Opener("apparently", (("anscheinend", "inverted"), ("offenbar", "inverted"))),
    Opener("in fact", (("tatsächlich", "inverted"), ("in der Tat", "inverted"))),
    Opener("it is certain that", (("es steht fest , dass", "subordinate"), ("sicher ist , dass", "subordinate"))),
    Opener("is it true that", (("stimmt es , dass", "subordinate"), ("ist es wahr , dass", "subordinate")), "?"),
    Opener("do you know whether", (("wissen Sie , ob", "subordinate"), ("weißt du , ob", "subordinate")), "?"),
)

# English first, then its German translations.
_Subjects = tuple[tuple[str, tuple[str, ...]], ...]
_Predicates = tuple[tuple[str, tuple[German, ...]], ...]

_EVENTS: _Subjects = (
    ("the meeting", ("die Besprechung", "das Treffen")),
    ("the train", ("der Zug",)),
    ("the train on platform {cardinal}", ("der Zug auf Gleis {cardinal}",)),
    ("the concert", ("das Konzert",)),
    ("the film", ("der Film",)),
    ("the course", ("der Kurs", "der Lehrgang")),
    ("the {ordinal} lecture", ("die {ordinal}e Vorlesung",)),
    ("the match", ("das Spiel",)),
    ("the party", ("die Feier", "das Fest")),
    ("the exam", ("die Prüfung",)),
    ("the show", ("die Vorstellung",)),
    ("the flight", ("der Flug",)),
    ("the conference", ("die Konferenz", "die Tagung")),
    ("the {ordinal} lesson", ("die {ordinal}e Lektion", "die {ordinal}e Unterrichtsstunde")),
)
_OF_EVENTS: _Predicates = (
    ("starts at {time}", (German("beginnt", "um {time}"), German("fängt", "um {time}", particle="an"))),
    ("begins at {time} on {date_dative}", (German("beginnt", "{date_dative} um {time}"),)),
    ("ends at {time}", (German("endet", "um {time}"), German("hört", "um {time}", particle="auf"))),
    ("will end at {time}", (German("wird", "um {time}", end="enden"), German("endet", "um {time}"))),
    ("takes place on {date_dative}", (German("findet", "{date_dative}", particle="statt"),)),
    ("lasts {duration}", (German("dauert", "{duration}"),)),
    ("goes on until {time}", (German("dauert", "bis {time}"), German("geht", "bis {time}"))),
    (
        "starts in {duration_dative}",
        (German("beginnt", "in {duration_dative}"), German("fängt", "in {duration_dative}", particle="an")),
    ),
    ("was over {duration_dative} ago", (German("war", "vor {duration_dative}", end="zu Ende"),)),
    ("was postponed to {date_accusative}", (German("wurde", "auf {date_accusative}", end="verschoben"),)),
    ("was cancelled on {date_dative}", (German("wurde", "{date_dative}", end="abgesagt"),)),
    ("has been sold out for {duration_dative}", (German("ist", "seit {duration_dative}", end="ausverkauft"),)),
    ("costs {price}", (German("kostet", "{price}"),)),
    (
        "is {duration} late",
        (German("hat", "{duration}", end="Verspätung"), German("verspätet", "um {duration}", reflexive="sich")),
    ),
    ("is {percent} full", (German("ist", "zu {percent}", end="belegt"), German("ist", "zu {percent}", end="voll"))),
)
_THINGS: _Subjects = (
    ("the car", ("das Auto", "der Wagen")),
    ("the book", ("das Buch",)),
    ("the {ordinal} ticket", ("die {ordinal}e Karte", "das {ordinal}e Ticket")),
    ("the telephone", ("das Telefon",)),
    ("the table", ("der Tisch",)),
    ("this watch", ("diese Uhr",)),
    ("the bicycle", ("das Fahrrad", "das Rad")),
    ("our computer", ("unser Computer", "unser Rechner")),
    ("his camera", ("seine Kamera",)),
    ("the {ordinal} parcel", ("das {ordinal}e Paket",)),
    ("the machine", ("die Maschine",)),
    ("item number {cardinal}", ("Artikel Nummer {cardinal}", "Artikel {cardinal}")),
    ("the new bridge", ("die neue Brücke",)),
    ("the house", ("das Haus",)),
)
_OF_THINGS: _Predicates = (
    ("costs {price}", (German("kostet", "{price}"),)),
    (
        "cost {price} in {year}",
        (German("kostete", "im Jahr {year} {price}"), German("hat", "im Jahr {year} {price}", end="gekostet")),
    ),
    ("weighs {weight}", (German("wiegt", "{weight}"),)),
    ("was sold for {price}", (German("wurde", "für {price}", end="verkauft"),)),
    (
        "was {percent} cheaper",
        (German("war", "{percent}", end="billiger"), German("war", "{percent}", end="günstiger")),
    ),
    (
        "now costs {percent} more",
        (German("kostet", "jetzt {percent}", end="mehr"), German("kostet", "nun {percent}", end="mehr")),
    ),
    ("is {length} long", (German("ist", "{length}", end="lang"),)),
    ("is {length} wide", (German("ist", "{length}", end="breit"),)),
    (
        "was built in {year}",
        (
            German("wurde", "{year}", end="gebaut"),
            German("wurde", "im Jahr {year}", end="gebaut"),
            German("wurde", "im Jahre {year}", end="gebaut"),
        ),
    ),
    ("is {duration} old", (German("ist", "{duration}", end="alt"),)),
    (
        "will arrive on {date_dative}",
        (German("kommt", "{date_dative}", particle="an"), German("wird", "{date_dative}", end="ankommen")),
    ),
    ("was ordered on {date_dative}", (German("wurde", "{date_dative}", end="bestellt"),)),
    (
        "has been broken for {duration_dative}",
        (German("ist", "seit {duration_dative}", end="kaputt"), German("ist", "seit {duration_dative}", end="defekt")),
    ),
    ("was repaired for the {ordinal} time", (German("wurde", "zum {ordinal}en Mal", end="repariert"),)),
)
_PERSONS: _Subjects = (
    ("my brother", ("mein Bruder",)),
    ("my sister", ("meine Schwester",)),
    ("our teacher", ("unser Lehrer", "unsere Lehrerin")),
    ("the doctor", ("der Arzt", "die Ärztin")),
    ("her uncle", ("ihr Onkel",)),
    ("the neighbour", ("der Nachbar", "die Nachbarin")),
    ("his daughter", ("seine Tochter",)),
    ("the boss", ("der Chef", "die Chefin")),
    ("the driver", ("der Fahrer", "die Fahrerin")),
    ("my grandmother", ("meine Großmutter", "meine Oma")),
    ("the president", ("der Präsident", "die Präsidentin")),
    ("the {ordinal} guest", ("der {ordinal}e Gast",)),
)
_OF_PERSONS: _Predicates = (
    (
        "was born on {date_dative}",
        (German("wurde", "{date_dative}", end="geboren"), German("ist", "{date_dative}", end="geboren")),
    ),
    ("was born in {year}", (German("wurde", "{year}", end="geboren"), German("ist", "im Jahr {year}", end="geboren"))),
    ("bought {quantity}", (German("kaufte", "{quantity}"), German("hat", "{quantity}", end="gekauft"))),
    ("needs {quantity}", (German("braucht", "{quantity}"), German("benötigt", "{quantity}"))),
    (
        "paid {price}",
        (German("zahlte", "{price}"), German("bezahlte", "{price}"), German("hat", "{price}", end="bezahlt")),
    ),
    (
        "spent {price} on {quantity}",
        (
            German("gab", "{price} für {quantity}", particle="aus"),
            German("hat", "{price} für {quantity}", end="ausgegeben"),
        ),
    ),
    (
        "worked for {duration}",
        (German("arbeitete", "{duration}", end="lang"), German("hat", "{duration}", end="gearbeitet")),
    ),
    ("gets up at {time}", (German("steht", "um {time}", particle="auf"),)),
    ("arrived at {time}", (German("kam", "um {time}", particle="an"), German("ist", "um {time}", end="angekommen"))),
    (
        "will come at {time} on {date_dative}",
        (German("kommt", "{date_dative} um {time}"), German("wird", "{date_dative} um {time}", end="kommen")),
    ),
    (
        "lives on the {ordinal} floor",
        (German("wohnt", "im {ordinal}en Stock"), German("wohnt", "in der {ordinal}en Etage")),
    ),
    ("has read {cardinal} pages", (German("hat", "{cardinal} Seiten", end="gelesen"),)),
    (
        "finished in {ordinal} place",
        (German("belegte", "den {ordinal}en Platz"), German("kam", "auf den {ordinal}en Platz")),
    ),
    (
        "ran {distance} in {duration_dative}",
        (
            German("lief", "{distance} in {duration_dative}"),
            German("ist", "{distance} in {duration_dative}", end="gelaufen"),
        ),
    ),
    ("lives {distance} away", (German("wohnt", "{distance}", end="entfernt"),)),
    (
        "earns {price} a month",
        (
            German("verdient", "{price} im Monat"),
            German("verdient", "monatlich {price}"),
            German("verdient", "{price} pro Monat"),
        ),
    ),
    (
        "spent {fraction} of the money",
        (
            German("gab", "{fraction} des Geldes", particle="aus"),
            German("hat", "{fraction} des Geldes", end="ausgegeben"),
        ),
    ),
    (
        "has been waiting for {duration_dative}",
        (German("wartet", "seit {duration_dative}"), German("wartet", "schon seit {duration_dative}")),
    ),
    ("is {cardinal} days older", (German("ist", "{cardinal} Tage", end="älter"),)),
)
_GROUPS: _Subjects = (
    ("{percent} of the students", ("{percent} der Schüler", "{percent} der Studenten")),
    ("{percent} of the passengers", ("{percent} der Fahrgäste", "{percent} der Passagiere")),
    ("{percent} of the women", ("{percent} der Frauen",)),
    ("{fraction} of the guests", ("{fraction} der Gäste",)),
    ("{fraction} of the children", ("{fraction} der Kinder",)),
    ("{fraction} of the visitors", ("{fraction} der Besucher",)),
    ("{cardinal} people", ("{cardinal} Menschen", "{cardinal} Leute", "{cardinal} Personen")),
    ("{cardinal} workers", ("{cardinal} Arbeiter",)),
    ("more than {cardinal} members", ("mehr als {cardinal} Mitglieder", "über {cardinal} Mitglieder")),
    (
        "about {cardinal} tourists",
        ("etwa {cardinal} Touristen", "ungefähr {cardinal} Touristen", "rund {cardinal} Touristen"),
    ),
    ("the first {cardinal} customers", ("die ersten {cardinal} Kunden",)),
)
_OF_GROUPS: _Predicates = (
    ("arrived at {time}", (German("kamen", "um {time}", particle="an"), German("sind", "um {time}", end="angekommen"))),
    (
        "paid more than {price}",
        (
            German("zahlten", "mehr als {price}"),
            German("bezahlten", "mehr als {price}"),
            German("haben", "mehr als {price}", end="bezahlt"),
        ),
    ),
    ("waited for {duration}", (German("warteten", "{duration}"), German("haben", "{duration}", end="gewartet"))),
    (
        "were born before {year}",
        (German("wurden", "vor {year}", end="geboren"), German("sind", "vor {year}", end="geboren")),
    ),
    (
        "left after {duration_dative}",
        (German("gingen", "nach {duration_dative}"), German("sind", "nach {duration_dative}", end="gegangen")),
    ),
    ("came on {date_dative}", (German("kamen", "{date_dative}"), German("sind", "{date_dative}", end="gekommen"))),
    ("travel {distance} a day", (German("fahren", "{distance} am Tag"), German("fahren", "täglich {distance}"))),
    ("ordered {quantity}", (German("bestellten", "{quantity}"), German("haben", "{quantity}", end="bestellt"))),
    ("earn less than {price}", (German("verdienen", "weniger als {price}"),)),
    ("sleep for {duration}", (German("schlafen", "{duration}", end="lang"), German("schlafen", "{duration}"))),
)
_MEASURES: _Subjects = (
    ("the average", ("der Durchschnitt", "der Mittelwert")),
    ("the value", ("der Wert",)),
    ("the profit", ("der Gewinn",)),
    ("the rent", ("die Miete",)),
    ("demand", ("die Nachfrage",)),
    ("the price of oil", ("der Ölpreis", "der Preis für Öl")),
    ("unemployment", ("die Arbeitslosigkeit",)),
    ("the water level", ("der Wasserstand", "der Pegel")),
    ("production", ("die Produktion",)),
    ("the risk", ("das Risiko",)),
    ("the {ordinal} value", ("der {ordinal}e Wert",)),
)
_OF_MEASURES: _Predicates = (
    ("rose by {percent}", (German("stieg", "um {percent}"), German("ist", "um {percent}", end="gestiegen"))),
    (
        "fell by {percent} in {year}",
        (
            German("sank", "{year} um {percent}"),
            German("fiel", "im Jahr {year} um {percent}"),
            German("ist", "{year} um {percent}", end="gesunken"),
        ),
    ),
    (
        "has been falling for {duration_dative}",
        (German("sinkt", "seit {duration_dative}"), German("fällt", "seit {duration_dative}")),
    ),
    (
        "doubled in {duration_dative}",
        (
            German("verdoppelte", "in {duration_dative}", reflexive="sich"),
            German("hat", "in {duration_dative}", end="verdoppelt", reflexive="sich"),
        ),
    ),
    (
        "grew by a factor of {decimal}",
        (German("wuchs", "um den Faktor {decimal}"), German("ist", "um den Faktor {decimal}", end="gewachsen")),
    ),
    ("is {decimal}", (German("beträgt", "{decimal}"), German("liegt", "bei {decimal}"))),
    (
        "was {decimal} in {year}",
        (German("betrug", "im Jahr {year} {decimal}"), German("lag", "im Jahr {year} bei {decimal}")),
    ),
    ("was greater than {cardinal}", (German("war", "größer als {cardinal}"),)),
    (
        "fell to {fraction}",
        (
            German("sank", "auf {fraction}"),
            German("fiel", "auf {fraction}"),
            German("ist", "auf {fraction}", end="gesunken"),
        ),
    ),
    (
        "is {percent} higher than in {year}",
        (German("ist", "{percent} höher als {year}"), German("liegt", "{percent} höher als im Jahr {year}")),
    ),
    (
        "reached the mark of {cardinal} on {date_dative}",
        (
            German("erreichte", "{date_dative} die Marke von {cardinal}"),
            German("hat", "{date_dative} die Marke von {cardinal}", end="erreicht"),
        ),
    ),
)
_TEMPERATURES: _Subjects = (
    ("the temperature", ("die Temperatur",)),
    ("the water temperature", ("die Wassertemperatur",)),
    ("the temperature at {time}", ("die Temperatur um {time}",)),
    ("the temperature on {date_dative}", ("die Temperatur {date_dative}",)),
)
_OF_TEMPERATURES: _Predicates = (
    (
        "fell to {temperature}",
        (
            German("sank", "auf {temperature}"),
            German("fiel", "auf {temperature}"),
            German("ist", "auf {temperature}", end="gesunken"),
        ),
    ),
    ("is {temperature}", (German("beträgt", "{temperature}"), German("liegt", "bei {temperature}"))),
    (
        "was {temperature} in {year}",
        (German("betrug", "im Jahr {year} {temperature}"), German("lag", "im Jahr {year} bei {temperature}")),
    ),
    (
        "rose to {temperature} in {duration_dative}",
        (
            German("stieg", "in {duration_dative} auf {temperature}"),
            German("ist", "in {duration_dative} auf {temperature}", end="gestiegen"),
        ),
    ),
    (
        "never falls below {temperature}",
        (German("sinkt", "nie unter {temperature}"), German("fällt", "nie unter {temperature}")),
    ),
)


def _clauses() -> list[Clause]:
    domains = (
        (_EVENTS, _OF_EVENTS),
        (_THINGS, _OF_THINGS),
        (_PERSONS, _OF_PERSONS),
        (_GROUPS, _OF_GROUPS),
        (_MEASURES, _OF_MEASURES),
        (_TEMPERATURES, _OF_TEMPERATURES),
    )
    return [
        Clause(f"{subject} {predicate}", in_german, predicates)
        for subjects, all_predicates in domains
        for subject, in_german in subjects
        for predicate, predicates in all_predicates
        if not _slots(subject) & _slots(predicate)
    ]


def _slots(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _held_out(clause: Clause) -> bool:
    return crc32(clause.template.encode()) % 6 == 0


_TEST_CLAUSES = tuple(clause for clause in _clauses() if _held_out(clause))
_OTHER_CLAUSES = tuple(clause for clause in _clauses() if not _held_out(clause))


def phrases(split: Split, number: int, *, seed: int) -> list[Phrase]:
    """Return the first `number` phrases of a split. A larger `number` only appends phrases.

    No source occurs in two splits, whatever their seeds are. The clauses of the test split occur in no other split.
    Phrases may recur within a split.
    """
    return [_phrase(np.random.default_rng([seed, _SPLITS[split], index]), split) for index in range(number)]


def _phrase(random: np.random.Generator, split: Split) -> Phrase:
    clauses = _TEST_CLAUSES if split == "test" else _OTHER_CLAUSES
    while True:
        phrase = _drawn(random, clauses[random.integers(len(clauses))])
        if LENGTH[0] <= len(phrase.source.split()) <= LENGTH[1] and _owner(phrase.source) == split:
            return phrase


def _owner(source: str) -> Split:
    """Return the only split that may hold a source, because slips can make one source from two templates."""
    bucket = crc32(source.encode()) % 10
    return "train" if bucket < 6 else "calibration" if bucket < 7 else "test"


def _drawn(random: np.random.Generator, clause: Clause) -> Phrase:
    opener = _OPENERS[random.integers(len(_OPENERS))] if random.random() < OPENED_SHARE else _PLAIN
    expressions = {name: EXPRESSIONS[name](random) for name in sorted(_slots(clause.template))}

    in_english = clause.template.format_map({name: expression.source for name, expression in expressions.items()})
    source = _joined(opener.source, in_english, opener.mark)
    if random.random() < SLIP_SHARE:
        source = _with_slip(random, source)

    start, order = _translation(random, opener.references)
    predicate = _translation(random, clause.predicates)
    in_german = predicate.clause(_translation(random, clause.subjects), order).format_map(
        {name: _translation(random, expression.references) for name, expression in expressions.items()}
    )
    reference = _joined(start, in_german, opener.mark)
    return Phrase(source, reference[0].upper() + reference[1:], _joined(opener.source, clause.template, opener.mark))


def _translation(random: np.random.Generator, options: tuple[Option, ...]) -> Option:
    any_option = options[random.integers(len(options))]
    return options[0] if random.random() < PREFERRED_SHARE else any_option


_SMALL_WORDS = frozenset(("the", "that", "at", "on", "in", "of", "by", "for"))


def _with_slip(random: np.random.Generator, source: str) -> str:
    """Return the sentence without one of its small words, or with a letter missing, doubled or swapped."""
    words = source.split()
    if random.random() < 0.5:
        small = [index for index, word in enumerate(words) if word in _SMALL_WORDS]
        if small:
            del words[small[random.integers(len(small))]]
        return " ".join(words)
    long = [index for index, word in enumerate(words) if word.isalpha() and len(word) > 4]
    if long:
        index = long[random.integers(len(long))]
        words[index] = _misspelt(random, words[index])
    return " ".join(words)


def _misspelt(random: np.random.Generator, word: str) -> str:
    place = int(random.integers(1, len(word) - 1))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    middles = (after, letter + letter + after, after[0] + letter + after[1:])
    return before + middles[random.integers(3)]


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def write_subwords(folder: Path, *, seed: int, number: int, merges: int) -> None:
    """Learn the subwords of both languages together from `number` training phrases.

    Write them to `folder`: `codes.bpe`, `vocabulary.en` and `vocabulary.de`.
    """
    training = phrases("train", number, seed=seed)
    languages = {"en": [phrase.source for phrase in training], "de": [phrase.reference for phrase in training]}
    codes = learn([sentence for sentences in languages.values() for sentence in sentences], merges)
    with replace_on_success(folder / "codes.bpe") as temporary:
        temporary.write_text(codes, encoding="utf-8")
    for language, sentences in languages.items():
        Vocabulary.of(sentences, Segmentation(codes)).write(folder / f"vocabulary.{language}")


def write_split(path: str | Path, settings: NumberPhrases, split: Split) -> None:
    """Make a split and write it to the Parquet file `path`, whole or not at all."""
    made = phrases(split, getattr(settings, split), seed=settings.seed)
    rows = [(index, phrase.source, phrase.reference, phrase.template, None) for index, phrase in enumerate(made)]
    write_table(path, SENTENCES, pd.DataFrame(rows, columns=SENTENCES.names))
