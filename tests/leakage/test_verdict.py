import numpy as np
import pytest

from medsynth.leakage.disclosure import disclosure, f1
from medsynth.leakage.inside import Inside
from medsynth.leakage.verdict import verdict
from medsynth.score import Edition, Evaluation, Score
from medsynth.testing import partial_copy


def told(**chances):
    scores = [
        Score(name=f"leak.{name}.p", value=p, better="higher", edition=Edition.INTERNAL, sentence="")
        for name, p in chances.items()
    ]
    return verdict({"all": Evaluation(scores=tuple(scores))}).scores[0]


def test_one_small_probability_among_many_is_judged_by_their_number():
    innocent = {f"attack_{number}": 0.5 for number in range(19)}
    assert told(copies=0.0004, **innocent).value == pytest.approx(0.008)
    assert told(copies=0.0004, **innocent).sentence.startswith("Doubtful: 'copies'")
    assert told(copies=0.0004).sentence.startswith("LEAK: 'copies'")
    assert told(copies=0.01, **innocent).sentence.startswith("No attack found a leak beyond its control")


def test_attacks_that_could_not_be_run_do_not_count():
    assert told(copies=0.02, membership=None).value == 0.02
    assert told(membership=None).value is None
    assert "nothing is known" in told(membership=None).sentence


def test_figures_and_distances_are_not_tests():
    low = Score(name="leak.linkability.excess", value=0.0, better="lower", edition=Edition.INTERNAL, sentence="")
    assert verdict({"one": Evaluation(scores=(low,))}).scores[0].value is None


def test_copies_hidden_inside_one_subgroup_are_found_there(compare, world, simulated_codec_with_groups, scores):
    women = world[0][world[0]["sex"] == "F"]
    copied = partial_copy(women, 2000, np.random.default_rng(1), share=0.02, rest=world[2])
    found = scores(Inside().evaluate(compare(copied, codec=simulated_codec_with_groups), np.random.default_rng(0)))
    assert found["leak.inside.women.copies.p"].value < 0.001
    assert found["leak.inside.women.copies.p"].sentence.startswith("Among 'women': ")
    assert found["leak.inside.men.copies.p"].value > 0.001


def test_small_groups_are_too_few_to_tell(compare, world, simulated_codec_with_groups, scores):
    comparison = compare(world[2], codec=simulated_codec_with_groups)
    found = scores(Inside().evaluate(comparison, np.random.default_rng(0)))
    assert found["leak.inside.intensive"].value is None
    assert "too few to tell" in found["leak.inside.intensive"].sentence
    assert {name.split(".")[2] for name in found} == {"intensive", "women", "men"}


def test_restricted_comparison_keeps_the_codes_of_its_rows(compare, world):
    whole = compare(world[2])
    whole.codes("train")
    mask = np.arange(len(world[0])) % 3 == 0
    part = whole.restrict({"train": mask})
    assert (part.codes("train") == whole.codec.encode(world[0][mask])).all()


def test_f1_agrees_with_counting_in_a_population():
    # 1,000 persons, 200 in the data: 150 of these named, and 80 of the 800 others.
    precision, recall = 150 / 230, 150 / 200
    assert f1(0.75, 0.1, 0.2) == pytest.approx(2 * precision * recall / (precision + recall))


def test_disclosure_gains_on_a_perfect_attack_and_not_on_a_blind_one():
    rng = np.random.default_rng(0)
    perfect = disclosure(rng.random(1000) + 1, rng.random(1000), 0.1)
    assert perfect.value > 0.95
    assert "10.0%" in perfect.sentence
    blind = disclosure(rng.random(1000), rng.random(1000), None)
    assert blind.value == pytest.approx(0, abs=0.02)
    assert "states no sampling fraction" in blind.sentence
