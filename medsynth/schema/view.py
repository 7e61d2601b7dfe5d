"""What predicates and expressions need to know of a schema."""

from collections.abc import Mapping
from typing import Any, Protocol


class SchemaView(Protocol):
    """The part of a Schema that evaluation reads."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """Column descriptions by name."""
        ...

    @property
    def derived_expressions(self) -> Mapping[str, Any]:
        """Expressions of derived columns, each after those it depends on."""
        ...
