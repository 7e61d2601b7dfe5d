"""How probable a row is under a model's tree."""

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import Node
from medsynth.models.tree_rows import positive


def log_likelihood(model: GraphicalModel, codes: IntArray) -> npt.NDArray[np.float64]:
    """Logarithm of every row's probability; -inf where the tree has none.

    Args:
      model: The tree's probabilities of groups, times the share of a cell in its group.
      codes: Finest cells, shape (n, attributes).
    """
    calibrated, tree = model.calibrated, model.tree

    def groups(nodes: "tuple[Node, ...]") -> tuple[IntArray, ...]:
        return tuple(tree.chains[a].levels[level].groups[codes[:, a]] for a, level in nodes)

    found = np.zeros(len(codes))
    with np.errstate(divide="ignore"):
        for clique, separator, belief, shared in zip(
            tree.cliques, tree.separators, calibrated.beliefs, calibrated.separator_beliefs, strict=True
        ):
            found += np.log(belief[groups(tuple(clique))])
            # Where a separator has no probability, neither has the clique: that says it already.
            between = shared[groups(tuple(separator))] if separator else np.ones(1)
            found -= np.log(np.where(between > 0, between, 1.0))
        for attribute, (chain, one_way) in enumerate(zip(tree.chains, model.one_ways, strict=True)):
            level = chain.levels[tree.finest[attribute]]
            weights = positive(one_way, level, None)
            within = weights / np.bincount(level.groups, weights, level.size)[level.groups]
            found += np.log(within[codes[:, attribute]])
    return found
