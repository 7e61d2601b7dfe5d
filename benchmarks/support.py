"""The share of declared estimates that the measurements support, on the shipped medical schemas and the real tables.

Command: python benchmarks/support.py [--tables ...] [--epsilons ...]
"""

import argparse
import json
from typing import Any

import numpy as np
from check_schemas import READERS
from record import RESULTS, record

from medsynth import Synthesizer
from medsynth.fidelity.support import support
from medsynth.fitting import claim_of
from medsynth.releasing import codec_of
from medsynth.replicating import followed
from medsynth.schema import load_schema

NAME, TABLES, EPSILONS, SEED = "support", ("diabetes130", "support2", "thyroid"), (1.0, 3.0), 1


def shares(table: str, epsilon: float) -> dict[str, Any]:
    """One fit: how many estimates are declared, and how many supported, coefficients apart."""
    model = Synthesizer(load_schema(table), epsilon=epsilon).fit(READERS[table]())
    file = model.model_
    schema = codec_of(file).schema
    release = model.sample(seed=SEED, draw="random")
    found = support(schema, release, followed(file), claim_of(file).estimated_persons)
    coefficients = [each for each in found if each.study in schema.formulas]
    return {
        "declared": len(found),
        "supported": sum(each.supported for each in found),
        "share": float(np.mean([each.supported for each in found])),
        "coefficients": len(coefficients),
        "coefficients_supported": sum(each.supported for each in coefficients),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tables", nargs="+", default=TABLES)
    options.add_argument("--epsilons", nargs="+", type=float, default=EPSILONS)
    asked = options.parse_args()
    path = RESULTS / f"{NAME}.json"
    values = json.loads(path.read_text(encoding="utf-8"))["values"] if path.is_file() else {}
    tables = values.get("tables", {})
    for table in asked.tables:
        for epsilon in asked.epsilons:
            tables.setdefault(table, {})[f"epsilon_{epsilon:g}"] = shares(table, epsilon)
            print(table, epsilon, tables[table][f"epsilon_{epsilon:g}"], flush=True)
            found = {"tables": tables, "all": together(tables)}
            record(NAME, found, command="python benchmarks/support.py", seeds=[SEED])


def together(tables: dict[str, Any]) -> dict[str, float]:
    """The share of all declared estimates of all tables, by epsilon."""
    found: dict[str, float] = {}
    for epsilon in sorted({key for each in tables.values() for key in each}):
        cells = [each[epsilon] for each in tables.values() if epsilon in each]
        found[epsilon] = sum(cell["supported"] for cell in cells) / sum(cell["declared"] for cell in cells)
    return found


if __name__ == "__main__":
    main()
