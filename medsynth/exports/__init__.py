"""A schema in the words of other tools: exporters by name, resolved on first use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medsynth.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is written for another tool.

    Attributes:
      content: JSON.
      summary: What it holds, in one sentence.
      left_out: What the other tool cannot say, by its name in messages, with the reason.
      hint: What the other tool needs to use it.
    """

    content: Mapping[str, Any]
    summary: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""


EXPORTERS = Registry("format", __name__, {"gx": "gx:suite"})
"""Functions from a schema to an `Export`."""
