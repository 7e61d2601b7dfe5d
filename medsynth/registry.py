"""Small tables of names, resolved on first use so that nobody imports a heavy library by accident."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from medsynth.errors import UsageError


class Registry(Mapping[str, Any]):
    """Maps a public name to `module:attribute`, imported when it is asked for.

    >>> shapes = Registry("shape", "collections", {"chain": ".abc:Mapping"})
    >>> shapes["chain"].__name__
    'Mapping'
    >>> shapes["ring"]
    Traceback (most recent call last):
        ...
    medsynth.errors.UsageError: Shape 'ring' is not one of chain.
    """

    def __init__(self, kind: str, package: str, targets: Mapping[str, str]) -> None:
        self._kind = kind
        self._package = package
        self._targets = dict(targets)

    def __getitem__(self, name: str) -> Any:
        if name not in self._targets:
            allowed = ", ".join(sorted(self._targets))
            raise UsageError(f"{self._kind.capitalize()} '{name}' is not one of {allowed}.")
        module, _, attribute = self._targets[name].partition(":")
        relative = module if module.startswith(".") else f".{module}"
        return getattr(import_module(relative, self._package), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)
