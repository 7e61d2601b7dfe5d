"""Every section of docs/mathematics.md that a page or the code names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"mathematics\.md`?(?:\)|\])?,? (?:section|sections) (\d+)")


def _numbers() -> set[int]:
    text = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    return {int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)}


def test_sections_are_numbered_from_one_without_a_gap() -> None:
    assert _numbers() == set(range(1, len(_numbers()) + 1))


def test_every_section_that_is_named_exists() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("medsynth/**/*.py"), *ROOT.glob("benchmarks/*.py")]
    named = {
        (path.name, int(number))
        for path in pages
        for number in NAMED.findall(" ".join(path.read_text(encoding="utf-8").split()))
    }
    assert len(named) > 5
    assert {pair for pair in named if pair[1] not in _numbers()} == set()
