"""Regressions agree with closed forms and with reference libraries, errors included."""

import math
import warnings

import numpy as np
import pytest

from medsynth.fidelity.regression import cox, linear, logistic

ROWS = 400


@pytest.fixture(scope="module")
def drawn():
    """(x with three columns, weights, persons, generator); about two rows for each person."""
    rng = np.random.default_rng(3)
    persons = np.unique(rng.integers(0, ROWS // 2, ROWS), return_inverse=True)[1].astype(np.int64)
    return rng.normal(size=(ROWS, 3)), rng.random(ROWS) + 0.5, persons, rng


def with_constant(x):
    return np.column_stack([np.ones(len(x)), x])


def test_log_odds_of_a_two_by_two_table_are_those_worked_by_hand():
    # a, b of the exposed, c, d of the others: ln(ad/bc) with variance 1/a + 1/b + 1/c + 1/d (Woolf 1955).
    a, b, c, d = 30, 70, 15, 85
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    case = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    fit = logistic(with_constant(exposed[:, None]), case, np.ones(200), np.arange(200))
    assert fit.converged
    assert fit.values[1] == pytest.approx(math.log(a * d / (b * c)), abs=1e-8)
    # The sandwich of a saturated model is Woolf's variance, times n / (n - 2) for two coefficients.
    assert fit.errors[1] == pytest.approx(math.sqrt((1 / a + 1 / b + 1 / c + 1 / d) * 200 / 198), abs=1e-8)


def test_rows_of_one_person_count_as_one_in_the_error(drawn):
    x, weights, _, rng = drawn
    y = rng.normal(size=ROWS)
    once = linear(with_constant(x), y, weights, np.arange(ROWS))
    twice = linear(*(np.repeat(part, 2, axis=0) for part in (with_constant(x), y, weights, np.arange(ROWS))))
    assert twice.values == pytest.approx(once.values)
    assert twice.errors == pytest.approx(once.errors, rel=0.01)  # the correction for small samples differs


def test_linear_and_logistic_agree_with_statsmodels(drawn):
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    x, weights, persons, rng = drawn
    x, clustered = with_constant(x), {"cov_type": "cluster", "cov_kwds": {"groups": persons}}
    y = x[:, 1] + rng.normal(size=ROWS)
    expected = sm.WLS(y, x, weights=weights).fit(**clustered)
    own = linear(x, y, weights, persons)
    assert own.values == pytest.approx(expected.params, abs=1e-9)
    assert own.errors == pytest.approx(expected.bse, rel=1e-9)
    case = (y > 0.5).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that weights and clusters together are not tested there
        expected = sm.GLM(case, x, family=sm.families.Binomial(), freq_weights=weights).fit(**clustered)
    own = logistic(x, case, weights, persons)
    assert own.values == pytest.approx(expected.params, abs=1e-6)
    assert own.errors == pytest.approx(expected.bse, rel=1e-6)


def test_log_hazards_of_five_rows_solve_the_equation_worked_by_hand():
    # Events at 1 (exposed), 2 (not), 3 (exposed); 4 and 5 censored, one of each. The score is zero where
    # 2 = 3h/(3h + 2) + 2h/(2h + 2) + 2h/(2h + 1), h the hazard ratio.
    exposed = np.array([1.0, 0.0, 1.0, 0.0, 1.0])
    fit = cox(exposed[:, None], np.arange(1.0, 6), np.array([1.0, 1, 1, 0, 0]), np.ones(5), np.arange(5))
    h = math.exp(fit.values[0])
    assert fit.converged
    assert 3 * h / (3 * h + 2) + 2 * h / (2 * h + 2) + 2 * h / (2 * h + 1) == pytest.approx(2, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_cox_agrees_with_lifelines(drawn, ties):
    lifelines = pytest.importorskip("lifelines", reason='lifelines is not installed: pip install ".[survival]"')
    import pandas as pd

    x, weights, persons, rng = drawn
    time = rng.exponential(50, ROWS) * np.exp(-0.5 * x[:, 0])
    time, event = np.ceil(time / 5) if ties else time, (rng.random(ROWS) < 0.7).astype(float)
    frame = pd.DataFrame(x, columns=list("abc")).assign(t=time, e=event, w=weights, g=persons)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = lifelines.CoxPHFitter().fit(frame, "t", "e", weights_col="w", cluster_col="g", robust=True)
    own = cox(x, time, event, weights, persons)
    assert own.values == pytest.approx(fitted.params_.to_numpy(), abs=1e-5)
    # With ties lifelines takes the residuals of Breslow beside the likelihood of Efron.
    assert own.errors == pytest.approx(fitted.standard_errors_.to_numpy(), rel=0.03 if ties else 1e-5)


def test_errors_of_cox_with_ties_are_those_of_dropping_one_person_at_a_time(drawn):
    x, weights, persons, rng = drawn
    x, time = x[:, :2], np.ceil(rng.exponential(4, ROWS) * np.exp(-0.5 * x[:, 0]))
    event = (rng.random(ROWS) < 0.8).astype(float)
    people = int(persons.max()) + 1
    left = []
    for person in range(people):
        rest = persons != person
        left.append(cox(x[rest], time[rest], event[rest], weights[rest], persons[rest]).values)
    spread = np.sqrt((people - 1) / people * ((left - np.mean(left, axis=0)) ** 2).sum(axis=0))
    assert cox(x, time, event, weights, persons).errors == pytest.approx(spread, rel=0.05)
