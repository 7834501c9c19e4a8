"""Tell whether a device is fit to be measured."""

import os
from pathlib import Path

from pydantic import TypeAdapter

from tocompress.errors import StudyError
from tocompress.job import job
from tocompress.measurement.check import check, table
from tocompress.settings.device import Device

terminal = os.dup(2)
with job(snakemake):
    name = snakemake.wildcards.device
    findings = check(name, TypeAdapter(Device).validate_json(snakemake.params.settings))
    text = table(name, findings)
    os.write(terminal, text.encode())
    if problems := [f"{finding.what}: {finding.problem}" for finding in findings if finding.problem]:
        raise StudyError(f"{name} is not fit to be measured: {'; '.join(problems)}")
    Path(snakemake.output[0]).write_text(text, encoding="utf-8")
