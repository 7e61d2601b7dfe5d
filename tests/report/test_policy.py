from dataclasses import replace

import pytest

from medsynth.report.blocks import Figure
from medsynth.report.policy import judge, verdict
from medsynth.score import Edition, Score

INTERNAL, SHAREABLE = Edition.INTERNAL, Edition.SHAREABLE
BASE = Score(name="x", value=0.0, sentence="s", better="lower", edition=INTERNAL)
ATTACK = "leak.membership.{}.tpr_at_1pct_fpr"


def figure(name: str, value: float | None, low: float | None = None, high: float | None = None,
           edition: Edition = INTERNAL, columns: tuple[str, ...] = ()) -> Figure:  # fmt: skip
    score = replace(BASE, name=name, value=value, low=low, high=high, edition=edition, columns=columns)
    return Figure.of(score)


def outcome(key: str, limit: float, *figures: Figure, edition: Edition = INTERNAL) -> str:
    (line,) = judge({key: limit}, figures, epsilon=1.0, edition=edition)
    assert line.met is {"met": True, "not met": False}.get(line.outcome)
    return line.outcome


@pytest.mark.parametrize(("epsilon", "expected"), [(3.0, "met"), (3.01, "not met"), (None, "not measured")])
def test_epsilon_is_met_up_to_its_limit(epsilon: float | None, expected: str) -> None:
    for edition in Edition:
        (line,) = judge({"epsilon_max": 3.0}, (), epsilon=epsilon, edition=edition)
        assert line.outcome == expected


def test_membership_is_judged_by_the_strongest_upper_limit() -> None:
    weak = figure(ATTACK.format("weak"), 0.02, 0.015, 0.025)
    strong = figure(ATTACK.format("strong"), 0.019, 0.01, 0.031)
    key = "membership_tpr_at_1pct_fpr_max"
    assert outcome(key, 0.03, weak) == "met"
    assert outcome(key, 0.03, weak, strong) == "not met"
    (line,) = judge({key: 0.03}, (weak, strong), epsilon=1.0, edition=INTERNAL)
    assert (line.measured, line.high, line.score) == (0.019, 0.031, strong.name)


def test_an_attack_that_cannot_be_told_is_not_a_pass() -> None:
    told, untold = figure(ATTACK.format("a"), 0.01, 0.0, 0.02), figure(ATTACK.format("b"), None)
    assert outcome("membership_tpr_at_1pct_fpr_max", 0.03, told, untold) == "not measured"
    assert outcome("membership_tpr_at_1pct_fpr_max", 0.015, told, untold) == "not met"


@pytest.mark.parametrize(("low", "expected"), [(-2.0, "met"), (0.0, "met"), (1.0, "not met"), (None, "not met")])
def test_copies_fail_where_the_excess_is_beyond_chance(low: float | None, expected: str) -> None:
    excess = figure("leak.copies.exact_excess", 3.0, low, 9.0)
    assert outcome("exact_match_excess_max", 0.0, excess) == expected


def test_two_way_error_is_judged_by_the_holdout_where_it_has_a_value() -> None:
    train = figure("fidelity.tv2.train", 0.07)
    assert outcome("tv_2way_max", 0.08, train, figure("fidelity.tv2.holdout", 0.09)) == "not met"
    assert outcome("tv_2way_max", 0.06, train, figure("fidelity.tv2.holdout", None)) == "not met"
    assert outcome("tv_2way_max", 0.08, train) == "met"
    untold = (figure("fidelity.tv2.holdout", None), figure("fidelity.tv2.train", None))
    assert outcome("tv_2way_max", 0.08, *untold) == "not measured"


@pytest.mark.parametrize("value", [0.05, 0.09])
def test_editions_never_give_opposite_verdicts_on_the_two_way_error(value: float) -> None:
    measured = figure("fidelity.tv2.measured", value, edition=SHAREABLE)
    real = [figure(f"fidelity.tv2.{part}", 0.14 - value) for part in ("train", "holdout")]
    assert outcome("tv_2way_max", 0.08, measured, *real, edition=SHAREABLE) == "in the internal edition"
    assert outcome("tv_2way_max", 0.08, measured, *real) == ("met" if value == 0.09 else "not met")
    assert outcome("tv_2way_max", 0.08, measured) == "not measured"


def test_figures_of_single_columns_do_not_judge_the_table() -> None:
    assert outcome("tv_2way_max", 0.08, figure("fidelity.tv2.train", 0.5, columns=("a",))) == ("not measured")


def test_undeclared_and_unknown_lines() -> None:
    lines = judge({"auc_drop_max": None, "novel_max": 1.0}, (), epsilon=1.0, edition=INTERNAL)
    assert [(line.key, line.outcome) for line in lines] == [("novel_max", "not measured")]


def test_verdict_counts_and_names_what_is_not_met() -> None:
    limits = {"epsilon_max": 3.0, "tv_2way_max": 0.08, "auc_drop_max": 0.01}
    drop = figure("utility.auc.drop", 0.02)
    told = verdict(judge(limits, (drop,), epsilon=1.0, edition=INTERNAL))
    assert told.sentence == "1 of 3 policy lines met"
    assert told.detail == "Not met: AUC lost on real records. Not measured: Two-way error."
    assert (told.met, told.not_met, told.not_measured, told.in_internal_edition) == (1, 1, 1, 0)


def test_no_policy_is_no_verdict() -> None:
    told = verdict(judge({}, (), epsilon=1.0, edition=INTERNAL))
    assert told.sentence == "No policy declared: nothing was judged"
    assert (told.lines, told.met) == (0, 0)
