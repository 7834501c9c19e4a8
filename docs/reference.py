"""Make the reference pages of docs/, and the schema that editors check a config by.

A page of docs/reference/ introduces its subject. The build of the documentation appends the rest.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pydantic import TypeAdapter

from tocompress import schemas
from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.settings.base import Name
from tocompress.settings.study import Study, load
from tocompress.tables import COUNT, FLAG, FLOAT, TEXT

Schema = dict[str, Any]

ROOT = Path(__file__).parents[1]

_TYPES = {TEXT: "text", FLOAT: "number", COUNT: "whole number", FLAG: "true or false"}
_JSON_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "null": "null",
}
_NAME = TypeAdapter(Name).json_schema()["pattern"]
_PLURALS = {"name": "names", "text": "texts"}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_VARIANTS = ("fp32", "q8", "p50", "q8-p05", "p05-q8", "p5", "q8-q6", "q8-p05-p50")


def config_schema() -> Schema:
    """Return the JSON schema of config.yaml and its overlays. No key is required, since an overlay may omit any."""
    schema: Schema = _relaxed(Study.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def write_config_schema(path: Path) -> None:
    """Write the JSON schema to `path`, whole or not at all."""
    with replace_on_success(path) as temporary:
        temporary.write_text(json.dumps(config_schema(), indent=2) + "\n", encoding="utf-8")


def _relaxed(node: Any) -> Any:
    """Return the same schema where nothing is required. Part of an entry may then fit more than one of its kinds."""
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    relaxed = {
        "anyOf" if key == "oneOf" else key: _relaxed(value)
        for key, value in node.items()
        if key not in ("required", "discriminator")
    }
    return relaxed | ({"additionalProperties": False} if "patternProperties" in node else {})


def rules_page() -> str:
    """Return every rule by its file, with its purpose and each of its inputs and outputs."""
    text, file = [], ""
    with _workflow() as workflow:
        produced = [_pattern(path) for rule in workflow.rules for path in rule.output]
        for rule in workflow.rules:
            if Path(rule.snakefile).parent.name != "rules":  # targets of the Snakefile itself
                continue
            if rule.snakefile != file:
                file = rule.snakefile
                first_line, _, _ = Path(file).read_text(encoding="utf-8").partition("\n")
                title, _, about = first_line.removeprefix("# ").partition(": ")
                text.append(f"## {title}\n\n{about[:1].upper()}{about[1:]}")
            files = [
                *(("in", name or "", _input(value, produced)) for name, value in rule.input._allitems()),
                *(("out", name or "", _code(_pattern(value))) for name, value in rule.output._allitems()),
                ("script", "", _code(f"workflow/scripts/{Path(str(rule.script)).name}")),
            ]
            text.append(f"### {rule.name}\n\n{rule.docstring}\n\n{_table(('', 'name', 'what'), files)}")
    return "\n\n".join(text)


@contextlib.contextmanager
def _workflow() -> Iterator[Any]:
    """Yield the default study's workflow as Snakemake parses it. Nothing is run."""
    from snakemake.api import OutputSettings, ResourceSettings, SnakemakeApi
    from snakemake.settings.enums import Quietness

    with contextlib.chdir(ROOT), SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        # The API only prints rules to the terminal, so this attribute is the way to their parts.
        yield api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")._workflow


def _input(value: Any, produced: list[str]) -> str:
    """Return a pattern, the patterns of the files in a list, or the description of a function of the wildcards."""
    flagged = getattr(value, "_file", None)  # `ancient` puts a function inside
    value = getattr(flagged, "callable", None) or value
    if callable(value):
        words = value.__name__.replace("_", " ")
        first_line, _, _ = (inspect.getdoc(value) or f"the {words}.").partition("\n")
        told = first_line.removeprefix("Return ")
        return f"{told[:1].upper()}{told[1:]}"
    paths = [str(value)] if isinstance(value, str) else map(str, value)
    return ", ".join(dict.fromkeys(_code(_pattern_of(path, produced)) for path in paths)) or "none in this study"


def _pattern_of(path: str, produced: list[str]) -> str:
    """Return the pattern of the rule that makes a file, or the path if it is a pattern or no rule makes it."""
    path = re.sub(r"\d+-of-\d+", "{scatteritem}", _pattern(path))
    if "{" in path.removeprefix("results/{study}"):
        return path
    return next((pattern for pattern in produced if _fits(path, pattern)), path)


def _fits(path: str, pattern: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern)), path) is not None


def _pattern(path: Any) -> str:
    """Return a path of the default study as a path of any study, without the constraints of its wildcards."""
    from snakemake.io import strip_wildcard_constraints

    pattern: str = strip_wildcard_constraints(str(path))
    return pattern.replace("results/default/", "results/{study}/")


def config_page() -> str:
    """Return every key of the config with its type, its default and its meaning."""
    schema = Study.model_json_schema()
    return "\n\n".join(
        _section(schema, key, node, key in schema["required"]) for key, node in schema["properties"].items()
    )


def _section(schema: Schema, key: str, node: Schema, required: bool) -> str:
    text = [f"## {key}"]
    if "patternProperties" not in node:
        node = _resolved(schema, node)
        return "\n\n".join([*text, node["description"], _keys(schema, node)])
    (entry,) = node["patternProperties"].values()
    text.append(f"A mapping of names that you choose, {'required' if required else 'empty by default'}.")
    kinds = [_resolved(schema, kind) for kind in entry.get("oneOf", [entry])]
    for kind in kinds:
        title, _, rest = kind["description"].partition("\n")
        heading = f"### {title.rstrip('.')}" if len(kinds) > 1 else title
        text += [heading, *([rest.strip()] if rest.strip() else []), _keys(schema, kind)]
    return "\n\n".join(text)


def _keys(schema: Schema, node: Schema) -> str:
    return _table(("key", "takes", "default", "meaning"), _rows(schema, node))


def _rows(schema: Schema, node: Schema, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield a row for each key. The keys of a nested mapping follow the key that holds them."""
    for key, value in node["properties"].items():
        choices = [_resolved(schema, choice) for choice in value.get("anyOf") or value.get("oneOf", [value])]
        nested = [choice for choice in choices if "properties" in choice]
        entries = [_resolved(schema, choice["additionalProperties"]) for choice in choices if _holds_keys(choice)]
        meaning = value.get("description") or (nested[0]["description"] if nested else "")
        default = "required"
        if key not in node.get("required", ()):
            default = "" if isinstance(value["default"], dict) else _code(_plain(value["default"]))
        yield _code(prefix + key), " or ".join(map(_takes, choices)), default, meaning
        for inner in nested:
            yield from _rows(schema, inner, f"{prefix}{key}.")
        for entry in entries:
            yield from _rows(schema, entry, f"{prefix}{key}.*.")


def _holds_keys(node: Schema) -> bool:
    """Return whether a node is a mapping whose entries are mappings with keys of their own."""
    return "$ref" in (node.get("additionalProperties") or {})


def _takes(node: Schema) -> str:
    """Return the values that a key may have, with their bounds."""
    if "const" in node or "enum" in node:
        return ", ".join(_code(str(value)) for value in node.get("enum", [node.get("const")]))
    if "prefixItems" in node:
        return f"list of {len(node['prefixItems'])}: {', '.join(map(_takes, node['prefixItems']))}"
    if node["type"] == "array":
        items = _takes(node["items"])
        return f"list of {_PLURALS.get(items, items)}" + (", at least one" if node.get("minItems") else "")
    if _holds_keys(node):
        return f"mapping of {', '.join(map(_code, node['propertyNames']['enum']))} to a mapping each"
    if node["type"] == "object":
        values = node.get("additionalProperties")
        return f"mapping of names to a {_takes(values)} each" if values else "mapping"
    bounds = [f"{sign} {node[bound]:g}" for bound, sign in _BOUNDS.items() if bound in node]
    if node.get("pattern") == _NAME:
        return "name"
    pattern = [f"like {_code(node['pattern'])}"] if "pattern" in node else []
    return ", ".join([_JSON_TYPES[node["type"]], *bounds, *pattern])


def _resolved(schema: Schema, node: Schema) -> Schema:
    """Return the schema that a node refers to, or the node itself."""
    if "$ref" not in node:
        return node
    found: Schema = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return found


def tables_page() -> str:
    """Return every table between two stages, with its columns, their types and units."""
    text = []
    for information in pkgutil.iter_modules(schemas.__path__, f"{schemas.__name__}."):
        module = importlib.import_module(information.name)
        abouts = _comments(inspect.getsource(module))
        found = {name: value for name, value in vars(module).items() if isinstance(value, pa.Schema)}
        if found:
            text.append(f"## {(inspect.getdoc(module) or '').rstrip('.')}")
        for name, schema in found.items():
            rows = [(_code(field.name), _TYPES[field.type], field.metadata[b"unit"].decode()) for field in schema]
            title = schema.metadata[b"table"].decode()
            text.append(f"### {title}\n\n{abouts[name]}\n\n{_table(('column', 'type', 'unit or meaning'), rows)}")
    return "\n\n".join(text)


def _comments(source: str) -> dict[str, str]:
    """Return the comments `#: ...` before the names that a module defines, which Python itself does not keep."""
    found = re.findall(r"((?:^#: .*\n)+)^(\w+)\b", source, re.MULTILINE)
    return {name: " ".join(line.removeprefix("#: ") for line in lines.splitlines()) for lines, name in found}


def metrics_page() -> str:
    """Return every metric of `study.parquet` and its unit."""
    from tocompress.vocabulary.metrics import METRICS

    rows = [
        (_code(metric.name), metric.title, metric.unit, "trained" if metric.kind == "accuracy" else "any")
        for metric in METRICS.values()
    ]
    return _table(("metric", "what it is", "unit", "weights that it is of"), rows)


def variants_page() -> str:
    """Return the techniques of config.yaml, and the verdict of the config's own check on some variants."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    techniques = [
        (_code(name), ", ".join(f"{key} {_code(_plain(value))}" for key, value in technique.items()))
        for name, technique in config["techniques"].items()
    ]
    verdicts = [(_code(variant), _verdict(config, variant)) for variant in _VARIANTS]
    return "\n\n".join(
        [
            "## The techniques of config.yaml",
            _table(("technique", "settings"), techniques),
            "## Some variants of vgg_16",
            _table(("variant", "what the check says"), verdicts),
        ]
    )


def _verdict(config: dict[str, Any], variant: str) -> str:
    study = config["study"] | {"models": ["vgg_16"], "variants": {"vgg_16": [variant]}}
    try:
        load(config | {"study": study})
    except StudyError as error:
        return str(error).removeprefix("config: study.variants: ")
    return "valid"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _plain(value: Any) -> str:
    """Return a value as YAML writes it."""
    return json.dumps(value).strip('"')


def _code(text: str) -> str:
    return f"`{text}`"


#: The function whose text is appended to each page.
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/rules": rules_page,
    "docs/reference/config": config_page,
    "docs/reference/tables": tables_page,
    "docs/reference/metrics": metrics_page,
    "docs/reference/variants": variants_page,
}

if __name__ == "__main__":
    write_config_schema(Path(sys.argv[1]))
