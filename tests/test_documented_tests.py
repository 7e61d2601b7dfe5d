"""Every test that docs name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
NAME = re.compile(r"\btest_\w+\b(?!\.py)")
FILE = re.compile(r"\btests/[\w/]+\.py\b")


def named_tests(text: str) -> set[str]:
    """Names of tests in a page; names of their files are not among them."""
    return set(NAME.findall(text))


@cache
def written_tests() -> set[str]:
    """Names of all test functions."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py")]
    return {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert sorted(named_tests(text) - written_tests()) == []
    assert [name for name in FILE.findall(text) if not (ROOT / name).is_file()] == []


def test_pages_of_proofs_and_threats_name_many_tests() -> None:
    for page, least in (("mathematics.md", 30), ("threat-model.md", 40)):
        assert len(named_tests((ROOT / "docs" / page).read_text(encoding="utf-8"))) >= least


def test_a_name_that_is_no_test_is_found() -> None:
    assert named_tests("`test_nobody_wrote` in `tests/test_x.py`, test_x.py") == {"test_nobody_wrote"}
    assert "test_nobody_wrote" not in written_tests()
