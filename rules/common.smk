# What all stages share.


wildcard_constraints:
    **STUDY.wildcards,
