"""Every error a user can meet, with the exit code of the command line.

    MedsynthError            1   a defect of medsynth itself, if raised bare
    ├── UsageError           2   an option or argument is wrong
    ├── InputError           3   a file is wrong
    │   ├── SchemaError          the table description
    │   ├── DataError            the table
    │   └── ModelFileError       the fitted model
    ├── BudgetError          4   the privacy budget does not allow it
    ├── GateError            5   a release policy line is not met
    └── OutputError          6   a result cannot be written

A message says where, what was found, what is allowed and what to do. It never holds a private value, count or row
number.
"""

from typing import ClassVar


class MedsynthError(Exception):
    """Root of the tree."""

    exit_code: ClassVar[int] = 1


class UsageError(MedsynthError):
    """An option or argument is outside what is allowed."""

    exit_code = 2


class InputError(MedsynthError):
    """A file given by the user cannot be used."""

    exit_code = 3


class SchemaError(InputError):
    """The table description is wrong."""


class DataError(InputError):
    """The table as a whole (never one row's content) cannot be used."""


class ModelFileError(InputError):
    """The model file is damaged, altered or of another version."""


class BudgetError(MedsynthError):
    """The privacy budget of the population does not allow the request."""

    exit_code = 4


class GateError(MedsynthError):
    """A line of the release policy is not met."""

    exit_code = 5


class OutputError(MedsynthError):
    """A result cannot be written."""

    exit_code = 6
