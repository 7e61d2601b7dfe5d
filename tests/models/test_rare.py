"""Rare conditions: which share a price, what is measured inside them, and what the tree says there afterwards."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Domain, Level
from medsynth.models.adaptive import Adaptive
from medsynth.models.base import Part, RareTarget
from medsynth.models.given import one_ways_given
from medsynth.models.graphical import GraphicalModel
from medsynth.models.pieces import pieces_given
from medsynth.models.rare_groups import BELOW, UNMEASURED, grade_of
from medsynth.models.rare_plan import COUNTS, INSIDE, Inside, exclusive_classes, noise_cost
from medsynth.models.rare_shares import InsideTable, updated_shares
from medsynth.models.tilt import tilt
from medsynth.privacy import Ledger
from medsynth.privacy.measurement import Measurement

from .conftest import CodedRecords, random_case

FloatArray = npt.NDArray[np.float64]
SIZES = (6, 4, 3, 5, 2)


def box(sizes: Sequence[int] = SIZES, **cells: Sequence[int]) -> Condition:
    """Rows whose columns a0, a1, ... fall into the cells."""
    masks = {int(name[1:]): np.isin(np.arange(sizes[int(name[1:])]), members) for name, members in cells.items()}
    return Condition(boxes=(masks,))


def target(condition: Condition, name: str = "rare", columns: Sequence[int] = (2, 3, 4)) -> RareTarget:
    return RareTarget(name=name, condition=condition, columns=tuple(columns))


def rows(n: int = 12_000) -> CodedRecords:
    """Five independent columns, but where the first is 4 and the second 1 (2.5 % of the rows) the others are turned
    round, of which a pair shows a part only.
    """
    rng = np.random.default_rng(11)
    columns = [rng.choice(6, n, p=[0.3, 0.25, 0.2, 0.12, 0.1, 0.03]), rng.choice(4, n, p=[0.5, 0.25, 0.15, 0.1])]
    turned = (columns[0] == 4) & (columns[1] == 1)
    for size in SIZES[2:]:
        usual = np.minimum(rng.geometric(0.5, n) - 1, size - 1)
        columns.append(np.where(turned, size - 1 - usual, usual))
    domain = Domain(attributes=tuple(Attribute(name=f"a{k}", size=size) for k, size in enumerate(SIZES)))
    return CodedRecords(domain=domain, codes=np.stack(columns, axis=1).astype(np.int32))


def fitted(records: CodedRecords, rare: Sequence[RareTarget] = (), mu: float = 0.6) -> tuple[GraphicalModel, Ledger]:
    ledger = Ledger(50.0, 1e-6)
    return Adaptive().fit(records, ledger, persons=len(records.codes), mu=mu, rare=rare), ledger


RARE = box(a0=[4], a1=[1])
KNOWN, BOOK = fitted(rows(), [target(RARE)])


def inside_error(model: GraphicalModel, records: CodedRecords, condition: Condition = RARE) -> float:
    """Mean total variation of the one-ways inside, real against 20,000 drawn."""
    real = records.codes[condition.mask(records.codes)]
    drawn = model.sample(20_000, np.random.default_rng(1), condition, edited=False)
    shares = [
        [np.bincount(codes[:, k], minlength=size) / len(codes) for k, size in enumerate(SIZES) if k > 1]
        for codes in (real, drawn)
    ]
    return float(np.mean([0.5 * np.abs(a - b).sum() for a, b in zip(*shares, strict=True)]))


def test_conditions_of_one_column_exclude_each_other_and_of_two_columns_may_meet() -> None:
    conditions = [box(a0=[1]), box(a1=[0]), box(a0=[2, 3]), box(a0=[3, 4]), box(a0=[0], a1=[1])]
    assert exclusive_classes([target(each) for each in conditions]) == [[0, 2, 4], [1], [3]]


def test_a_fit_with_rare_conditions_spends_what_one_without_does() -> None:
    spent = math.fsum(entry.mu**2 for entry in BOOK.entries)
    assert spent == pytest.approx(0.6**2, rel=1e-4)
    assert spent <= 0.6**2 * (1 + 1e-9)
    parts = {entry.label: entry.mu**2 for entry in BOOK.entries}
    assert parts[COUNTS] == pytest.approx(0.1 * 0.15 * 0.36, rel=1e-6)
    assert parts[INSIDE] == pytest.approx(0.9 * 0.15 * 0.36, rel=1e-6)


def test_conditions_that_exclude_each_other_share_the_budget() -> None:
    def noise(*conditions: Condition) -> list[float]:
        targets = [target(each, str(k)) for k, each in enumerate(conditions)]
        _, ledger = fitted(rows(), targets)
        return [entry.sigma_low for entry in ledger.entries if entry.label == COUNTS]

    alone, exclusive, meeting = noise(box(a0=[4])), noise(box(a0=[4]), box(a0=[5])), noise(box(a0=[4]), box(a1=[1]))
    assert alone == pytest.approx(exclusive)
    assert meeting == pytest.approx([math.sqrt(2) * alone[0]] * 2)


def test_what_the_pairs_cannot_tell_of_a_rare_condition_its_own_tables_do() -> None:
    # In 20 fits each the tables left 0.01 to 0.04, the pairs alone 0.18 to 0.20.
    records = rows()
    without, _ = fitted(records, mu=0.6)
    assert inside_error(KNOWN, records) < 0.5 * inside_error(without, records)
    (group,) = KNOWN.rare
    true = int(RARE.mask(records.codes).sum())
    assert abs(group.counted - true) < 5 * group.error  # fails with probability below 1e-6
    assert (group.name, group.columns, group.grade) == ("rare", (2, 3, 4), "supported")
    assert group.expected_error is not None
    assert 0 < group.expected_error < 0.1
    assert KNOWN.knowledge("rare") == replace(KNOWN.knowledge("rare"), grade="supported", columns=3)
    assert KNOWN.knowledge("other") is None


def test_drawn_rows_have_the_condition_as_often_as_it_was_counted() -> None:
    (group,) = KNOWN.rare
    share = group.persons / KNOWN.total
    assert KNOWN.share(RARE) == pytest.approx(share)
    assert KNOWN.count(RARE) == (group.counted, group.error)
    drawn = KNOWN.sample(12_000, np.random.default_rng(3))
    assert abs(float(RARE.mask(drawn).mean()) - share) < 2 / 12_000


def test_pieces_make_up_the_population_and_every_marginal() -> None:
    pieces = pieces_given(KNOWN, None)
    assert sum(piece.share for piece in pieces) == pytest.approx(1.0)
    levels = [Level.finest(attribute) for attribute in KNOWN.domain.attributes]
    pair = KNOWN.marginal((levels[0], levels[3]))
    assert pair.sum() == pytest.approx(1.0)
    for one, other in product(range(6), range(5)):
        assert pair[one, other] == pytest.approx(KNOWN.share(box(a0=[one], a3=[other])))


def test_overlapping_conditions_are_cut_into_disjoint_pieces() -> None:
    first, second = box(a0=[5]), box(a1=[3], a4=[1])
    model, _ = fitted(rows(), [target(first, "one"), target(second, "two", (2, 3))])
    kinds = [(piece.condition, piece.share) for piece in model.pieces]
    assert len(kinds) == 3
    codes = np.array(list(product(*map(range, SIZES))), dtype=np.int32)
    held = np.sum([condition.mask(codes) for condition, _ in kinds if condition is not None], axis=0)
    assert (held == 1).all()
    assert sum(share for _, share in kinds) == pytest.approx(1.0)
    drawn = model.sample(6_000, np.random.default_rng(0))
    for condition, share in kinds:
        assert condition is not None
        assert abs(float(condition.mask(drawn).mean()) - share) < 4 / 6_000


def test_weighted_strata_restore_the_population() -> None:
    share = KNOWN.share(RARE)
    parts = [
        Part(condition=RARE, natural=share, weight=share / 0.5),
        Part(condition=RARE.complement(), natural=1 - share, weight=(1 - share) / 0.5),
    ]
    raised, rest = KNOWN.rows(parts).draw([3_000, 3_000], np.random.default_rng(2))
    assert RARE.mask(raised).all()
    assert not RARE.mask(rest).any()
    alone = KNOWN.sample(3_000, np.random.default_rng(5), RARE)
    for column, size in enumerate(SIZES):
        a, b = (np.bincount(codes[:, column], minlength=size) / 3_000 for codes in (raised, alone))
        assert 0.5 * np.abs(a - b).sum() < 0.02


@pytest.mark.parametrize("seed", range(6))
def test_a_tilted_tree_has_the_one_ways_asked_for_and_keeps_its_odds_ratios(seed: int) -> None:
    case, rng = random_case(seed), np.random.default_rng(seed)
    attributes = tuple(Attribute(name=chain.attribute, size=5) for chain in case.tree.chains)
    one_ways = tuple(np.full(5, 0.2) for _ in attributes)
    model = GraphicalModel(
        domain=Domain(attributes=attributes),
        chains=case.tree.chains,
        one_ways=one_ways,
        calibrated=case.calibrated,
        total=1000.0,
    )
    condition = Condition(
        boxes=({0: np.array([1, 1, 0, 0, 0], dtype=bool)}, {0: np.array([0, 0, 0, 1, 0], dtype=bool)})
    )
    wanted = one_ways_given(model, condition)
    for k in (1, 2):
        wanted[k] = wanted[k] * rng.uniform(0.5, 2.0, 5)
        wanted[k] /= wanted[k].sum()
    weights = tilt(model, condition, wanted, {1, 2})
    assert all((each > 0).all() and each.max() <= 1 for each in weights)
    evidence = {k: each for k, each in enumerate(weights)}
    tilted = replace(
        model,
        calibrated=model.calibrated.condition(model._evidence(evidence))[0],
        one_ways=tuple(o * w / (o * w).sum() for o, w in zip(one_ways, weights, strict=True)),
    )
    for k in (1, 2):
        assert one_ways_given(tilted, condition)[k] == pytest.approx(wanted[k], abs=2e-3)
    # A factor per attribute leaves the odds ratios of any two columns given the others as they are.
    joint = tuple(Level.finest(attribute) for attribute in attributes)
    ratio = np.log(tilted.marginal(joint)) - np.log(model.marginal(joint))
    mixed = np.diff(np.diff(ratio, axis=1), axis=2)
    assert mixed == pytest.approx(0.0, abs=1e-6)


def measured_inside(noisy: FloatArray, sigma: float) -> Measurement:
    level = Level.finest(Attribute(name="x", size=len(noisy)))
    return Measurement(clique=(level,), noisy=noisy, sigma=sigma, sensitivity=1.0, entry=1, interactions=True)


def inside_table(truth: FloatArray, prior: FloatArray, persons: float, sigma: float, seed: int = 0) -> InsideTable:
    exact = persons * (truth - truth.mean())
    noisy = exact + sigma * np.random.default_rng(seed).normal(size=len(truth))
    groups = np.arange(len(truth), dtype=np.int32)
    return InsideTable(measured=measured_inside(noisy, sigma), groups=groups, prior=prior, persons=persons)


def test_shares_follow_a_table_without_noise_and_stay_where_all_is_noise() -> None:
    truth, prior = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    (exact,) = updated_shares([inside_table(truth, prior, 1e4, 1.0)])
    assert exact == pytest.approx(truth, abs=1e-3)
    # Twelve tables that agree with the prior: no signal to be found, so each stays near it.
    same = updated_shares([inside_table(prior, prior, 100.0, 60.0, seed) for seed in range(12)])
    moved = np.mean([0.5 * np.abs(each - prior).sum() for each in same])
    noise = np.mean([0.5 * np.abs(60.0 * np.random.default_rng(s).normal(size=3)).sum() / 100 for s in range(12)])
    assert moved < 0.25 * noise
    assert all(each.sum() == pytest.approx(1.0) and (each >= 0).all() for each in same)


def test_a_group_that_the_prior_holds_impossible_stays_so() -> None:
    (shares,) = updated_shares([inside_table(np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.5, 0.0]), 500.0, 5.0)])
    assert shares[2] == 0
    assert shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("size", [2, 5, 12])
def test_the_expected_error_is_that_of_noise_alone(size: int) -> None:
    # 0.5 sum min(0.8 s, m q) / m against the mean of 2,000 noisy tables, where no cell is near its noise.
    shares, persons, sigma = np.full(size, 1 / size), 10_000.0, 20.0
    plan = Inside(target=target(RARE), persons=persons, shares=[shares], levels={0: 0}, sigma=sigma)
    rng, left = np.random.default_rng(size), math.sqrt(1 - 1 / size)
    noise = sigma * left * rng.normal(size=(2_000, size))  # measured as interactions: less noise, ...
    noise -= noise.mean(axis=1, keepdims=True)  # ... and none along the mean
    simulated = 0.5 * np.abs(noise).sum(axis=1).mean() / persons
    assert 0.5 * noise_cost(persons * shares, plan) / persons == pytest.approx(simulated, rel=0.05)
    # A cell of fewer persons than the noise is no worse than left out.
    assert noise_cost(np.array([1.0, 1e6]), replace(plan, sigma=100.0)) == pytest.approx(1.0 + 0.8 * 100.0 / 2)


def test_grades_by_the_noise_on_a_cell() -> None:
    assert [grade_of(s) for s in (0.069, 0.07, 0.149, 0.15, 0.299, 0.3, float("inf"))] == [
        "supported",
        "fair",
        "fair",
        "weak",
        "weak",
        BELOW,
        BELOW,
    ]


def test_a_condition_below_the_noise_is_counted_and_its_budget_goes_to_the_one_ways() -> None:
    records = rows(600)
    model, ledger = fitted(records, [target(box(a0=[5]))], mu=0.3)
    assert model.rare[0].grade == BELOW
    assert [len(group.measurements) for group in model.rare] == [1]
    labels = [entry.label for entry in ledger.entries]
    assert COUNTS in labels
    assert INSIDE not in labels
    assert math.fsum(entry.mu**2 for entry in ledger.entries) == pytest.approx(0.3**2, rel=1e-3)


@pytest.mark.parametrize("codes", [0, 1, 2_000])
def test_a_fit_is_total_whatever_the_conditions_hold(codes: int) -> None:
    records = CodedRecords(domain=rows(10).domain, codes=rows(2_000).codes[:codes])
    impossible, many = Condition(boxes=()), Condition(boxes=tuple(_boxes(40)))
    targets = [target(impossible, "none"), target(many, "many"), target(box(a0=[0, 1, 2, 3, 4, 5]), "all")]
    ledger = Ledger(50.0, 1e-6)
    model = Adaptive().fit(records, ledger, persons=2_000, mu=0.5, rare=targets)
    assert [group.name for group in model.rare] == ["many", "all"]
    assert model.sample(50, np.random.default_rng(0)).shape == (50, len(SIZES))
    assert model.knowledge("many") is not None


def _boxes(number: int) -> list[Any]:
    """So many boxes of single cells of four columns."""
    cells = list(product(*map(range, SIZES[:4])))[:number]
    return [{k: np.arange(SIZES[k]) == cell for k, cell in enumerate(each)} for each in cells]


@pytest.mark.parametrize("seed", range(3))
def test_a_count_that_the_tree_gets_wrong_is_believed_and_its_interval_covers_it(seed: int) -> None:
    # Five columns that go together in 2 % of the rows only: pairs tell a few persons of about 200.
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (10_000, 5)) * (rng.random((10_000, 5)) < 0.3)
    codes[:200] = 1
    domain = Domain(attributes=tuple(Attribute(name=f"a{k}", size=2) for k in range(5)))
    records = CodedRecords(domain=domain, codes=codes.astype(np.int32))
    condition = box((2,) * 5, a0=[1], a1=[1], a2=[1], a3=[1], a4=[1])
    model, _ = fitted(records, [target(condition, columns=(0,))], mu=1.0)
    (group,) = model.rare
    true = int(condition.mask(records.codes).sum())
    assert abs(group.counted - true) < 5.5 * group.error  # fails with probability below 1e-7
    assert abs(group.persons - true) < 6 * group.error


def test_a_common_condition_keeps_its_share_and_nothing_is_left_for_what_cannot_be() -> None:
    model, _ = fitted(rows(), [target(box(a0=[0, 1, 2, 3, 4]), "common"), target(box(a0=[5]), "other")], mu=1.0)
    real = rows().codes
    for condition in (box(a0=[0, 1, 2, 3, 4]), box(a0=[5])):
        assert model.share(condition) == pytest.approx(float(condition.mask(real).mean()), abs=0.01)
    assert sum(piece.share for piece in model.pieces) == pytest.approx(1.0)


def test_conditions_that_leave_no_column_to_tilt_or_of_too_many_boxes_are_fitted() -> None:
    sizes = (70, 70, 70, 70)
    rng = np.random.default_rng(0)
    domain = Domain(attributes=tuple(Attribute(name=f"a{k}", size=70) for k in range(4)))
    records = CodedRecords(domain=domain, codes=rng.integers(0, 70, (500, 4)).astype(np.int32))
    same = [_diagonal(0, 1), _diagonal(2, 3)]
    whole = box(sizes, a0=[1], a1=[1], a2=[1], a3=[1])
    targets = [target(each, str(k), ()) for k, each in enumerate([*same, whole])]
    model, ledger = fitted(records, targets)
    # Of seven persons each the count itself is below the noise, which says more than that nothing else was measured.
    assert [model.knowledge(str(k)).grade for k in (0, 1)] == [BELOW] * 2
    many = replace(model.rare[0], persons=20 * model.rare[0].sigma)
    assert many.grade == UNMEASURED
    assert model.sample(20, rng).shape == (20, 4)
    assert math.fsum(entry.mu**2 for entry in ledger.entries) <= 0.36 * (1 + 1e-9)
    one = CodedRecords(domain=Domain(attributes=domain.attributes[:1]), codes=records.codes[:, :1])
    alone, _ = fitted(one, [target(box(sizes, a0=[3]), columns=())])
    assert alone.sample(20, rng).shape == (20, 1)


def _diagonal(one: int, other: int) -> Condition:
    cells = np.arange(70)
    return Condition(boxes=tuple({one: cells == k, other: cells == k} for k in range(70)))
