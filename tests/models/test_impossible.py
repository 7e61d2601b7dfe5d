"""Rules as structural zeros: classes, levels that express them, and rows that never break one."""

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Clique, Domain, Level
from medsynth.models import MODELS
from medsynth.models.adaptive import Adaptive
from medsynth.models.impossible import (
    ImpossiblePair,
    impossible_pairs,
    separated,
    separates,
    structural_zeros,
)
from medsynth.models.levels import nested_chain
from medsynth.models.model_file import ModelFile, load_model, save_model
from medsynth.privacy import Ledger

SIZES = (12, 3, 2, 5)
DOMAIN = Domain(attributes=tuple(Attribute(name=f"c{k}", size=size) for k, size in enumerate(SIZES)))


def cells(attribute: int, *chosen: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(SIZES[attribute], dtype=bool)
    mask[list(chosen)] = True
    return mask


def together(*parts: tuple[int, tuple[int, ...]]) -> Condition:
    """These cells of these attributes at once."""
    return Condition(boxes=({k: cells(k, *chosen) for k, chosen in parts},))


RULES = (
    together((0, (3, 7)), (2, (1,))),
    together((1, (0,)), (2, (1,))),
    together((0, (3,)), (3, (4,))),
)


class Rows:
    """Rows that obey the rules, one per person."""

    def __init__(self, n: int) -> None:
        codes = np.random.default_rng(1).integers(0, SIZES, (3 * n, len(SIZES)))
        lawful = ~np.any([rule.mask(codes) for rule in RULES], axis=0)
        self.codes = codes[lawful][:n]
        self.domain = DOMAIN
        self.l2 = 1 << 20

    def marginals(self, cliques: list[Clique]) -> list[npt.NDArray[np.int64]]:
        tables = []
        for clique in cliques:
            shape = tuple(level.size for level in clique)
            groups = [level.groups[self.codes[:, int(level.attribute[1:])]] for level in clique]
            flat = np.ravel_multi_index(tuple(groups), shape) if clique else np.zeros(len(self.codes), dtype=np.int64)
            tables.append(np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape) << 20)
        return tables


def fit(rules: tuple[Condition, ...], *, name: str = "adaptive", epsilon: float = 1.0):  # type: ignore[no-untyped-def]
    ledger = Ledger(epsilon, 1e-6, population="t")
    mu = ledger.guarantee.mu
    return MODELS[name]().fit(Rows(2000), ledger, persons=2000, mu=mu, impossible=rules)


def test_a_rule_becomes_a_two_by_two_table_of_classes() -> None:
    (found,) = impossible_pairs(RULES[:1], DOMAIN)
    assert found.pair == (0, 2)
    for code in range(12):
        for flag in range(2):
            allowed = found.allowed[found.classes[0][code], found.classes[1][flag]]
            assert allowed == (not (code in (3, 7) and flag == 1))
    assert found.allowed.shape == (2, 2)


def test_rules_about_one_pair_become_one_table() -> None:
    rules = (together((0, (3,)), (2, (1,))), together((0, (7,)), (2, (1,))))
    (found,) = impossible_pairs(rules, DOMAIN)
    (whole,) = impossible_pairs(RULES[:1], DOMAIN)
    assert np.array_equal(found.allowed, whole.allowed)
    assert np.array_equal(found.classes[0], whole.classes[0])


@pytest.mark.parametrize(
    "rule",
    [
        together((0, (3,))),
        together((0, (3,)), (1, (1,)), (2, (0,))),
        together((0, tuple(range(12))), (2, (0, 1))),
        Condition(boxes=()),
    ],
)
def test_what_is_no_matter_of_two_attributes_is_left_out(rule: Condition) -> None:
    assert impossible_pairs([rule], DOMAIN) == ()


def test_a_rule_of_too_many_classes_is_left_out() -> None:
    wide = Domain(attributes=tuple(Attribute(name=n, size=100) for n in "ab"))
    boxes = tuple({0: np.arange(100) == k, 1: np.arange(100) < k} for k in range(1, 100))
    assert impossible_pairs([Condition(boxes=boxes)], wide) == ()


def test_a_chain_gets_a_coarse_level_for_its_rules_and_stays_nested() -> None:
    mass = np.geomspace(1.0, 1000.0, 12)
    pairs = impossible_pairs(RULES, DOMAIN)
    chain = separated(nested_chain(DOMAIN.attributes[0], mass), 0, pairs)
    assert chain.sizes[0] == 3  # cell 3, cell 7, the others
    assert list(chain.sizes) == sorted(set(chain.sizes))
    assert chain.levels[-1].is_finest
    for coarse, fine in zip(chain.levels, chain.levels[1:], strict=False):
        assert separates(fine, coarse.groups)
    for each in pairs:
        for position, classes in zip(each.pair, each.classes, strict=True):
            assert position != 0 or all(separates(level, classes) for level in chain.levels)


def test_a_chain_that_can_express_its_rules_stays_as_it_is() -> None:
    chain = nested_chain(DOMAIN.attributes[1], np.array([5.0, 1.0, 1.0]))
    assert separated(chain, 1, impossible_pairs(RULES, DOMAIN)) is chain
    other = nested_chain(DOMAIN.attributes[3], np.ones(5))
    assert separated(other, 3, impossible_pairs(RULES[:2], DOMAIN)) is other


def test_zeros_lie_at_the_coarsest_levels_that_express_them() -> None:
    pairs = impossible_pairs(RULES, DOMAIN)
    chains = [
        separated(nested_chain(attribute, np.ones(attribute.size)), k, pairs)
        for k, attribute in enumerate(DOMAIN.attributes)
    ]
    for zero, each in zip(structural_zeros(chains, pairs), pairs, strict=True):
        for (attribute, level), classes in zip(zero.nodes, each.classes, strict=True):
            assert separates(chains[attribute].levels[level], classes)
            assert level == 0 or not separates(chains[attribute].levels[level - 1], classes)
        assert (~zero.allowed).sum() >= 1


@pytest.mark.parametrize("epsilon", [0.05, 1.0])
def test_no_drawn_row_breaks_a_rule(epsilon: float) -> None:
    model = fit(RULES, epsilon=epsilon)
    some = Condition(boxes=({0: cells(0, 3, 7, 8)},))
    for given in (None, some):
        drawn = model.sample(1500, np.random.default_rng(0), given)
        for rule in RULES:
            assert not rule.mask(drawn).any()
            assert model.share(rule) == pytest.approx(0.0, abs=1e-12)


def test_without_its_rules_a_model_breaks_them() -> None:
    drawn = fit(()).sample(1500, np.random.default_rng(0))
    assert sum(rule.mask(drawn).sum() for rule in RULES) > 10


def test_rules_that_leave_nothing_possible_do_not_stop_a_fit() -> None:
    rules = (
        together((1, (0, 1, 2)), (2, (1,))),
        *(together((k, tuple(range(SIZES[k] - 1))), (2, (0,))) for k in (0, 1, 3)),
        together((0, (11,)), (2, (0,))),
        together((0, tuple(range(12))), (2, (0,))),
        together((1, (0,)), (2, (1,))),
    )
    drawn = fit(rules).sample(50, np.random.default_rng(0))
    assert (drawn >= 0).all()
    assert (drawn < np.array(SIZES)).all()


@pytest.mark.parametrize("name", ["independent", "mst"])
def test_baselines_accept_rules_and_leave_them_to_repair(name: str) -> None:
    # So noisy a fit breaks 40 to 300 times; its logarithm is 4 deviations above that of 10.
    drawn = fit(RULES, name=name, epsilon=0.1).sample(1500, np.random.default_rng(0))
    assert sum(rule.mask(drawn).sum() for rule in RULES) > 10


def test_rules_survive_the_model_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = fit(RULES)
    save_model(tmp_path / "m", ModelFile(fitted=model, schema="medsynth: 1\n"))
    loaded = load_model(tmp_path / "m").fitted
    one, other = (m.sample(300, np.random.default_rng(4)) for m in (model, loaded))
    assert one.tobytes() == other.tobytes()
    assert sum(target.allowed is not None for target in loaded.targets) == 3


def test_a_table_of_classes_reads_off_any_level_that_separates_them() -> None:
    rule = ImpossiblePair(
        pair=(0, 1),
        classes=(np.array([0, 1, 1], dtype=np.int32), np.array([0, 1], dtype=np.int32)),
        allowed=np.array([[True, False], [True, True]]),
    )
    chains = [nested_chain(Attribute(name=n, size=k), np.ones(k)) for n, k in (("a", 3), ("b", 2))]
    finest = (len(chains[0].levels) - 1, len(chains[1].levels) - 1)
    assert rule.at(chains, finest).tolist() == [[True, False], [True, True], [True, True]]
    assert Level.finest(Attribute(name="a", size=3)).size == 3


def test_settings_do_not_hold_the_rules() -> None:
    assert "impossible" not in vars(Adaptive())
