"""Read the CSV files in which people keep labels."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from tocompress.errors import StudyError


def csv_rows(path: str, text: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV, by the columns of its header."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        if twice := [column for column, times in Counter(filter(None, header)).items() if times > 1]:
            raise StudyError(f"{path}: has two columns '{twice[0]}'; one is needed")
        for number, row in enumerate(filter(None, reader), 1):
            if any(row[len(header) :]):
                raise StudyError(f"{path}, row {number}: {len(row)} cells under {len(header)} columns; quote commas")
            yield dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise StudyError(f"{path}, line {reader.line_num}: not a row of a CSV ({error})") from error
