"""The schema of each table between two stages, but for the raw samples of a benchmark."""

from __future__ import annotations

from tocompress.tables import COUNT, FLAG, FLOAT, TEXT, schema

#: Pairs of sentences.
SENTENCES = schema(
    "sentences",
    example=(COUNT, ""),
    source=(TEXT, ""),
    reference=(TEXT, ""),
    template=(TEXT, ""),
    plain_reference=(TEXT, "the reference as published, where `reference` is its tokens"),
)


#: Where each photograph is, and its label.
PHOTOGRAPHS = schema(
    "photographs",
    example=(COUNT, ""),
    file=(TEXT, "the image, or an archive or record file that holds it"),
    offset=(COUNT, "byte"),
    size=(COUNT, "byte"),
    label=(COUNT, "synset, 0..999 in sorted order"),
)


#: Each metric after each epoch; after epoch 0, of the weights that a retraining began with.
HISTORY = schema(
    "history",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    round=(COUNT, ""),  # of pruning, from 1; 0 where a network is trained from initial weights
    learning_rate=(FLOAT, ""),  # at its peak; 0 before the first epoch
    epoch=(COUNT, ""),
    metric=(TEXT, ""),
    value=(FLOAT, ""),
)


#: What was done to each tensor.
COMPRESSION = schema(
    "compression",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    tensor=(TEXT, ""),
    values=(COUNT, "1"),
    bits=(COUNT, "bit"),
    granularity=(TEXT, "tensor or channel"),
    minimum=(FLOAT, "weight"),
    maximum=(FLOAT, "weight"),
    rms_error=(FLOAT, "weight"),
    maximum_error=(FLOAT, "weight"),
    signal_to_noise=(FLOAT, "dB"),
    bytes=(COUNT, "byte"),
)


#: How much each channel matters to the loss: the share of all channels that go before it.
IMPORTANCE = schema(
    "importance",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    channel=(COUNT, ""),
    group=(TEXT, "scope of the first layer that makes the channel"),
    importance=(FLOAT, "1"),
)


#: What each group of channels that go together lost.
PRUNING = schema(
    "pruning",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    group=(TEXT, "scope of the first layer that makes the channels"),
    kind=(TEXT, "filters, units or embedding dimensions"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1"),
)


#: Accuracy without the least important channels of one group alone, a row a group and share; first, without loss.
SENSITIVITY = schema(
    "sensitivity",
    model=(TEXT, ""),
    variant=(TEXT, "that was scanned"),
    group=(TEXT, "scope of the first layer that makes the channels; null for the uncut network"),
    kind=(TEXT, "filters, units or embedding dimensions; null for the uncut network"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1, those silenced"),
    share=(FLOAT, "fraction of the channels that was asked for"),
    metric=(TEXT, "top1, or next_token: the next token is right, given those of the reference before it"),
    value=(FLOAT, "fraction"),
    low=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    high=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    n=(COUNT, "images or tokens of the calibration set"),
)


#: What one inference takes, one row a structure.
STRUCTURE = schema(
    "structure",
    macs=(COUNT, "1"),
)


#: What a device loads, one row a variant.
ARTIFACT = schema(
    "artifact",
    runtime=(TEXT, ""),
    model=(TEXT, ""),
    variant=(TEXT, ""),
    size=(COUNT, "byte"),
    size_deflated=(COUNT, "byte"),
    parameters=(COUNT, "1"),
    macs=(COUNT, "1"),
    sha256=(TEXT, ""),
)


#: The best classes of each image.
IMAGE_PREDICTIONS = schema(
    "image_predictions",
    example=(COUNT, "row of the test set"),
    label=(COUNT, "true class"),
    rank=(COUNT, "1 is the best"),
    predicted=(COUNT, "class"),
    score=(FLOAT, "softmax probability"),
)


#: The translation of each sentence.
SENTENCE_PREDICTIONS = schema(
    "sentence_predictions",
    example=(COUNT, "row of the test set"),
    reference=(TEXT, ""),
    plain_reference=(TEXT, "the reference as published, where `reference` is its tokens"),
    hypothesis=(TEXT, ""),
)


#: Column -> type and unit.
VALUE = {
    "metric": (TEXT, ""),
    "label": (TEXT, "the operation class, or the input"),
    "unit": (TEXT, ""),
    "value": (FLOAT, "see unit"),
    "low": (FLOAT, "see unit"),
    "high": (FLOAT, "see unit"),
    "level": (FLOAT, "confidence level of low..high"),
    "n": (COUNT, "observations"),
    "processes": (COUNT, "fresh processes behind the value"),
    "ratio": (FLOAT, "to fp32, paired"),
    "ratio_low": (FLOAT, "to fp32, paired"),
    "ratio_high": (FLOAT, "to fp32, paired"),
    "converged": (FLAG, "the interval reached its target width"),
    "basis": (TEXT, "measured, estimated or unavailable"),
    "reason": (TEXT, "why a value is unavailable or not converged"),
}


#: Scores of a variant.
METRICS = schema("metrics", runtime=(TEXT, ""), model=(TEXT, ""), variant=(TEXT, ""), **VALUE)


#: One row a value.
STUDY = schema(
    "study",
    model=(TEXT, ""),
    network=(TEXT, ""),
    build=(TEXT, "zoo, published, initial or own"),
    variant=(TEXT, ""),
    methods=(TEXT, "of the variant's techniques, joined by '-'; empty for fp32"),
    bits=(COUNT, "bit, the fewest that a technique stores weights in; null where none quantizes"),
    granularity=(TEXT, "of quantization: one grid a tensor or a channel; null where none quantizes"),
    device=(TEXT, ""),
    processor=(TEXT, "cpu or gpu"),
    runtime=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    dataset=(TEXT, ""),
    **VALUE,
)


#: One row a reading of a claim; numbers are in the row's `unit`, changes with their sign.
CLAIMS = schema(
    "claims",
    claim=(TEXT, "its id in config/claims.yaml"),
    reading=(TEXT, "how the paper's text is read; null: in the only way"),
    section=(TEXT, "of the paper"),
    figure=(TEXT, "of the paper; null: in the text only"),
    statement=(TEXT, ""),
    unit=(TEXT, "%, points, ×, MB, million or the metric's"),
    paper=(FLOAT, "see unit; the lower end of a range; null: the paper states no number, `bound` is of no change"),
    paper_high=(FLOAT, "see unit; the upper end of a range"),
    bound=(TEXT, "about, at most, at least or range"),
    margin=(FLOAT, "see unit; equal within so much"),
    value=(FLOAT, "see unit; this study's, in which `models` says"),
    low=(FLOAT, "see unit; null with `high` where the value is exact or has no interval"),
    high=(FLOAT, "see unit"),
    level=(FLOAT, "confidence level of low..high; null where they are the ends of exact values"),
    n=(COUNT, "models behind the value"),
    verdict=(TEXT, "agrees, same direction, contradicts, undecided, not comparable, not measured or circular"),
    reason=(TEXT, "why this verdict, and what the value lacks"),
    inconsistent_with=(TEXT, "claims of the paper that cannot hold beside this one"),
    models=(TEXT, ""),
)
