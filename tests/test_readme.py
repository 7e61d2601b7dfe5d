"""What README shows is true: its Python runs, its commands exist, its links lead somewhere."""

import doctest
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
SHOWN = re.compile(r"(?:`|&& )medsynth ([a-z]+)")
FENCED = re.compile(r"(?ms)^```\n(.*?)^```")
LEGAL_CLAIMS = re.compile(r"\b(?:anonym(?:ous|i[sz]ed)|compliant)\b", re.IGNORECASE)


def test_the_python_example_runs_and_prints_what_it_says() -> None:
    test = doctest.DocTestParser().get_doctest(README, {}, "README.md", "README.md", 0)
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    runner.run(test, out=told.append)
    assert len(test.examples) >= 8
    assert not told, "".join(told)


@pytest.mark.parametrize(
    "command",
    ["pip install . && medsynth demo", 'pip install "torch==2.13.0" ".[all,test]" && pytest'],
)
def test_each_of_the_two_commands_is_a_line_to_copy(command: str) -> None:
    assert f"```\n{command}\n```" in README


def test_every_extra_that_a_page_names_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        extra
        for page in PAGES
        for group in re.findall(r'"?\.\[([\w,]+)\]"?', page.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named <= project["optional-dependencies"].keys()
    assert {"all", "test"} <= named


def test_no_page_installs_a_stranger_s_package() -> None:
    """`medsynth` on the package index is not ours; ours is `medsynth-dp`."""
    told = re.compile(r"pip\s+install\s+[^\n`]*\bmedsynth\b(?!-dp)(?! demo)")
    assert [page.name for page in PAGES if told.search(page.read_text(encoding="utf-8"))] == []


def test_every_command_that_a_page_shows_exists() -> None:
    from typer.main import get_command

    from medsynth.cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    lines = [line for text in texts for block in FENCED.findall(text) for line in block.split("\n")]
    shown = {word for text in texts for word in SHOWN.findall(text)}
    shown |= {line.split()[1] for line in lines if line.startswith("medsynth ")}
    assert shown - commands.keys() == set()
    assert {"demo", "init", "schema", "check", "plan", "run"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_claims_what_only_a_lawyer_can(page: Path) -> None:
    assert LEGAL_CLAIMS.findall(page.read_text(encoding="utf-8")) == []


def test_exit_codes_are_those_of_the_error_tree() -> None:
    from medsynth import cli, errors

    rows = re.findall(r"(?m)^\| (\d+(?:, \d+)*) \|", README)
    codes = {int(code) for row in rows for code in row.split(", ")}
    tree = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.MedsynthError)
    }
    assert codes == tree | {0, *cli.TOLD_TO_END}


def test_the_guide_explains_every_key_of_a_schema() -> None:
    from medsynth.schema import json_schema

    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    definitions = json_schema()
    objects = [definitions, *definitions["$defs"].values()]
    keys = {key for entry in objects for key in entry.get("properties", {})}
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", guide)) == []


def test_every_schema_and_predicate_in_the_guide_is_read() -> None:
    """Whole schemas, and the examples in the table of the language."""
    from medsynth.schema import parse_expression, parse_predicate, parse_schema

    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    schemas = [block for block in blocks if block.startswith("medsynth: 1")]
    for block in schemas:
        parse_schema(block, where="docs/guide.md")
    rows = re.findall(r"(?m)^\| (`+) ?(.+?) ?\1 \| (condition|value) \|", guide)
    parse = {"condition": parse_predicate, "value": parse_expression}
    assert all(parse[kind](text) for _, text, kind in rows)
    assert len(rows) >= 14
    assert schemas
