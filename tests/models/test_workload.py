"""Weights of pairs: what the schema declares counts fourfold, and gets the budget for it."""

import numpy as np
import pandas as pd
import pytest

from medsynth import fitting
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Attribute, Domain
from medsynth.models.adaptive import Adaptive
from medsynth.models.workload import DECLARED, NEEDED, pair_weights
from medsynth.privacy import Ledger
from medsynth.schema import Schema, parse_schema
from medsynth.synthesizer import Synthesizer
from tests.models.conftest import CodedRecords

TEXT = """
medsynth: 1
dataset: {name: ward}
privacy: {rows_are_persons: true, persons: 1000, epsilon: 1.0}
columns:
  died: {kind: boolean}
  age: {kind: integer, min: 0, max: 99, bins: 10}
  "body mass": {kind: decimal, min: 10, max: 60, bins: 5}
  sex: {kind: category, values: [F, M]}
  ward: {kind: category, values: [A, B, C]}
"""


def weights_of(more: str) -> dict[frozenset[str], float]:
    """Pairs of names that do not count once."""
    schema: Schema = parse_schema(TEXT + more)
    domain = Codec(schema=schema).domain
    weights = pair_weights(schema, domain)
    assert np.array_equal(weights, weights.T)
    names = [attribute.name for attribute in domain.attributes]
    return {
        frozenset({names[i], names[j]}): float(weights[i, j])
        for i in range(len(names))
        for j in range(i)
        if weights[i, j] != 1
    }


def test_without_a_declared_question_all_pairs_count_alike() -> None:
    assert weights_of("") == {}


def test_pairs_of_the_target_count_more_but_for_excluded_columns() -> None:
    found = weights_of("utility: {target: died, task: binary, exclude: [ward]}\n")
    assert found == {frozenset({"died", other}): DECLARED for other in ("age", "body mass", "sex")}


def test_pairs_within_a_study_count_more() -> None:
    found = weights_of("studies:\n  - {name: weight, formula: \"`body mass` ~ age + sex == 'F'\", family: linear}\n")
    assert found == {frozenset(pair): NEEDED for pair in (("body mass", "age"), ("body mass", "sex"), ("age", "sex"))}


def test_outcomes_count_more_with_the_columns_of_subgroups() -> None:
    groups = 'subgroups: [{name: old, where: "age >= 70"}]\n'
    assert weights_of(groups) == {}
    study = 'studies: [{name: weight, formula: "`body mass` ~ sex", family: linear}]\n'
    needed = (("body mass", "sex"), ("body mass", "age"))
    assert weights_of(groups + study) == {frozenset(pair): NEEDED for pair in needed}


def test_pairs_of_time_and_event_with_predictors_count_more() -> None:
    found = weights_of("utility: {time: age, event: died, task: survival}\n")
    assert frozenset({"age", "died"}) in found
    assert {frozenset({outcome, other}) for outcome in ("age", "died") for other in ("sex", "ward")} <= found.keys()
    assert frozenset({"sex", "ward"}) not in found


def test_time_and_event_count_no_more_where_survival_is_not_the_task() -> None:
    found = weights_of("utility: {target: died, time: age, event: sex, task: binary, exclude: [age, sex]}\n")
    assert found == {frozenset({"died", other}): DECLARED for other in ("body mass", "ward")}


def test_a_derived_column_stands_for_those_it_is_computed_from() -> None:
    more = 'derived: {index: "age * `body mass`"}\nstudies:\n  - {name: i, formula: index ~ sex, family: linear}\n'
    assert weights_of(more) == {frozenset({"sex", "age"}): NEEDED, frozenset({"sex", "body mass"}): NEEDED}


@pytest.fixture
def records() -> CodedRecords:
    """Eight columns of six cells, each equally dependent on the first."""
    rng = np.random.default_rng(4)
    first = rng.integers(0, 6, 20_000)
    noisy = [np.where(rng.random(20_000) < 0.5, first, rng.integers(0, 6, 20_000)) for _ in range(7)]
    domain = Domain(attributes=tuple(Attribute(name=f"c{k}", size=6) for k in range(8)))
    return CodedRecords(domain=domain, codes=np.stack([first, *noisy], axis=1).astype(np.int32))


def test_pairs_that_count_more_are_measured_with_less_noise_for_the_same_budget(records: CodedRecords) -> None:
    weights = np.ones((8, 8))
    weights[3] = weights[:, 3] = DECLARED
    book = Ledger(1.0, 1e-6, persons=20_000)
    model = Adaptive().fit(records, book, persons=20_000, mu=book.guarantee.mu, weights=weights)
    assert book.spent_mu2 == pytest.approx(book.guarantee.mu**2, rel=1e-6)
    pairs = [measured for measured in model.measurements if len(measured.clique) == 2]
    first = min(measured.entry for measured in pairs)
    sigmas = {
        frozenset(level.attribute for level in measured.clique): measured.sigma
        for measured in pairs
        if measured.entry == first
    }
    own = [sigma for pair, sigma in sigmas.items() if "c3" in pair]
    others = [sigma for pair, sigma in sigmas.items() if "c3" not in pair]
    # A weighted pair of the third column gains twice what one of the first does, by more than ten standard deviations
    # of a score, so all seven come first; noise falls with the cube root of the weight, 1.6 for tables of one shape.
    assert len(own) == 7
    assert 0.55 < np.median(own) / np.median(others) < 0.72


def test_a_pair_that_an_estimate_rests_on_is_measured_whatever_its_score_says() -> None:
    """The last two of five columns depend on nothing, so that no score promises anything of them."""
    rng = np.random.default_rng(4)
    first = rng.integers(0, 6, 20_000)
    noisy = [np.where(rng.random(20_000) < 0.5, first, rng.integers(0, 6, 20_000)) for _ in range(2)]
    codes = np.stack([first, *noisy, *rng.integers(0, 6, (2, 20_000))], axis=1).astype(np.int32)
    rows = CodedRecords(domain=Domain(attributes=tuple(Attribute(name=f"c{k}", size=6) for k in range(5))), codes=codes)

    def measured(weight: float) -> set[frozenset[str]]:
        weights = np.ones((5, 5))
        weights[3, 4] = weights[4, 3] = weight
        book = Ledger(1.0, 1e-6, persons=20_000)
        model = Adaptive().fit(rows, book, persons=20_000, mu=book.guarantee.mu, weights=weights)
        assert book.spent_mu2 == pytest.approx(book.guarantee.mu**2, rel=1e-6)
        tables = [each.clique for each in model.measurements if len(each.clique) == 2]
        return {frozenset(level.attribute for level in clique) for clique in tables}

    assert frozenset({"c3", "c4"}) not in measured(DECLARED)
    assert frozenset({"c3", "c4"}) in measured(NEEDED)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_weight_that_is_not_above_zero_is_refused_before_anything_is_spent(
    records: CodedRecords, wrong: float
) -> None:
    weights = np.ones((8, 8))
    weights[1, 2] = wrong
    book = Ledger(1.0, 1e-6, persons=20_000)
    with pytest.raises(ValueError, match="above 0"):
        Adaptive().fit(records, book, persons=20_000, mu=book.guarantee.mu, weights=weights)
    assert not book.entries


def test_a_fit_gets_the_weights_of_declared_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listening:
        def fit(self, *_: object, weights: object, **__: object) -> None:
            raise Heard(weights)

    monkeypatch.setattr(fitting, "MODELS", {"adaptive": Listening})
    schema = parse_schema(TEXT + "studies:\n  - {name: s, formula: died ~ age, family: logistic}\n")
    rows = pd.DataFrame({"died": [True], "age": [3], "body mass": [20.0], "sex": ["F"], "ward": ["A"]})
    with pytest.raises(Heard) as heard:
        Synthesizer(schema).fit(rows)
    weights = heard.value.args[0]
    assert weights[0, 1] == weights[1, 0] == NEEDED
    assert (weights != 1).sum() == 2


class Heard(Exception):  # noqa: N818 - no error: it brings the weights out
    pass
