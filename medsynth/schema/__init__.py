"""Public descriptions of tables: what medsynth may know before it sees a row.

load_schema -> Schema (table.py)
  columns      columns.py, codes.py        category, boolean, integer, decimal, date, code, id, drop
  sections     sections.py                 dataset, privacy, rare, subgroups, utility, studies, policy
  predicates   predicate.py, parser.py     the one small language; evaluation.py runs it on a frame
  lists        combinations.py             values that a few columns may hold together
  derived      expression.py               columns that are computed
  checks       checks.py, domains.py       every name and value one part says about another
draft_schema -> Draft (draft.py)           what `medsynth init` writes; confirm.py confirms it
"""

from medsynth.schema.codes import CodeLevel, CodeSystem
from medsynth.schema.columns import (
    Boolean,
    Category,
    Code,
    Column,
    Date,
    Decimal,
    Drop,
    Id,
    Integer,
)
from medsynth.schema.confirm import confirm_schema
from medsynth.schema.draft import Draft, draft_schema
from medsynth.schema.expression import Expression
from medsynth.schema.load import build_schema, dump_schema, json_schema, load_schema, parse_schema, uncounted
from medsynth.schema.predicate import Predicate, parse_expression, parse_predicate
from medsynth.schema.sections import (
    Bounding,
    Dataset,
    Policy,
    Privacy,
    Rare,
    Study,
    Subgroup,
    Utility,
)
from medsynth.schema.shipped import schemas_folder, shipped_schemas
from medsynth.schema.table import Schema

__all__ = [
    "Boolean",
    "Bounding",
    "Category",
    "Code",
    "CodeLevel",
    "CodeSystem",
    "Column",
    "Dataset",
    "Date",
    "Decimal",
    "Draft",
    "Drop",
    "Expression",
    "Id",
    "Integer",
    "Policy",
    "Predicate",
    "Privacy",
    "Rare",
    "Schema",
    "Study",
    "Subgroup",
    "Utility",
    "build_schema",
    "confirm_schema",
    "draft_schema",
    "dump_schema",
    "json_schema",
    "load_schema",
    "parse_expression",
    "parse_predicate",
    "parse_schema",
    "schemas_folder",
    "shipped_schemas",
    "uncounted",
]
