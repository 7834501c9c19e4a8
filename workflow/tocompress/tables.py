"""Read and write the Parquet tables between the stages, checked against their schema (`tocompress.schemas`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tocompress.errors import StudyError
from tocompress.files import replace_on_success

#: The errors of reading a damaged file, or a file that is no table.
_DAMAGE = (OSError, ValueError, pa.ArrowException)

TEXT, FLOAT, COUNT, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def schema(name: str, **columns: tuple[pa.DataType, str]) -> pa.Schema:
    """Return the schema of the table called `name`, with the type and the unit of each column."""
    fields = [pa.field(column, kind, metadata={"unit": unit}) for column, (kind, unit) in columns.items()]
    return pa.schema(fields, metadata={"table": name})


def write_table(path: str | Path, schema: pa.Schema, table: pd.DataFrame) -> None:
    """Write `table` whole or not at all. Raise StudyError for a missing, extra or ill-typed column."""
    _check_columns(path, schema, list(table.columns))
    try:
        arrow = pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StudyError(f"{path}: not a table of {_name(schema)}: {error}") from error
    with replace_on_success(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(schema.metadata), temporary, compression="zstd")


def read_table(path: str | Path, schema: pa.Schema) -> pd.DataFrame:
    """Read the table at `path`, checked against its schema."""
    try:
        with pq.ParquetFile(path) as file:  # unlike `read_table`, it takes no folder
            arrow = file.read()
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    _check_columns(path, schema, arrow.column_names)
    try:
        return arrow.select(schema.names).cast(schema).to_pandas()
    except (pa.ArrowException, ValueError) as error:
        raise StudyError(f"{path}: not a table of {_name(schema)}: {error}") from error


def first_row(path: str | Path, *columns: str) -> tuple[Any, ...] | None:
    """Return the values of `columns` in the first row of the table at `path`, or None for a table without rows."""
    try:
        batches = pq.ParquetFile(path).iter_batches(batch_size=1, columns=list(columns))
        row = next((batch.to_pylist()[0] for batch in batches if len(batch)), None)
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    return None if row is None else tuple(row[column] for column in columns)


def columns(path: str | Path) -> list[str]:
    """Return the names of the columns of the table at `path`."""
    try:
        names: list[str] = pq.read_schema(path).names
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    return names


def _unreadable(path: str | Path, error: Exception) -> StudyError:
    return StudyError(f"{path}: not a readable Parquet file ({error}); delete it and run again")


def _check_columns(path: str | Path, schema: pa.Schema, columns: list[str]) -> None:
    if missing := [name for name in schema.names if name not in columns]:
        raise StudyError(f"{path}: a table of {_name(schema)} lacks the column(s) {', '.join(missing)}")
    if extra := [name for name in columns if name not in schema.names]:
        raise StudyError(f"{path}: a table of {_name(schema)} has the unknown column(s) {', '.join(extra)}")


def _name(schema: pa.Schema) -> str:
    name: str = schema.metadata[b"table"].decode()
    return name
