# What all stages share.


wildcard_constraints:
    model="[a-z][a-z0-9_]*",
    variant="[a-z][a-z0-9_]*(-[a-z][a-z0-9_]*)*",
    structure="[a-z][a-z0-9_]*(-[a-z][a-z0-9_]*)*",
    device="[a-z][a-z0-9_]*",
    dataset="[a-z][a-z0-9_]*",
    split="train|calibration|test",
    figure="[a-z][a-z0-9_]*",
