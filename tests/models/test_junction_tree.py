import numpy as np

from medsynth.models.junction_tree import Merge, shared_nodes


def test_merge_sums_scattered_groups():
    merge = Merge.of(np.array([1, 0, 1]), 2)
    np.testing.assert_array_equal(merge.sum(np.array([[1.0, 2.0, 4.0]]), 1), [[2.0, 5.0]])


def test_merge_leaves_an_empty_group_at_zero():
    merge = Merge.of(np.array([2, 0, 2]), 4)
    np.testing.assert_array_equal(merge.sum(np.array([1.0, 2.0, 4.0]), 0), [2.0, 0.0, 5.0, 0.0])


def test_shared_nodes_take_the_coarser_level():
    assert shared_nodes(((0, 3), (2, 1)), ((0, 1), (1, 0), (2, 4))) == ((0, 1), (2, 1))


def test_embedding_sums_and_spreads_as_written_out(case):
    for clique, belief in zip(case.tree.cliques, case.calibrated.beliefs, strict=True):
        inner = tuple((a, 0) for a, _ in reversed(clique))
        embedding = case.tree.embedding(clique, inner)
        np.testing.assert_allclose(embedding.sum(belief), case.marginal(inner), atol=1e-12)
        # Summing is the transpose of spreading: <sum(t), u> = <t, spread(u)>.
        table = np.random.default_rng(0).normal(size=embedding.sum(belief).shape)
        assert np.isclose((embedding.sum(belief) * table).sum(), (belief * embedding.spread(table)).sum())
