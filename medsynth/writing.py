"""Files written whole or not at all: beside their place, to the disk, then under their name in one step."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from medsynth.errors import OutputError

OWNER_ONLY = 0o600
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Opens a file that takes its place when the block ends: readers see the old file or the whole new one.

    Args:
      path: Where the file shall stand; its folder exists.
      mode: Permissions, where the platform has them, for instance `OWNER_ONLY`; None leaves them to the user's mask. At
        no moment is the file open to more people.

    Raises:
      OutputError: If it cannot be written, or the disk is full; what stood there stays, and nothing is left beside it.
    """
    temporary = path.with_name(f".medsynth-{secrets.token_hex(8)}.part")
    try:
        try:
            with os.fdopen(os.open(temporary, _FLAGS, 0o666 if mode is None else OWNER_ONLY), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritten(path, error, "with room on its disk") from error


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Writes bytes as `replacing` does.

    Raises:
      OutputError: If they cannot be written.
    """
    with replacing(path, mode=mode) as file:
        file.write(content)


def make_folder(folder: Path, *, owner_only: bool = False) -> None:
    """Makes a folder, and those above it, where they are missing.

    Raises:
      OutputError: If it cannot be made, or a file stands in its place.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700 if owner_only else 0o777, exist_ok=True)
        if owner_only:
            folder.chmod(0o700)
    except OSError as error:
        raise _unwritten(folder, error, "or name another") from error


def _unwritten(path: Path, error: OSError, also: str) -> OutputError:
    reason = error.strerror or type(error).__name__
    return OutputError(f"{path}: cannot be written ({reason}). Choose a folder you may write to, {also}.")
