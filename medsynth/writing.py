"""Files written whole or not at all: beside their place, to the disk, then under their name in one step."""

import io
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from medsynth.errors import OutputError

OWNER_ONLY = 0o600
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Path, *, mode: int | None = None, side_car: tuple[Path, bytes] | None = None) -> Iterator[BinaryIO]:
    """Opens a file that takes its place when the block ends: readers see the old file or the whole new one.

    Args:
      path: Where the file shall stand; its folder exists.
      mode: Permissions, where the platform has them, for instance `OWNER_ONLY`; None leaves them to the user's mask. At
        no moment is the file open to more people.
      side_car: Another file and its bytes, in place just before this one, once both are on the disk.

    Raises:
      OutputError: If it cannot be written, or the disk is full, or no plain file stands there; what stood there stays,
        and nothing is left beside it. Other errors of the block pass as they are.
    """
    require_plain(path)
    temporary = path.with_name(f".medsynth-{secrets.token_hex(8)}.part")
    try:
        with _told(path):
            beside = _Beside(os.open(temporary, _FLAGS, 0o666 if mode is None else OWNER_ONLY), path)
        with io.BufferedWriter(beside) as file:
            yield cast(BinaryIO, file)
            with _told(path):
                file.flush()
                os.fsync(file.fileno())
        with _preceded(side_car), _told(path):
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)
    finally:
        with _told(path):
            temporary.unlink(missing_ok=True)


class _Beside(io.FileIO):
    """The file that is not yet in its place; its errors name that place, so that they differ from the block's own."""

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "wb")
        self._path = path

    def write(self, data: Any, /) -> int:
        with _told(self._path):
            return super().write(data)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritten(path, error, "with room on its disk") from error


@contextmanager
def _preceded(side_car: tuple[Path, bytes] | None) -> Iterator[None]:
    """A side-car in place before the block; if the block cannot write, one that is new goes again."""
    if side_car is None:
        yield
        return
    path, content = side_car
    stood = path.exists()
    replace_file(path, content)
    try:
        yield
    except OutputError:
        if not stood:
            path.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Writes bytes as `replacing` does.

    Raises:
      OutputError: If they cannot be written.
    """
    with replacing(path, mode=mode) as file:
        file.write(content)


def require_plain(path: Path) -> None:
    """Refuses a place that something else than a plain file holds, such as a folder or a device.

    Raises:
      OutputError: Naming it.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder. Name a file.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a plain file. Name another.")


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


@contextmanager
def exiting_on_signals() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into an exit (128 and their number), which removes what is half-written.

    A signal that is ignored, as under nohup, or handled elsewhere stays so.
    """
    known = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    main = threading.current_thread() is threading.main_thread()
    turned = [number for number in known if number and main and signal.getsignal(number) is signal.SIG_DFL]
    for number in turned:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in turned:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _: object) -> None:
    # A second one, of either kind, must not cut the removal short.
    for each in signal.valid_signals():
        if signal.getsignal(each) is _exit:
            signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)
