"""Whether great-expectations and medsynth agree on every rule of the shipped schemas, on the real tables.

Command: python benchmarks/gx_agreement.py [NAME ...]

Prints one line per table, and each rule on which the two differ; the exit code says whether they agree on all.
"""

import sys
import time

from check_schemas import READERS

from medsynth.encoding.typed import typed_frame
from medsynth.fidelity.expectations import expectations_of, named_rules
from medsynth.fidelity.validation import validate
from medsynth.schema import load_schema, uncounted


def compare(name: str) -> int:
    """Prints how many rules both hold for broken, and returns on how many they differ."""
    schema = uncounted(load_schema(name))
    frame = READERS[name]()
    begun = time.process_time()
    held: dict[str, bool] = {}
    for verdict in validate(frame, schema):
        held[verdict.part] = held.get(verdict.part, True) and verdict.success
    seconds = time.process_time() - begun
    typed = typed_frame(frame, schema)
    own = {rule: bool(node.evaluate(typed, schema).all()) for rule, node, _ in named_rules(schema)}
    judged = {rule: holds for rule, holds in own.items() if rule in held}
    differ = [rule for rule, holds in judged.items() if holds != held[rule]]
    print(
        f"{name}: {len(frame):,} rows, {len(schema.columns)} columns, {len(expectations_of(schema).expected)} "
        f"expectations in {seconds:.1f} s of processor time; {len(judged)} of {len(own)} rules judged by both, "
        f"{sum(not holds for holds in judged.values())} broken, {len(differ)} differ"
    )
    for rule in differ:
        print(f"  {rule}: medsynth {own[rule]}, great-expectations {held[rule]}")
    return len(differ)


if __name__ == "__main__":
    sys.exit(bool(sum([compare(name) for name in sys.argv[1:] or READERS])))
