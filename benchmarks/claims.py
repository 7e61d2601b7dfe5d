"""Holds every figure that README and docs claim against the benchmark that measured it.

A claim is written `0.0291<!-- claim: adult_discrete:epsilon_1.tv2 -->`: the figure, its unit if it
has one, and the place of its value in `benchmarks/results/adult_discrete.json`. Values are in base
units; the page may print them in others.

Command: python benchmarks/claims.py [--write]
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
REQUIRED = ("command", "commit", "seeds", "machine", "values")
UNITS: Mapping[str, float] = {
    "": 1,
    "x": 1,
    "s": 1,
    "ms": 1e3,
    "min": 1 / 60,
    "%": 1e2,
    "bytes": 1,
    "kB": 1e-3,
    "MB": 1e-6,
    "GB": 1e-9,
}
"""What a value in base units (seconds, bytes, shares) is multiplied by to be printed so."""
MARKER = re.compile(r"<!--\s*claim:(.*?)-->", re.DOTALL)
PLACE = re.compile(r"\s*(?P<name>\w+):(?P<path>\S+)\s*")
_UNIT = "|".join(sorted(filter(None, UNITS), key=len, reverse=True))
FIGURE = re.compile(rf"(?<![\w.])(?P<figure>-?\d[\d,]*(?:\.\d+)?) ?(?P<unit>{_UNIT})?[*`]*$")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A figure on a page, and where its value lies.

    Attributes:
      where: Page and line.
      printed: The figure as it stands, without its unit.
      unit: One of `UNITS`.
      name: The result file.
      path: Of the value in it.
      span: Where the figure stands in the page's text.
    """

    where: str
    printed: str
    unit: str
    name: str
    path: str
    span: tuple[int, int]


def claims(text: str, where: str) -> Iterator[Claim | str]:
    """Claims of a page, or a sentence for a marker that makes none."""
    for marker in MARKER.finditer(text):
        line = text.count("\n", 0, marker.start()) + 1
        place = PLACE.fullmatch(marker.group(1))
        begin = text.rfind("\n", 0, marker.start()) + 1
        figure = FIGURE.search(text[begin : marker.start()])
        if place is None:
            yield f"{where}:{line}: write <!-- claim: RESULT:PATH -->, not {marker.group()}."
        elif figure is None:
            yield f"{where}:{line}: no figure stands before {marker.group()}."
        else:
            yield Claim(
                where=f"{where}:{line}",
                printed=figure["figure"],
                unit=figure["unit"] or "",
                name=place["name"],
                path=place["path"],
                span=(begin + figure.start("figure"), begin + figure.end("figure")),
            )


def value_at(values: Any, path: str) -> Any:
    """The value at a dotted path; a key may hold dots itself.

    Raises:
      KeyError: If there is none.
    """
    if not isinstance(values, Mapping):
        raise KeyError(path)
    if path in values:
        return values[path]
    dots = [match.start() for match in re.finditer(r"\.", path)]
    for dot in reversed(dots):
        if path[:dot] in values:
            return value_at(values[path[:dot]], path[dot + 1 :])
    raise KeyError(path)


def as_printed(value: float, claim: Claim) -> str:
    """The value with the decimals, separators and unit of the claim."""
    decimals = len(claim.printed.partition(".")[2])
    separator = "," if "," in claim.printed else ""
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value * UNITS[claim.unit], decimals) + 0.0:{separator}.{decimals}f}"


def lacking(result: Mapping[str, Any]) -> list[str]:
    """What a result file needs and does not have; only seeds may be empty."""
    return [key for key in REQUIRED if key not in result or (key != "seeds" and not result[key])]


def measured(claim: Claim, folder: Path = RESULTS) -> str:
    """What the figure must read, from the result file.

    Raises:
      LookupError: With a sentence, if it cannot be told.
    """
    file = folder / f"{claim.name}.json"
    if not file.is_file():
        raise LookupError(f"benchmarks/results/{file.name} is missing. Run its benchmark.")
    result = json.loads(file.read_text(encoding="utf-8"))
    if absent := lacking(result):
        raise LookupError(f"{file.name} does not state {', '.join(absent)}.")
    try:
        value = value_at(result["values"], claim.path)
    except KeyError:
        raise LookupError(f"{file.name} has no value '{claim.path}'.") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LookupError(f"'{claim.path}' of {file.name} is not a figure.")
    return as_printed(value, claim)


def complaint(claim: Claim, folder: Path = RESULTS) -> str | None:
    """What is wrong with a claim, or None."""
    try:
        figure = measured(claim, folder)
    except LookupError as problem:
        return f"{claim.where}: {problem.args[0]}"
    if figure == claim.printed:
        return None
    return f"{claim.where}: says {claim.printed}{claim.unit}, measured {figure}{claim.unit}."


def complaints(pages: Mapping[str, str], folder: Path = RESULTS) -> list[str]:
    """What is wrong with the claims of some pages, given as name to text."""
    found = [claim for name, text in pages.items() for claim in claims(text, name)]
    told = (claim if isinstance(claim, str) else complaint(claim, folder) for claim in found)
    return [sentence for sentence in told if sentence]


def corrected(text: str, folder: Path = RESULTS) -> str:
    """A page with every figure as it was measured; what cannot be told stays as it is."""
    found = [claim for claim in claims(text, "page") if isinstance(claim, Claim)]
    for claim in reversed(found):
        try:
            figure = measured(claim, folder)
        except LookupError:
            continue
        text = text[: claim.span[0]] + figure + text[claim.span[1] :]
    return text


def pages() -> list[Path]:
    """The pages whose figures are held against results."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    """Says what is wrong; with `--write` corrects the figures first."""
    parser = argparse.ArgumentParser(description="Holds claimed figures against results.")
    parser.add_argument("--write", action="store_true", help="correct the pages")
    if parser.parse_args().write:
        for page in pages():
            text = page.read_text(encoding="utf-8")
            page.write_text(corrected(text), encoding="utf-8", newline="\n")
    found = complaints({page.name: page.read_text(encoding="utf-8") for page in pages()})
    print("\n".join(found) or "Every claimed figure was measured.")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
