"""Every path pattern of results/{study}/, once. Words in braces are Snakemake's wildcards."""

from __future__ import annotations

from dataclasses import dataclass

from tocompress.vocabulary.runtimes import SUFFIXES

BENCHMARK_TABLES = ("latency", "loading", "memory", "power", "windows", "operations", "diagnostics", "session")
FIGURE_FORMATS = ("png", "pdf", "svg", "csv")


@dataclass(frozen=True)
class Paths:
    """The patterns under `root`, the study's folder.

    `trial` is the folder in it where the sessions and the predictions of a trial lie, and all that is made of them. A
    study without trials has them in `root` itself.
    """

    root: str
    trial: str | None = None

    @property
    def compared(self) -> str:
        """Return the folder of all that compares variants."""
        return f"{self.root}/{self.trial}" if self.trial else self.root

    @property
    def images(self) -> str:
        return f"{self.root}/data/{{dataset}}/{{split}}.npz"

    @property
    def sentences(self) -> str:
        return f"{self.root}/data/{{dataset}}/{{split}}.parquet"

    @property
    def texts(self) -> str:
        """Return the path of a file that is taken out of the archive of a dataset."""
        return f"{self.root}/data/{{dataset}}/files/{{member}}"

    @property
    def photographs(self) -> str:
        """Return the path of the table of a split's photographs and their places."""
        return self.sentences

    @property
    def downloads(self) -> str:
        return "results/downloads"

    @property
    def download(self) -> str:
        """Return the path of a downloaded file, which all studies share."""
        return f"{self.downloads}/{{address}}"

    @property
    def download_digest(self) -> str:
        """Return the path of the digest of a download's first use, which every later use must have."""
        return f"{self.download}.sha256"

    @property
    def download_record(self) -> str:
        return f"{self.downloads}/provenance/{{address}}.json"

    @property
    def weights(self) -> str:
        return f"{self.root}/weights/{{model}}/{{variant}}.safetensors"

    @property
    def compression(self) -> str:
        return f"{self.root}/compression/{{model}}/{{variant}}.parquet"

    @property
    def importance(self) -> str:
        """Return the path of the importance of channels of a variant's network, ranked on data."""
        return f"{self.root}/importance/{{model}}/{{variant}}.parquet"

    @property
    def body(self) -> str:
        """Return the path of the graph without weights, which all variants of a structure share."""
        return f"{self.root}/artifacts/tensorflow/{{model}}/{{structure}}.body.pb"

    @property
    def structure(self) -> str:
        return f"{self.root}/artifacts/tensorflow/{{model}}/{{structure}}.body.parquet"

    @property
    def litert_body(self) -> str:
        """Return the path of a structure's flatbuffer without weights."""
        return f"{self.root}/artifacts/litert/{{model}}/{{structure}}.body.tflite"

    @property
    def places(self) -> str:
        """Return the path of the table that tells where each weight lies in a structure's flatbuffer."""
        return f"{self.root}/artifacts/litert/{{model}}/{{structure}}.places.parquet"

    @property
    def extremes(self) -> str:
        """Return the path of the least and largest values of a variant's activations on calibration images."""
        return f"{self.root}/artifacts/litert/{{model}}/{{variant}}.extremes.parquet"

    def artifact(self, runtime: str) -> str:
        return f"{self.root}/artifacts/{runtime}/{{model}}/{{variant}}.{SUFFIXES[runtime]}"

    def artifact_facts(self, runtime: str) -> str:
        return f"{self.root}/artifacts/{runtime}/{{model}}/{{variant}}.parquet"

    @property
    def inputs(self) -> str:
        return f"{self.root}/benchmarks/inputs/{{model}}.npz"

    @property
    def bundle(self) -> str:
        """Return the path of the folder of an artifact that people can take away."""
        return f"{self.compared}/bundles/{{runtime}}/{{model}}/{{variant}}"

    @property
    def check(self) -> str:
        """Return the path of the check of a device, which all studies share."""
        return "results/devices/{device}/check.txt"

    @property
    def model_check(self) -> str:
        return f"{self.root}/check/{{model}}.txt"

    def benchmark(self, table: str) -> str:
        return f"{self.compared}/benchmarks/{{device}}/{{model}}/{table}.parquet"

    def benchmark_in_mode(self, table: str) -> str:
        """Return the path of a table of a device in one of its power modes."""
        return self.benchmark(table).replace("{device}", "{in_mode}")

    @property
    def predictions(self) -> str:
        return f"{self.compared}/predictions/{{runtime}}/{{model}}/{{variant}}.parquet"

    @property
    def shard(self) -> str:
        return f"{self.compared}/predictions/{{runtime}}/{{model}}/{{variant}}.{{scatteritem}}.parquet"

    @property
    def metrics(self) -> str:
        return f"{self.compared}/metrics/{{runtime}}/{{model}}/{{variant}}.parquet"

    @property
    def study(self) -> str:
        return f"{self.compared}/study.parquet"

    @property
    def stated(self) -> str:
        """Return the path of the paper's statements in numbers, which all studies share."""
        return "config/claims.yaml"

    @property
    def claims(self) -> str:
        return f"{self.compared}/claims.parquet"

    def figure(self, extension: str) -> str:
        return f"{self.compared}/figures/{{figure}}.{extension}"

    @property
    def sensitivity(self) -> str:
        return f"{self.root}/sensitivity/{{model}}.parquet"

    @property
    def quantization_sensitivity(self) -> str:
        return f"{self.root}/quantization_sensitivity/{{model}}.parquet"

    def quantization_sensitivity_figure(self, extension: str) -> str:
        return f"{self.root}/figures/quantization_sensitivity_{{model}}.{extension}"

    def sensitivity_figure(self, extension: str) -> str:
        return f"{self.root}/figures/sensitivity_{{model}}.{extension}"

    def search(self, file: str) -> str:
        """Return the path of a result of the search of a model."""
        return f"{self.root}/search/{{model}}/{file}"

    def search_figure(self, extension: str) -> str:
        return f"{self.root}/figures/search_{{model}}.{extension}"

    @property
    def report(self) -> str:
        return f"{self.compared}/report.html"

    def comparison(self, extension: str) -> str:
        """Return the path of a comparison with another study."""
        return f"{self.compared}/compare/{{other}}.{extension}"

    @property
    def package(self) -> str:
        """Return the path of the zip that holds the study."""
        return f"{self.compared}/package.zip"

    @property
    def zoo(self) -> str:
        return f"{self.root}/zoo/{{model}}.tar.gz"

    @property
    def history(self) -> str:
        return f"{self.root}/history/{{model}}.parquet"

    @property
    def retraining_history(self) -> str:
        return f"{self.root}/history/{{model}}/{{variant}}.parquet"

    def log(self, rule: str, *wildcards: str) -> str:
        return "/".join([self.compared, "logs", rule, *(f"{{{name}}}" for name in wildcards)]) + ".log"

    def record(self, result: str) -> str:
        """Return the path of the record of the job that makes a result.

        Whichever rule makes a result, its record has one path. Snakemake compares the settings of a job with its
        notes on all outputs. It would compare none if a record of another name had no note.
        """
        folder = self.compared if result.startswith(f"{self.compared}/") else self.root
        return f"{folder}/provenance/{result.removeprefix(f'{folder}/')}.json"
