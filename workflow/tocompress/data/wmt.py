"""Test and training sentences of WMT: from the published files to the tables that a translation model reads.

The steps follow wmt16_en_de.sh of tensorflow/nmt. They extract sentences from .sgm, split them into Moses' tokens and
clean the training pairs. IWSLT's .xml is read alike. Files of tokens or subwords are taken as they are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import numpy as np
import pandas as pd

from tocompress.data.moses import tokenize
from tocompress.data.subwords import joined, words
from tocompress.errors import StudyError
from tocompress.files import check_digest
from tocompress.settings.data import Split, Wmt, is_markup

# The limits of Moses' clean-corpus-n.perl for WMT: tokens of a sentence, and the ratio between a pair's two lengths.
MOST_TOKENS, MOST_TIMES = 80, 9

_SPARE = 1.1  # lines read for each pair that is wanted, because some pairs are too long

_SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg\s*>", re.DOTALL | re.IGNORECASE)
_SEGMENT_START = re.compile(r"<seg\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SOURCE, _TRANSLATION = re.compile(r"<src\b", re.IGNORECASE), re.compile(r"<(?:ref|hyp)\b", re.IGNORECASE)
_MARKUP_START = re.compile(
    r"\s*<(?:!--|(?:\?xml|!doctype|mteval|dataset|srcset|refset|tstset|doc|seg"
    r"|url|keywords|speaker|talkid|title|description|reviewer|translator)\b)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)


def corpus(settings: Wmt, files: Mapping[str, Path], split: Split) -> pd.DataFrame:
    """Return the table `sentences` of a split. The test set is the first pairs of `source` and `reference`, in order.

    Training and calibration sets are drawn from `training_source` and `training_reference`, and share no pair. The
    columns hold Moses' tokens, or subwords where the files hold subwords. Raise StudyError for a bad file, for files of
    different lengths, and for too few sentences.
    """
    for path in files.values():
        check_digest(path, settings.md5.get(path.name), "md5")
    return _test(settings, files) if split == "test" else _drawn(settings, files, split)


def segments(text: str) -> list[str]:
    """Return the sentences of WMT or IWSLT with single spaces. The markup does not have to be well-formed."""
    return [
        " ".join(_ENTITY.sub(lambda entity: html.unescape(entity[0]), seg).split()) for seg in _SEGMENT.findall(text)
    ]


def _test(settings: Wmt, files: Mapping[str, Path]) -> pd.DataFrame:
    source, reference = (_sentences(files[key]) for key in ("source", "reference"))
    _check_numbers(files["source"], len(source), files["reference"], len(reference))
    count = len(source) if settings.test is None else settings.test
    if count > len(source):
        raise StudyError(
            f"{files['source']}: holds {len(source)} sentences, but the data's `test` is {count}; lower it"
        )
    kinds = _kind(files["source"], settings), _kind(files["reference"], settings)
    table = _table(settings, source[:count], reference[:count], *kinds)
    for key in ("source", "reference"):
        if empty := [number for number, sentence in enumerate(table[key], 1) if not sentence.strip()]:
            raise StudyError(f"{files[key]}: sentence {empty[0]} is empty; get the file again, or take both lines out")
    return table


def _drawn(settings: Wmt, files: Mapping[str, Path], split: Split) -> pd.DataFrame:
    """Return pairs in a random order. The calibration set comes first, so it does not depend on the training set."""
    if not {"training_source", "training_reference"} <= files.keys():
        raise StudyError("data: `training` names no training sentences; name a file of them and one of translations")
    source, reference = files["training_source"], files["training_reference"]
    for path in (source, reference):
        if is_markup(path):
            raise StudyError(f"{path}: training sentences are text, one a line; take them out of the {path.suffix}")
    total = _number_of_lines(source)
    _check_numbers(source, total, reference, _number_of_lines(reference))
    first, last = 0, settings.calibration
    fewest = last
    if split == "train":
        first, last = last, total if settings.train is None else last + settings.train
        fewest = first + 1 if settings.train is None else last
    order = np.random.default_rng(settings.seed).permutation(total)
    parts: list[pd.DataFrame] = []
    found = looked_at = 0
    while found < last and looked_at < total:
        rows = order[looked_at : looked_at + int(_SPARE * (last - found)) + 1]
        part = _table(settings, _lines_at(source, rows), _lines_at(reference, rows), settings.text, settings.text)
        parts.append(part[list(map(_is_clean, part["source"], part["reference"]))])
        found += len(parts[-1])
        looked_at += len(rows)
        print(f"looked at {looked_at} of {total} pairs, {min(found, last)} of {last} found", flush=True)
    if found < fewest:
        raise StudyError(
            f"{source}: {found} of its pairs have 1 to {MOST_TOKENS} tokens, but the data's `calibration` and `train`"
            f" are {settings.calibration} and {'all that remain' if settings.train is None else settings.train}:"
            " lower them"
        )
    chosen = pd.concat(parts, ignore_index=True).iloc[first:last]
    return chosen.assign(example=range(len(chosen))).reset_index(drop=True)


def _table(
    settings: Wmt, source: Sequence[str], reference: Sequence[str], source_kind: str, reference_kind: str
) -> pd.DataFrame:
    source_language, target_language = settings.languages
    raw = reference_kind == "raw"
    return pd.DataFrame(
        {
            "example": range(len(source)),
            "source": tokenize(source, source_language) if source_kind == "raw" else source,
            "reference": tokenize(reference, target_language) if raw else reference,
            "template": "",
            "plain_reference": reference if raw else None,
        }
    )


def _is_clean(source: str, reference: str) -> bool:
    fewer, more = sorted(len(words(joined(sentence))) for sentence in (source, reference))
    return fewer >= 1 and more <= min(MOST_TOKENS, MOST_TIMES * fewer)


def _kind(path: Path, settings: Wmt) -> str:
    return "raw" if is_markup(path) else settings.text


def _sentences(path: Path) -> list[str]:
    """Return all sentences of a text, .sgm or .xml file."""
    with _opened(path) as file:
        lines = [_decoded(line, path, row) for row, line in enumerate(file)]
    sentences = _marked_up("\n".join(lines), path) if is_markup(path) else lines
    if not sentences:
        raise StudyError(f"{path}: holds no sentences; get the file again")
    if not is_markup(path):
        _check_plain(path, lines)
    return sentences


def _check_plain(path: Path, lines: Iterable[str]) -> None:
    """Raise StudyError when the first non-blank line is markup."""
    if _MARKUP_START.match(next((line for line in lines if line.strip()), "")):
        raise StudyError(f"{path}: begins as .sgm or .xml do; name it so, or take its sentences out, one a line")


def _marked_up(text: str, path: Path) -> list[str]:
    text = _COMMENT.sub("", text)
    sentences = segments(text)
    if len(sentences) != len(_SEGMENT_START.findall(text)):
        raise StudyError(f"{path}: not all of its <seg> end in </seg>; get the file again")
    if _SOURCE.search(text) and _TRANSLATION.search(text):
        raise StudyError(f"{path}: holds both sources and translations; write each to a text of its own, one a line")
    return sentences


def _lines_at(path: Path, rows: np.ndarray) -> list[str]:
    """Return the lines at these places, in their order, in one pass. The file does not have to fit into memory."""
    wanted = set(rows.tolist())
    with _opened(path) as file:
        lines = {row: _decoded(line, path, row) for row, line in enumerate(file) if row in wanted}
    return [lines[row] for row in rows.tolist()]


def _number_of_lines(path: Path) -> int:
    with _opened(path) as file:
        _check_plain(path, (_decoded(line, path, row) for row, line in enumerate(file)))
    with _opened(path) as file:
        number = sum(1 for _ in file)
    if not number:
        raise StudyError(f"{path}: holds no sentences; get the file again")
    return number


def _decoded(line: bytes, path: Path, row: int) -> str:
    """Return a line without its end. Only \\n ends a line: sentences may hold other separators of str.splitlines()."""
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: line {row + 1} is not UTF-8 ({error.reason}); convert the file to UTF-8") from error
    return text if row else text.removeprefix("\ufeff")  # some programs mark UTF-8 with it


def _check_numbers(source: Path, sources: int, reference: Path, references: int) -> None:
    if sources != references:
        raise StudyError(
            f"{source}: holds {sources} sentences, {reference} {references}; name two files that translate each other"
            " line by line"
        )


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise StudyError(f"{path}: not readable ({error.strerror}); name it right in the config's `data`") from error
