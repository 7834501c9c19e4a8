"""Translate each line of a text file: `python run.py sentences.txt`.

It takes NumPy and the runtime. card.json tells how sentences become ids.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
UNKNOWN, END = 0, 2  # ids of every vocabulary
Pair = tuple[str, str]


def main() -> None:
    """Print the translation of each line."""
    if len(sys.argv) != 2:
        sys.exit("Error: give one text file of a sentence a line, as in: python run.py sentences.txt")
    sentences = lines(Path(sys.argv[1]))
    card = json.loads((HERE / "card.json").read_text(encoding="utf-8"))
    source, target = (lines(HERE / f"vocabulary.{side}.txt") for side in ("source", "target"))
    ids = {token: number for number, token in enumerate(source)}
    codes = lines(HERE / "codes.bpe") if card["preprocessing"]["codes"] else None
    known = ids if card["preprocessing"]["known_subwords_only"] else None
    run = runpy.run_path(str(HERE / "runtime.py"))["loaded"](HERE / card["artifact"]["file"])
    for sentence in sentences:
        words = [word for word in sentence.split(" ") if word]
        tokens = words if codes is None else subwords(words, codes, known)
        numbers = run(feeds([ids.get(token, UNKNOWN) for token in tokens]))[0] if tokens else []
        print(joined(numbers, target))


def lines(file: Path) -> list[str]:
    """Return the lines of a text. Only \\n ends a line, because other separators may be subwords."""
    try:
        return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"Error: {file}: not a readable text in UTF-8 ({error})")


def feeds(source: list[int]) -> dict[str, np.ndarray]:
    """Return the inputs of a sentence. Its translation has at most twice as many subwords."""
    return {
        "source": np.array([source], np.int32),
        "source_length": np.array([len(source)], np.int32),
        "maximum_length": np.array(2 * len(source), np.int32),
        "forced": np.array(False),
    }


def joined(ids: Iterable[int], target: list[str]) -> str:
    """Return the sentence of ids up to the first </s>. An unfinished last word is dropped."""
    text = ""
    for number in ids:
        if number == END:
            break
        token = target[number] if number < len(target) else target[UNKNOWN]
        text += token[:-2] if token.endswith("@@") else f"{token} "
    return text.rpartition(" ")[0]


def subwords(words: list[str], codes: list[str], known: Mapping[str, int] | None) -> list[str]:
    """Return the subwords of words by byte pair encoding. A subword ends in "@@" where its word continues.

    With `known`, a subword that is not known is split again.
    """
    has_version = codes[0].startswith("#version:")
    is_old = not has_version or codes[0].endswith("0.1")  # there the end of a word is a part of its own
    ranks: dict[Pair, int] = {}
    for line in codes[has_version:]:
        left, right = line.strip("\r\n ").split(" ")
        ranks.setdefault((left, right), len(ranks))
    whole = {left + right: (left, right) for left, right in reversed(ranks)}
    tokens = []
    for word in words:
        parts = merged([*word, "</w>"] if is_old else [*word[:-1], word[-1] + "</w>"], ranks)
        *first, last = [part for part in parts if part != "</w>"]
        allowed = known if len(word) > 1 else None
        for part in first:
            tokens += split_again(part, False, whole, allowed)
        tokens += split_again(last.removesuffix("</w>"), True, whole, allowed)
    return tokens


def merged(parts: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """Return the parts of a word after all merges, the most frequent pair first."""
    while pairs := [pair for pair in pairwise(parts) if pair in ranks]:
        best, place, joint = min(pairs, key=ranks.__getitem__), 0, []
        while place < len(parts):
            fits = tuple(parts[place : place + 2]) == best
            joint.append("".join(best) if fits else parts[place])
            place += 1 + fits
        parts = joint
    return parts


def split_again(part: str, ends: bool, whole: Mapping[str, Pair], known: Mapping[str, int] | None) -> list[str]:
    """Return a part of a word as a subword. Where it is not known, split it as it was merged, again and again."""
    subword = part if ends else f"{part}@@"
    pair = None if known is None or subword in known else whole.get(f"{part}</w>" if ends else part)
    if pair is None:
        return [subword]
    left, right = pair[0], pair[1].removesuffix("</w>") if ends else pair[1]
    return [*split_again(left, False, whole, known), *split_again(right, ends, whole, known)]


if __name__ == "__main__":
    main()
