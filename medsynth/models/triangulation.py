"""Which cliques of nodes fit one junction tree, and how many cells it takes: elimination on bit
masks.

The nodes of the graph are the (attribute, level) pairs in use. Those of one attribute are tied by
edges from level to level, coarse to fine, and stand next to each other in a mask, coarse below
fine: the highest bit of an attribute is its axis, the lower ones come for free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from medsynth.models.levels import Chain

Node = tuple[int, int]


def clique_cells(chains: Sequence[Chain], nodes: Sequence[Node]) -> int:
    """Cells of a clique's table: one axis per attribute, at its finest level among the nodes."""
    finest: dict[int, int] = {}
    for attribute, level in nodes:
        finest[attribute] = max(level, finest.get(attribute, 0))
    cells = 1
    for attribute, level in finest.items():
        cells *= chains[attribute].levels[level].size
    return cells


def tree_cells(chains: Sequence[Chain], cliques: Sequence[Sequence[Node]], *, cap: int) -> int | None:
    """Cells of the tree of these cliques, as `JunctionTree.build(...).cells`; None if
    above cap.

    Args:
      chains: Levels of every attribute.
      cliques: Nodes that must lie together.
      cap: Elimination stops as soon as the tree is known to be larger.
    """
    found = _eliminate(_Graph.of(chains, cliques), cap)
    return None if found is None else found[1]


def maximal_cliques(chains: Sequence[Chain], cliques: Sequence[Sequence[Node]]) -> list[tuple[Node, ...]]:
    """Cliques of the triangulated graph, none inside another; of an attribute the finest node."""
    graph = _Graph.of(chains, cliques)
    found = _eliminate(graph, None)
    assert found is not None  # only a cap can stop the elimination
    return [graph.axes(clique) for clique in found[0]] or [()]


def join(cliques: Sequence[tuple[Node, ...]]) -> tuple[list[int], list[int]]:
    """Joins maximal cliques where they share most nodes.

    Returns:
      (order, parents): the cliques' positions, root first, and per place in this order the place of
      its parent (-1).

    Source: Jensen and Jensen (1994): a spanning tree of largest separators has the running
      intersection property.
    """
    levels = [dict(clique) for clique in cliques]
    order, parents = [0], [-1]
    best = {k: (_common(levels[0], levels[k]), 0) for k in range(1, len(cliques))}
    while best:
        nearest = max(best, key=lambda k: (best[k][0], -k))
        parents.append(best.pop(nearest)[1])
        order.append(nearest)
        for k, (weight, _) in best.items():
            common = _common(levels[nearest], levels[k])
            if common > weight:
                best[k] = (common, len(order) - 1)
    return order, parents


def _common(first: dict[int, int], second: dict[int, int]) -> int:
    """How many nodes two cliques share, every coarser level of an attribute counted."""
    return sum(min(level, second[a]) + 1 for a, level in first.items() if a in second)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Graph:
    """Nodes as bits.

    Attributes:
      nodes: Node of each bit, ascending.
      sizes: Groups of each bit's level.
      own: Per bit, this and all coarser bits of its attribute.
      finer: Per bit, all finer bits of its attribute.
      before: Per bit, all bits of earlier attributes.
      neighbours: Per bit, the bits it is tied to, itself included.
    """

    nodes: list[Node]
    sizes: list[int]
    own: list[int]
    finer: list[int]
    before: list[int]
    neighbours: list[int]

    @classmethod
    def of(cls, chains: Sequence[Chain], cliques: Sequence[Sequence[Node]]) -> "_Graph":
        used = {node for clique in cliques for node in clique}
        present = {attribute for attribute, _ in used}
        used.update((a, len(chain.levels) - 1) for a, chain in enumerate(chains) if a not in present)
        nodes = sorted(used)
        bits = {node: 1 << place for place, node in enumerate(nodes)}
        own: list[int] = []
        before: list[int] = []
        neighbours: list[int] = []
        for place, (attribute, _) in enumerate(nodes):
            same = place > 0 and nodes[place - 1][0] == attribute
            before.append(before[-1] if same else (1 << place) - 1)
            own.append((1 << place) | (own[-1] if same else 0))
            neighbours.append(1 << place)
            if same:
                neighbours[place] |= 1 << (place - 1)
                neighbours[place - 1] |= 1 << place
        graph = cls(
            nodes=nodes,
            sizes=[chains[a].levels[level].size for a, level in nodes],
            own=own,
            finer=_finer(own, nodes),
            before=before,
            neighbours=neighbours,
        )
        for clique in cliques:
            graph._tie(clique, bits)
        return graph

    def _tie(self, clique: Sequence[Node], bits: dict[Node, int]) -> None:
        mask = 0
        for node in clique:
            mask |= bits[node]
        for node in clique:
            self.neighbours[bits[node].bit_length() - 1] |= mask

    def cells(self, mask: int) -> int:
        """Cells of a clique given as a mask."""
        cells = 1
        while mask:
            top = mask.bit_length() - 1
            cells *= self.sizes[top]
            mask &= self.before[top]
        return cells

    def closed(self, mask: int) -> int:
        """The clique with every coarser level it holds for free."""
        closed = 0
        while mask:
            top = mask.bit_length() - 1
            closed |= self.own[top]
            mask &= self.before[top]
        return closed

    def axes(self, mask: int) -> tuple[Node, ...]:
        """The finest node of each attribute in a clique, by attribute."""
        found = []
        while mask:
            top = mask.bit_length() - 1
            found.append(self.nodes[top])
            mask &= self.before[top]
        return tuple(reversed(found))


def _eliminate(graph: _Graph, cap: int | None) -> tuple[list[int], int] | None:
    """Removes the node with the smallest clique again and again.

    Returns:
      (maximal cliques as closed masks, their cells), or None once their cells exceed the cap.
    """
    neighbours = list(graph.neighbours)
    costs = {bit: graph.cells(mask) for bit, mask in enumerate(neighbours)}
    found: list[int] = []
    total = 0
    while costs:
        bit = min(costs, key=costs.__getitem__)
        cost = costs.pop(bit)
        clique = neighbours[bit]
        closed = graph.closed(clique)
        # With a finer node of the attribute around, the clique lies inside a later one.
        inside_later = clique & graph.finer[bit]
        if not inside_later and not any(closed & ~other == 0 for other in found):
            found.append(closed)
            total += cost
            if cap is not None and total > cap:
                return None
        _remove(graph, neighbours, costs, bit)
    return found, total


def _finer(own: list[int], nodes: list[Node]) -> list[int]:
    """Per bit, the finer bits of its attribute."""
    whole = {attribute: own[place] for place, (attribute, _) in enumerate(nodes)}
    return [whole[attribute] & ~own[place] for place, (attribute, _) in enumerate(nodes)]


def _remove(graph: _Graph, neighbours: list[int], costs: dict[int, int], bit: int) -> None:
    """Ties the neighbours of a node to each other and forgets the node."""
    rest = neighbours[bit] & ~(1 << bit)
    left = rest
    while left:
        top = left.bit_length() - 1
        left &= ~(1 << top)
        tied = (neighbours[top] | rest) & ~(1 << bit)
        if tied != neighbours[top]:
            neighbours[top] = tied
            costs[top] = graph.cells(tied)
