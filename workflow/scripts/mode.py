"""Take one power mode of a device out of the tables of a session."""

from tocompress.job import job
from tocompress.schemas.benchmark import TABLES
from tocompress.tables import read_table, write_table

with job(snakemake):
    for name, schema in TABLES.items():
        table = read_table(snakemake.input[name], schema)
        write_table(snakemake.output[name], schema, table[table["device"] == snakemake.wildcards.in_mode])
