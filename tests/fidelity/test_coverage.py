import numpy as np
import pytest

from medsynth.fidelity.coverage import Coverage, Points, ball_radii, distances, measures


def points(numbers=(), codes=(), n=None):
    n = n or len((*numbers, *codes)[0])
    return Points(
        numbers=np.array(numbers, dtype=np.float32).reshape(len(numbers), n).T,
        codes=np.array(codes, dtype=np.int32).reshape(len(codes), n).T,
        folds=np.arange(n) % 8,
    )


def test_distances_worked_by_hand():
    # Another category is 1 apart, a number by its share, a missing number 1 from any and 0 from another missing one.
    first = points([[0.2, -1.0]], [[0, 1]])
    second = points([[0.5, -1.0, 0.0]], [[0, 1, 1]])
    assert distances(first, second) == pytest.approx(np.array([[0.3, 2.0, 1.2], [2.0, 0.0, 1.0]]))


def test_coverage_and_density_worked_by_hand():
    # Balls around 0, 1, 2 and 9 reach to the nearest other: 1, 1, 1 and 7. Records at 0.5 lie in those of 0 and 1, at 3
    # in those of 2 and 9, at 30 in none: every ball is hit, and 4 hits of 3 records are 4/3 of one each.
    real = points([[0.0, 1.0, 2.0, 9.0]])
    radii = ball_radii(real, neighbours=1)
    assert radii.tolist() == [1, 1, 1, 7]
    found = measures(real, points([[0.5, 3.0, 30.0]]), radii, neighbours=1)[:, 0]
    assert found == pytest.approx([1.0, 4 / 3])
    assert measures(real, points([[30.0, 40.0]]), radii, neighbours=1)[:, 0].tolist() == [0, 0]


def test_coverage_agrees_with_nearest_neighbours_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(300, 1)), rng.normal(0.5, 1, (200, 1))
    real -= real.min() - 1
    other += 5
    index = NearestNeighbors(n_neighbors=6, metric="manhattan").fit(real.astype(np.float32))
    radii = index.kneighbors()[0][:, 4]
    apart = np.abs(real.astype(np.float32) - other.astype(np.float32).T)
    expected = (apart <= radii[:, None] + 1e-6).any(axis=1).mean()
    found = measures(points([real[:, 0]]), points([other[:, 0]]), ball_radii(points([real[:, 0]])))
    assert found[0, 0] == pytest.approx(expected)


def test_one_kind_of_person_alone_covers_little_but_is_dense(compare, world, scores):
    third = world[2]
    one = third[third["ward"] == third["ward"].mode()[0]]
    copies = one.iloc[np.resize(np.arange(40), len(third))].reset_index(drop=True)
    found = scores(Coverage(most=600).evaluate(compare(copies), np.random.default_rng(0)))
    assert found["fidelity.coverage"].value < 0.6 * found["fidelity.coverage"].ceiling
    assert found["fidelity.density"].value > 0.6 * found["fidelity.density"].ceiling


def test_too_few_records_are_told_and_not_scored(compare, world):
    found = Coverage().evaluate(compare(world[2].iloc[:20]), np.random.default_rng(0))
    assert [score.value for score in found.scores] == [None, None]
