"""All tables between stages, except the raw samples of a benchmark."""

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


#: The place of each photograph, and its label.
PHOTOGRAPHS = schema(
    "photographs",
    example=(COUNT, ""),
    file=(TEXT, "the image, or an archive or record file that holds it"),
    offset=(COUNT, "byte"),
    size=(COUNT, "byte"),
    label=(COUNT, "synset, 0..999 in sorted order"),
)


#: Each picture of a user's folders, and its class.
PICTURES = schema(
    "pictures",
    example=(COUNT, ""),
    file=(TEXT, ""),
    size=(COUNT, "byte"),
    digest=(TEXT, "first 16 digits of the file's sha256, so that the table changes with every picture"),
    label=(COUNT, "output of the model for this class, from 0"),
    class_name=(TEXT, ""),
    classes=(COUNT, "number of classes"),
)


#: Each metric after each epoch. Epoch 0 stands for the weights before retraining.
HISTORY = schema(
    "history",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    round=(COUNT, ""),  # of pruning, from 1, or 0 where a network is trained from initial weights
    learning_rate=(FLOAT, ""),  # at its peak, or 0 before the first epoch
    epoch=(COUNT, ""),
    metric=(TEXT, ""),
    value=(FLOAT, ""),
)


#: The compression of each tensor, and its error.
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


#: The harm of quantization, one kernel at a time at each number of bits. All others are floats.
QUANTIZATION_SENSITIVITY = schema(
    "quantization_sensitivity",
    model=(TEXT, ""),
    variant=(TEXT, "that was scanned"),
    tensor=(TEXT, "the kernel that alone is quantized (null: all are, or none where `bits` is null)"),
    bits=(COUNT, "bit (null: nothing is quantized)"),
    granularity=(TEXT, "tensor or channel"),
    values=(COUNT, "1, weights that are quantized"),
    signal_to_noise=(FLOAT, "dB, of the weights over their rounding errors"),
    kurtosis=(FLOAT, "1, of the weights (3: normal)"),
    clipped=(FLOAT, "fraction of the weights beyond the grid"),
    divergence=(FLOAT, "nat, mean Kullback-Leibler divergence of the outputs from the uncompressed network's"),
    metric=(TEXT, "top1, or next_token: the next token is right after the reference's tokens"),
    value=(FLOAT, "fraction"),
    change=(FLOAT, "fraction, the value less the uncompressed network's"),
    change_low=(FLOAT, "fraction, 95 % interval, paired by examples"),
    change_high=(FLOAT, "fraction, 95 % interval, paired by examples"),
    n=(COUNT, "images or tokens of the calibration set"),
)


#: Each metric of each configuration in each trial of a search.
CANDIDATES = schema(
    "candidates",
    model=(TEXT, ""),
    trial=(COUNT, "number of the round"),
    judging=(FLAG, "the round judged the last candidates, on examples and in a session that chose nothing"),
    variant=(TEXT, ""),
    share=(FLOAT, "fraction of the filters that is removed"),
    arithmetic=(TEXT, "how quantized operations compute"),
    bits=(TEXT, "bits of each group of kernels (empty: floats)"),
    metric=(TEXT, ""),
    unit=(TEXT, ""),
    value=(FLOAT, ""),
    low=(FLOAT, ""),
    high=(FLOAT, ""),
    change=(FLOAT, "to fp32: a ratio of costs and sizes, a difference of accuracies"),
    change_low=(FLOAT, "to fp32, paired"),
    change_high=(FLOAT, "to fp32, paired"),
    level=(FLOAT, "fraction, of each interval"),
    n=(COUNT, "examples, generations of processes, or resamples"),
    chosen=(FLAG, ""),
)


#: How much each channel matters to the loss: the share of all channels that are removed before it.
IMPORTANCE = schema(
    "importance",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    channel=(COUNT, ""),
    group=(TEXT, "scope of the first layer that makes the channel"),
    importance=(FLOAT, "1"),
)


#: The losses of each group of channels. The channels of a group are removed together.
PRUNING = schema(
    "pruning",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    group=(TEXT, "scope of the first layer that makes the channels"),
    kind=(TEXT, "filters, units or embedding dimensions"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1"),
)


#: Accuracy without the least important channels of one group, a row per group and share. The first row is uncut.
SENSITIVITY = schema(
    "sensitivity",
    model=(TEXT, ""),
    variant=(TEXT, "that was scanned"),
    group=(TEXT, "scope of the first layer that makes the channels (null: uncut network)"),
    kind=(TEXT, "filters, units or embedding dimensions (null: uncut network)"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1, channels silenced"),
    share=(FLOAT, "fraction of the channels that was asked for"),
    metric=(TEXT, "top1, or next_token: the next token is right after the reference's tokens"),
    value=(FLOAT, "fraction"),
    low=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    high=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    n=(COUNT, "images or tokens of the calibration set"),
)


#: The cost of one inference, one row per structure.
STRUCTURE = schema(
    "structure",
    macs=(COUNT, "1"),
)


#: The place of each weight in a structure's flatbuffer. A weight that is cut into parts has several rows.
PLACES = schema(
    "places",
    weight=(TEXT, ""),
    subgraph=(COUNT, ""),
    tensor=(COUNT, ""),
    layout=(TEXT, "same, transposed, or the direction and length of an attention vector"),
    start=(COUNT, "first row of the weight that lies there"),
    stop=(COUNT, "row after the last one"),
)


#: The least and the largest value of each tensor of activations for each calibration image.
EXTREMES = schema(
    "extremes",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    tensor=(COUNT, "in the flatbuffer"),
    example=(COUNT, "number of the image"),
    low=(FLOAT, "activation"),
    high=(FLOAT, "activation"),
)


#: The file that a device loads, one row per variant.
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
    "change": (FLOAT, "of an accuracy: the value less fp32's, paired, see unit"),
    "change_low": (FLOAT, "likewise"),
    "change_high": (FLOAT, "likewise"),
    "across": (FLOAT, "to fp32 of the study's first runtime, paired (null: the first runtime)"),
    "across_low": (FLOAT, "likewise"),
    "across_high": (FLOAT, "likewise"),
    "settled": (FLAG, "the value's interval is within the target width, and the machine held still"),
    "ratio_settled": (FLAG, "the ratio's interval is within the target width"),
    "basis": (TEXT, "measured, estimated or unavailable"),
    "reason": (TEXT, "why a value is unavailable, or why it or its ratio is not settled"),
}


#: Scores of a variant.
METRICS = schema("metrics", runtime=(TEXT, ""), model=(TEXT, ""), variant=(TEXT, ""), **VALUE)


#: One row per value.
STUDY = schema(
    "study",
    model=(TEXT, ""),
    network=(TEXT, ""),
    build=(TEXT, "zoo, published, initial or own"),
    variant=(TEXT, ""),
    methods=(TEXT, "of the variant's techniques, joined by '-' (empty: fp32)"),
    bits=(COUNT, "bit, of a stored weight, but for kernels to keep (null: mixed, or not quantized)"),
    granularity=(TEXT, "of quantization: one grid per tensor or per channel (null: not quantized)"),
    options=(TEXT, "of quantization beside its grid: range mse, rounding learned, mixed bits, ... (null: none)"),
    activations=(TEXT, "of quantization: 8 bits, or dynamic (null: activations are floats)"),
    device=(TEXT, ""),
    processor=(TEXT, "cpu or gpu"),
    runtime=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute (null: makes no difference)"),
    dataset=(TEXT, ""),
    **VALUE,
)


#: One row per reading of a claim. Numbers are in the row's `unit`, and changes have a sign.
CLAIMS = schema(
    "claims",
    claim=(TEXT, "its id in config/claims.yaml"),
    reading=(TEXT, "how the paper's text is read (null: only one way is possible)"),
    section=(TEXT, "of the paper"),
    figure=(TEXT, "of the paper (null: only in the text)"),
    statement=(TEXT, ""),
    unit=(TEXT, "%, points, ×, MB, million or the metric's"),
    paper=(FLOAT, "see unit, the lower end of a range (null: no number, and `bound` is around no change)"),
    paper_high=(FLOAT, "see unit, the upper end of a range"),
    bound=(TEXT, "about, at most, at least or range"),
    margin=(FLOAT, "see unit, the distance within which numbers are equal"),
    value=(FLOAT, "see unit, from this study and its `models`"),
    low=(FLOAT, "see unit (null like `high`: exact value or no interval)"),
    high=(FLOAT, "see unit"),
    level=(FLOAT, "confidence level of low..high (null: ends of exact values)"),
    n=(COUNT, "models behind the value"),
    verdict=(TEXT, "agrees, same direction, contradicts, undecided, not comparable, not measured or circular"),
    reason=(TEXT, "why this verdict, and anything that the value lacks"),
    inconsistent_with=(TEXT, "claims of the paper that cannot be true together with this one"),
    models=(TEXT, ""),
)


#: One row per value of two studies. `here` is the study that compares, `there` the other one.
COMPARED = schema(
    "compared",
    model=(TEXT, ""),
    variant=(TEXT, ""),
    device=(TEXT, "here (null: sizes and accuracies)"),
    other_device=(TEXT, "there"),
    runtime=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute (null: makes no difference)"),
    dataset=(TEXT, "here"),
    metric=(TEXT, ""),
    label=(TEXT, "inputs of a batch, or how a score was computed"),
    quantity=(TEXT, "value, or ratio to fp32 of the same session"),
    unit=(TEXT, "of here and there"),
    here=(FLOAT, "see unit"),
    there=(FLOAT, "see unit"),
    ratio=(FLOAT, "here / there, of costs and sizes"),
    ratio_low=(FLOAT, "likewise (null: exact, or too few observations)"),
    ratio_high=(FLOAT, "likewise"),
    change=(FLOAT, "here - there of accuracies, see unit"),
    change_low=(FLOAT, "likewise"),
    change_high=(FLOAT, "likewise"),
    level=(FLOAT, "confidence level of each interval alone (null: exact)"),
    n_here=(COUNT, "generations of processes, processes or examples"),
    n_there=(COUNT, "likewise"),
    chance=(FLOAT, "probability of such a difference by chance, corrected for all rows (Benjamini and Hochberg)"),
    artifact=(TEXT, "same or another, by its digest (null: unknown)"),
    verdict=(TEXT, "slower, faster, more, less, larger, smaller, worse, better, undecided, equal or not comparable"),
    reason=(TEXT, "why the row is not comparable, or how far"),
)
