import numpy as np

from medsynth.leakage.targets import choose_targets, one_row_each, persons_of, some_rows


def test_members_strangers_and_reference_are_different_persons(compare, world):
    comparison = compare(world[2])
    targets = choose_targets(comparison, 700, np.random.default_rng(0))
    assert (len(targets.members), len(targets.strangers)) == (700, 700)
    assert len(targets.reference) == len(world[1]) - 700
    assert not set(targets.strangers) & set(targets.reference)


def test_reference_is_at_least_half_of_the_holdout(compare, world):
    targets = choose_targets(compare(world[2]), 10**6, np.random.default_rng(0))
    assert len(targets.strangers) == len(targets.members) == len(world[1]) // 2


def test_a_person_is_attacked_once(compare, world):
    train = world[0].assign(person=np.arange(len(world[0])) // 4)
    comparison = compare(world[2], train=train)
    rows = one_row_each(comparison, "train", np.random.default_rng(0))
    persons = persons_of(comparison, "train")[rows]
    assert len(persons) == len(set(persons)) == len(train) // 4


def test_rows_that_the_model_never_saw_are_no_members(compare, world):
    weights = np.r_[np.zeros(1000), np.ones(len(world[0]) - 1000)]
    comparison = compare(world[2], train_weights=weights)
    assert one_row_each(comparison, "train", np.random.default_rng(0)).min() == 1000


def test_some_rows_are_all_or_a_choice():
    rng = np.random.default_rng(0)
    assert some_rows(5, 9, rng).tolist() == [0, 1, 2, 3, 4]
    assert len(set(some_rows(100, 9, rng))) == 9
