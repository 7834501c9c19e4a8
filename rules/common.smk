# Shared by all stages.


wildcard_constraints:
    **STUDY.wildcards,


scattergather:
    shards=STUDY.shards,
