"""Whether a selection earned its place: findings by hand, and never a word of it in the shareable edition."""

import pytest

from medsynth.report import edition_of, report_json
from medsynth.report.blocks import Figure
from medsynth.report.selection import earned_sentence, findings, selection_page
from medsynth.score import Edition

PLAIN = {
    "fidelity.tv1.holdout": 0.010,
    "fidelity.tv2.holdout": 0.050,
    "fidelity.tv3.holdout": 0.100,
    "fidelity.coverage": 0.900,
    "fidelity.rare_levels.found": 0.600,
    "leak.membership.strongest.auc": 0.510,
    "leak.copies.exact_excess": 0.000,
}


def figures(**changes: float | None) -> list[Figure]:
    """Scores as of a plain draw but for changes, by the last words of a name."""
    values = {
        name: changes.get(name.split(".")[1 if name.startswith("fidelity.tv") else -1], v) for name, v in PLAIN.items()
    }
    return [
        Figure(
            name=name,
            value=value,
            low=None if value is None or name.startswith("fid") else value - 0.02,
            high=None if value is None or name.startswith("fid") else value + 0.02,
            better="lower",
            edition=Edition.INTERNAL,
            sentence="",
        )
        for name, value in values.items()
    ]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tv2": 0.0479}, "better"),  # 2 % of 0.05 and 0.001 are let pass: 0.048 to 0.052
        ({"tv2": 0.0481}, "equal"),
        ({"tv2": 0.0521}, "worse"),
        ({"coverage": 0.911}, "better"),
        ({"coverage": 0.889}, "worse"),
        ({"found": 0.619}, "equal"),
        ({"found": 0.579}, "worse"),
        ({"auc": 0.531}, "worse"),  # half of an interval of 0.04
        ({"auc": 0.529}, "equal"),
        ({"auc": 0.480}, "equal"),  # an attack gives no credit
        ({"exact_excess": 0.021}, "worse"),
        ({"found": None}, "not measured"),
    ],
)
def test_a_change_counts_beyond_what_is_let_pass(change: dict[str, float | None], word: str) -> None:
    changed = [found for found in findings(figures(), figures(**change)) if found.word != "equal"]
    assert [found.word for found in changed] == ([] if word == "equal" else [word])


def test_it_earned_its_place_only_if_something_is_better_and_nothing_worse() -> None:
    def told(**changes: float) -> str:
        return earned_sentence(findings(figures(), figures(**changes)))

    assert "did not earn its place: nothing got better" in told()
    earned = told(tv2=0.04, found=0.7)
    assert earned.startswith("The selection earned its place. Better: error over pairs of columns, held out (0.0500 to")
    assert "rare levels that occur (0.6000 to 0.7000); nothing got worse" in earned
    harmed = told(tv2=0.04, auc=0.6)
    assert harmed.startswith("This selection harms: it did not earn its place. Worse: strongest membership attack")
    assert "Better: error over pairs" in harmed


def test_the_page_has_every_measure_and_stays_internal(made) -> None:
    page = selection_page(figures(), figures(tv2=0.04))
    assert page.edition is Edition.INTERNAL
    assert len(page.rows) == len(PLAIN)
    assert page.rows[1] == ("Error over pairs of columns, held out", "0.0500", "0.0400", "lower", "better")
    content = made.example().model_copy(update={"appendices": (page,)})
    assert b"earn its place" in report_json(edition_of(content, Edition.INTERNAL))
    assert b"earn its place" not in report_json(edition_of(content, Edition.SHAREABLE))
