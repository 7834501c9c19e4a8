# What all stages share.


wildcard_constraints:
    **STUDY.wildcards,


scattergather:
    shards=STUDY.shards,
