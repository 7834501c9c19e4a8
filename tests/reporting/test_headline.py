"""The headline says in five sentences what the tables say, and what they do not."""

from __future__ import annotations

import pytest
from made_up import NO_SENSOR, SPARSE, make_study, make_unavailable
from report_inputs import make_claims

from tocompress.reporting.headline import headline, in_integers, of_runtimes, representatives
from tocompress.reporting.study import of_runtime


def said(study, claims=None):
    return [
        s.text.replace("\N{NO-BREAK SPACE}", " ") for s in headline(study, make_claims() if claims is None else claims)
    ]


def test_sizes_are_of_full_size_models_where_there_are_any_else_of_reduced_ones(study):
    size, *_ = said(study)
    q8 = study[(study["variant"] == "q8") & (study["metric"] == "size") & (study["build"] == "initial")]
    change = 100 * (q8["ratio"].prod() ** (1 / len(q8)) - 1)
    assert f"{change:.1f} % with q8".replace("-", "−") in size
    assert "n = 3 full-size)" in size
    assert "with p05 (exact, n = 1 full-size)" in size
    assert "n = 3 reduced)" in size.split("with q8-p05")[1]


def test_what_is_not_settled_is_unavailable_or_has_initial_weights_is_said(study):
    _, time, loading, memory, accuracy, _ = said(study)
    assert "dequantized at every inference" in time and "dequantized once" in time
    assert time.endswith("ratios not settled.")
    assert loading.startswith("Loading time on host changes by")
    assert "no clear change" in time
    assert memory.endswith(f"energy is unknown ({NO_SENSOR}).")
    assert accuracy.endswith("3 models with initial weights have none.")


def test_few_bits_are_told_with_a_warning_that_the_zoo_is_kinder(study):
    *_, accuracy, _ = said(study[~study["variant"].isin(["q16", "q8", "q8-p05"])])
    assert "with q6" in accuracy and "docs/zoo.md" in accuracy
    assert not any("docs/zoo.md" in sentence for sentence in said(study))


def test_energy_is_told_where_it_is_known(large_study):
    assert "energy in TensorFlow on host changes by" in said(large_study)[3]


def test_verdicts_are_counted(study):
    claims = make_claims(("agrees", "agrees", "contradicts", "not measured"))
    expected = (
        "Of the 4 numbers that the paper states, 2 agree with this study's, 1 contradicts it and 1 was not measured."
    )
    assert said(study, claims)[-1] == expected
    readings = claims.assign(claim=["one", "one", "two", "two"], paper=[1, 1, None, None])
    assert said(study, readings)[-1] == "Of the 1 number that the paper states, 1 agrees with this study's."
    assert "more" not in said(study, make_claims())[-1]
    assert said(study, claims.assign(claim="one"))[-1].endswith("1 is judged differently in different readings.")
    assert "None" in said(study, claims.iloc[:0])[-1]


def test_another_runtime_has_one_sentence_about_its_integers(study, both):
    alone, beside = said(study), said(both)
    assert len(beside) == len(alone) + 1
    assert beside[0] == alone[0].replace("File size", "File size in TensorFlow")
    litert = beside[5]
    time = both[both["variant"].eq("i8") & both["metric"].eq("latency") & both["build"].eq("initial")]
    time = time[time["label"].isna()]
    change = 100 * (time["ratio"].dropna().pow(1 / 3).prod() - 1)
    assert f"inference time changes by {change:.1f} % with i8, in integers (".replace("-", "−") in litert
    assert litert.startswith("Against fp32 in the same runtime, ") and "ratios not settled" in litert
    assert "accuracy by" in litert and "n = 3 reduced" in litert


def test_a_runtime_is_compared_with_the_first_over_the_same_models(study, both):
    assert of_runtimes(study) == []
    first, second = (text.replace("\N{NO-BREAK SPACE}", " ") for text in of_runtimes(both))
    assert first.startswith("Inference time in TensorFlow on host changes by") and "with q8, dequantized once" in first
    assert "with i8, in integers" in second and "against fp32 in TensorFlow it changes by" in second
    fp32 = both[both["runtime"].eq("litert") & both["variant"].eq("fp32") & both["metric"].eq("latency")]
    fp32 = fp32[fp32["build"].eq("initial") & fp32["across"].notna() & fp32["label"].isna()]
    change = 100 * (fp32["across"].pow(1 / 3).prod() - 1)
    assert f"{change:.1f} % with fp32".replace("-", "−") in second


def test_integers_are_represented_by_8_bits_with_8_bit_activations_if_any(both):
    litert = of_runtime(both, "litert")
    assert in_integers(litert) == "i8"
    assert in_integers(litert[~litert["variant"].isin(["i8"])]) == "dyn8"
    assert in_integers(of_runtime(both, "tensorflow")) is None


@pytest.mark.parametrize("lessen", [make_unavailable, lambda study: study[study["variant"] == "fp32"]])
def test_a_study_with_nothing_to_compare_still_has_six_sentences(study, lessen):
    sentences = said(lessen(study))
    assert len(sentences) == 6
    assert all("is unknown" in sentence and "%" not in sentence for sentence in sentences[:5])


def test_each_way_to_compress_is_represented_by_one_variant(study):
    assert representatives(study) == ["q8", "p05", "q8-p05"]
    assert representatives(make_study(("vgg_16",), ("fp32", "p05", *SPARSE))) == ["p05", "s50", "s50-q8"]
    assert representatives(study[study["variant"].isin(["fp32", "q6", "q16", "p05-q8"])]) == ["q16", "p05-q8"]
