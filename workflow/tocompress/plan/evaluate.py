"""Evaluate: the artifact itself is run on the test set."""

from __future__ import annotations

from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards, any_of
from tocompress.runtimes import module
from tocompress.settings.data import Folders, Wmt
from tocompress.settings.evaluation import Prediction
from tocompress.settings.jobs import PredictJob, ScoreJob


class Evaluate(Stage):
    """The rules of rules/evaluate.smk."""

    # Rules predict, predict_shard and gather

    @property
    def shards(self) -> int:
        """Return the number of jobs that share a test set."""
        return self.study.evaluation.prediction.shards

    def predicted(self, *, whole: bool) -> str:
        """Return a pattern of the models whose test set is one job a variant (`whole`), or is shared."""
        return any_of(self.study.study.models if whole == (self.shards == 1) else ())

    def judged_set(self, wildcards: Wildcards) -> str:
        """Return the file of the examples that accuracy is judged on."""
        return self.dataset(wildcards.model, self.study.evaluation.prediction.split)

    @property
    def predict(self) -> Parameters:
        return self.parameters("predict.py", self._predict_job, lambda job: [module(job.runtime, "session")])

    def artifact(self, wildcards: Wildcards) -> str:
        """Return the artifact of a variant for a runtime."""
        return self.paths.artifact(wildcards.runtime).format(model=wildcards.model, variant=wildcards.variant)

    def _predict_job(self, wildcards: Wildcards) -> str:
        model = self.run_model(wildcards)
        size = "batch_size" if model.task == "classification" else "sentences"
        prediction = Prediction(**self.study.evaluation.prediction.model_dump(include={size, "examples"}))
        return PredictJob(
            runtime=wildcards.runtime, model=model, data=self.examples(wildcards), prediction=prediction
        ).canonical(exclude=SPLITS)

    @property
    def gather(self) -> Parameters:
        return self.parameters("gather.py")

    # Rule score

    def classes(self, wildcards: Wildcards) -> list[str]:
        """Return the table of the judged examples, where it names its classes."""
        named = isinstance(self.study.data[self.model(wildcards).data], Folders)
        return [self.judged_set(wildcards)] if named else []

    @property
    def score(self) -> Parameters:
        return self.parameters("score.py", self._score_job)

    def _score_job(self, wildcards: Wildcards) -> str:
        model = self.model(wildcards)
        data = self.study.data[model.data]
        language = data.languages[1] if isinstance(data, Wmt) else None
        return ScoreJob(task=model.task, scores=self.study.evaluation.scores, language=language).canonical()
