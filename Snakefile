# The front door: reads the config, includes the stages, names the targets.
import os
import sys

# The library needs no installation. Snakemake passes this path on to scripts, in conda environments too.
sys.path.insert(0, os.path.join(workflow.basedir, "workflow"))
# In a job of a cluster this names the submitter's process, but the job may outlive it.
os.environ.pop("TOCOMPRESS_RUN", None)

from snakemake.settings.types import DeploymentMethod

from tocompress import head, paths, running, surroundings

surroundings.settle()

from tocompress.plan import plan
from tocompress.provenance import record
from tocompress.vocabulary.variants import BASELINE


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


STUDY = plan(config, workflow.configfiles, lambda: workflow.non_local_exec)
PATHS = STUDY.paths

running.announce()
record.announce(workflow)


# Snakemake hands it to jobs on machines that are sent the sources without their history.
envvars:
    "TOCOMPRESS_COMMIT",


# A job of a cluster reads this file again and must not clear.
if workflow.remote_exec:
    running.end_with_head()
elif workflow.is_main_process and not workflow.output_settings.dryrun:
    head.clear()


# Snakemake stores the text of a rule's environment with each result, 260 KB each, also where no conda is used. The
# linter looks for an environment in each rule.
WITH_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method or "--lint" in sys.argv
ENVIRONMENT = "../envs/environment.yaml" if WITH_CONDA else None


# Each board measures one thing at a time. A profile's resources would be gone once the command line names any.
for board in STUDY.boards.values():
    workflow.register_resource(board, 1)


include: "rules/common.smk"
include: "rules/acquire.smk"
include: "rules/compress.smk"
include: "rules/export.smk"
include: "rules/benchmark.smk"
include: "rules/evaluate.smk"
include: "rules/aggregate.smk"
include: "rules/plot.smk"
include: "rules/sensitivity.smk"
include: "rules/search.smk"
include: "rules/zoo.smk"
include: "rules/devices.smk"
include: "rules/check_model.smk"
include: "rules/bundle.smk"
include: "rules/publish.smk"
include: "rules/compare.smk"
include: "rules/verify.smk"


onstart:
    if workflow.is_main_process:
        head.begin(elsewhere=workflow.non_local_exec)
        if workflow.non_local_exec:
            STUDY.check_cluster(workflow.dag.needrun_jobs())


rule all:
    default_target: True
    input:
        PATHS.report,
        PATHS.study,
        PATHS.claims,
        STUDY.figures(),


rule zoo:
    input:
        STUDY.zoo,
