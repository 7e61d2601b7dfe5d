import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.leakage.linkability import Linkability, chance_of, halves_of
from medsynth.testing import jittered_copy, simulated_schema


def evaluate(comparison):
    return Linkability().evaluate(comparison, np.random.default_rng(0))


@pytest.fixture(scope="module")
def with_roles():
    roles = {"age": "known", "sex": "known", "stay": "known", "ward": "secret", "died": "secret"}
    columns = simulated_schema().model_dump(exclude_none=True)["columns"]
    for name, role in roles.items():
        columns[name]["attacker"] = role
    return Codec(schema=simulated_schema(columns=columns))


@pytest.mark.parametrize("kind", ["full", "jittered"])
def test_copies_link_the_halves_of_people_in_the_data(compare, world, scores, kind):
    released = world[0] if kind == "full" else jittered_copy(world[0], 2000, np.random.default_rng(1))
    found = scores(evaluate(compare(released)))
    assert found["leak.linkability.p"].value < 1e-9
    assert found["leak.linkability.excess"].low > 0.2


@pytest.mark.parametrize("part", [1, 2], ids=["holdout", "second sample"])
def test_tables_without_memory_of_train_pass(compare, world, scores, part):
    # p falls below 0.001 for one fresh draw in 1,000; this one is fixed.
    assert scores(evaluate(compare(world[part])))["leak.linkability.p"].value > 0.001


def test_halves_are_the_declared_roles_or_every_other_column(compare, world, with_roles):
    declared = compare(world[2], codec=with_roles)
    names = declared.domain.names
    known, secret = ([names[place] for place in half] for half in halves_of(declared))
    assert (known, secret) == (["age", "sex", "stay"], ["ward", "died"])
    assert halves_of(compare(world[2])) == (tuple(range(1, 14, 2)), tuple(range(0, 14, 2)))


def test_sentence_says_what_the_attacker_knew_did_and_got(compare, world, with_roles):
    sentence = evaluate(compare(world[2], codec=with_roles)).scores[0].sentence
    assert "Knowing the released rows, age, sex, stay of one person and ward, died" in sentence
    assert all(words in sentence for words in ("nearest to both", "Blind guessing", "four times in five"))


def test_chance_of_sharing_a_row_agrees_with_drawing():
    rng = np.random.default_rng(3)
    drawn = [bool(set(rng.permutation(30)[:4]) & {0, 1, 2, 3}) for _ in range(20_000)]
    assert chance_of(4, 30) == pytest.approx(np.mean(drawn), abs=0.015)  # four standard errors


def test_no_rows_or_too_few_persons_are_told(compare, world):
    assert [score.value for score in evaluate(compare(world[2].iloc[:0])).scores] == [None, None]
    assert [score.value for score in evaluate(compare(world[2], holdout=world[1].iloc[:50])).scores] == [None, None]
