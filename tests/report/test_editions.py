import json
from dataclasses import replace
from types import ModuleType

import pytest

from medsynth.report import Appendix, Note, edition_of, report_files, report_json
from medsynth.report.content import collect
from medsynth.score import Chart, Edition, Evaluation, Score

LEAK = Score(
    name="leak.membership.x.tpr_at_1pct_fpr", value=0.9, low=0.8, high=0.95, better="lower",
    sentence="Canary of a sentence.", edition=Edition.INTERNAL,
)  # fmt: skip
DRIFT = Score(
    name="fidelity.tv2.measured", value=0.05, better="lower", sentence="Against noised counts.",
    edition=Edition.SHAREABLE,
)  # fmt: skip


def base(*evaluations: Evaluation, **more: object) -> dict[str, object]:
    return {
        "title": "T", "date": "2026-03-31", "version": "0", "dataset": {"name": "t"},
        "row_meaning": "One row is one person.", "guarantee": {"epsilon": 1.0, "delta": 1e-6},
        "policy": {"tv_2way_max": 0.08, "membership_tpr_at_1pct_fpr_max": 0.03},
        "evaluations": evaluations, **more,
    }  # fmt: skip


def test_shareable_files_do_not_depend_on_internal_values(
    made: ModuleType, rendered: dict[str, dict[str, bytes]]
) -> None:
    other = made.example(shift=0.0371)
    assert report_files(other, Edition.SHAREABLE) == rendered["shareable"]
    assert report_json(other) != rendered["internal"]["report.json"]


@pytest.mark.parametrize("names", [(), ("leak.membership.x.tpr_at_1pct_fpr",), ("unheard.of",)])
def test_shareable_files_do_not_depend_on_which_internal_figures_exist(names: tuple[str]) -> None:
    inner = tuple(replace(LEAK, name=name) for name in names)
    charts = tuple(
        Chart(
            name=name, kind="curve", title="C", labels=(), arrays={"x": (0.0, 1.0)},
            edition=Edition.INTERNAL, sentence="S",
        )
        for name in names
    )  # fmt: skip
    with_inner = collect(**base(Evaluation(scores=(DRIFT, *inner), charts=charts)))  # type: ignore[arg-type]
    without = collect(**base(Evaluation(scores=(DRIFT,))))  # type: ignore[arg-type]
    assert report_json(edition_of(with_inner, Edition.SHAREABLE)) == report_json(edition_of(without, Edition.SHAREABLE))


def test_nothing_marked_internal_reaches_a_shareable_byte() -> None:
    secret = "canary-7f3a"
    marked = {
        "files": [
            {"name": secret, "sha256": "0" * 64, "edition": "internal"},
            {"name": "open", "sha256": "1" * 64},
        ],
        "not_tested": [Note(text=secret, edition=Edition.INTERNAL), "Open sentence."],
        "notices": [Note(text=secret, edition=Edition.INTERNAL)],
        "appendices": [Appendix(title=secret, edition=Edition.INTERNAL)],
        "rare": [
            {
                "name": "r",
                "where": "x > 1",
                "verdict": secret,
                "count": 7351,
                "edition": "internal",
            },
            {"name": "s", "where": "x > 2", "real_share": 0.123456, "count": 40},
        ],
    }
    scores = (DRIFT, replace(LEAK, sentence=secret, value=0.654321))
    content = collect(**base(Evaluation(scores=scores), **marked))  # type: ignore[arg-type]
    inside = b"".join(report_files(content, Edition.INTERNAL).values())
    outside = b"".join(report_files(content, Edition.SHAREABLE).values())
    for trace in (secret.encode(), b"7351", b"0.1234", b"0.6543"):
        assert trace in inside
        assert trace not in outside
    assert b"Open sentence." in outside


def test_shareable_policy_sends_the_reader_to_the_internal_edition(made: ModuleType) -> None:
    lines = {line.key: line for line in edition_of(made.example(), Edition.SHAREABLE).policy}
    assert lines["epsilon_max"].outcome == "met"
    assert lines["auc_drop_max"].outcome == "in the internal edition"
    assert lines["auc_drop_max"].measured is None
    assert lines["tv_2way_max"].outcome == "in the internal edition"


def test_only_the_internal_edition_carries_the_banner(pages: dict[str, str]) -> None:
    banner = "INTERNAL: contains statistics of real persons that are not differentially private"
    assert banner in pages["internal"]
    assert banner not in pages["shareable"]
    assert "Withheld from this edition" in pages["shareable"]
    assert "Withheld from this edition" not in pages["internal"]


def test_the_shareable_edition_of_a_shareable_content_is_itself(made: ModuleType) -> None:
    once = edition_of(made.example(), Edition.SHAREABLE)
    assert edition_of(once, Edition.SHAREABLE) == once
    assert edition_of(once, Edition.INTERNAL).edition is Edition.SHAREABLE
    assert json.loads(report_json(once))["edition"] == "shareable"
