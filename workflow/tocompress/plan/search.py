"""Search: on request, find the configuration of a model that meets requirements."""

from __future__ import annotations

import os
from typing import Any

from tocompress.errors import StudyError
from tocompress.plan.base import Parameters, Stage, Wildcards, changed, stop
from tocompress.plan.benchmark import ALL_CORES
from tocompress.settings.jobs import SearchFigureJob
from tocompress.settings.model import ModelSettings
from tocompress.settings.study import Study
from tocompress.vocabulary.modes import device_of, mode_of
from tocompress.vocabulary.variants import BASELINE

#: The sections of the config that no round of a search reads.
_UNREAD = {"zoo", "sensitivity", "quantization_sensitivity", "plot", "report", "publish", "compare"}


class Search(Stage):
    """The rules of rules/search.smk."""

    # Rule search

    def searched(self, wildcards: Wildcards) -> str:
        """Return the uncompressed weights of a model. End the program where the config asks for no search of it."""
        if wildcards.model not in self.study.search:
            asked = ", ".join(self.study.search) or "none"
            stop(StudyError(f"search: no requirements of '{wildcards.model}'; `search` of the config has {asked}"))
        return self.paths.weights.format(model=wildcards.model, variant=BASELINE)

    def search_threads(self, _: Wildcards) -> int:
        """Return all cores, so that the search runs alone. Snakemake cuts the number to its own, except on a cluster.

        There the search runs on the head, for a device that is a board.
        """
        return os.cpu_count() or 1 if self.on_cluster() else ALL_CORES

    @property
    def search(self) -> Parameters:
        return self.parameters("search.py", self._search_job)

    def _search_job(self, wildcards: Wildcards) -> str:
        """Return the study of the model and the device of a search alone."""
        model = wildcards.model
        search, data = self.study.search[model], self.study.models[model].data
        device, mode = device_of(search.device), mode_of(search.device)
        config: dict[str, Any] = self.study.model_dump(mode="json", by_alias=True, exclude=_UNREAD)
        only = {"models": model, "devices": device, "data": data, "retraining": model, "search": model}
        for section, name in only.items():
            config[section] = {name: config[section][name]} if name in config[section] else {}
        config["models"][model] = _without_mirrors(self.study.models[model]).model_dump(mode="json")
        config["devices"][device]["modes"] = [mode] if mode else []
        config["study"] |= {
            "models": [model],
            "variants": {"default": []},
            "runtimes": [search.runtime],
            "devices": [device],
            "benchmarked": None,
            "figures": [],
        }
        return type(self.study).model_validate(config | {"techniques": {}}).canonical(by_alias=True)

    # Rule search_figure

    @property
    def search_figure(self) -> Parameters:
        return self.parameters("plot_search.py", lambda wildcards: figure_job(self.study, wildcards.model).canonical())


def figure_job(study: Study, model: str) -> SearchFigureJob:
    """Return the settings of the figure of the search of a model."""
    searched = study.models[model]
    return SearchFigureJob(model=model, network=searched.network, data=searched.data, plot=study.plot)


def _without_mirrors(model: ModelSettings) -> ModelSettings:
    """Return a trained model without mirrors and seed, which its weights do not depend on."""
    checkpoint = getattr(model, "checkpoint", None)
    if checkpoint is not None:
        model = changed(model, checkpoint=checkpoint.model_copy(update={"mirrors": ()}))
    return changed(model, seed=1)
