"""How a command ends that something stopped: its exit code and what is said."""

from collections.abc import Iterator

from medsynth.errors import MedsynthError, OutputError


class Note(str):
    """A word of ours on an error; notes from elsewhere may quote private values."""

    __slots__ = ()


def ending(error: BaseException) -> tuple[int, str]:
    """Exit code and message of what ended a command; messages from elsewhere may quote private values."""
    code, message = _ending(error)
    return code, " ".join((message, *_notes(error)))


def _ending(error: BaseException) -> tuple[int, str]:
    match error:
        case MedsynthError():
            return error.exit_code, str(error)
        case KeyboardInterrupt() | SystemExit():
            return getattr(error, "code", 130), "interrupted; nothing half-written was left, and what was booked stays."
        case MemoryError():
            return 6, "not enough memory on this machine. Draw fewer rows with -n, or use a larger machine."
        case OSError():
            reason = error.strerror or type(error).__name__
            return OutputError.exit_code, f"{reason}. Check the path, its permissions and the disk."
        case _:
            return 1, f"internal error ({type(error).__name__}); run again with --debug on public data and report it."


def _notes(error: BaseException | None) -> Iterator[str]:
    """Our notes on an error and on those it came from: the command line turns an interrupt into an exit."""
    while error is not None:
        yield from (note for note in getattr(error, "__notes__", ()) if isinstance(note, Note))
        error = error.__cause__ or error.__context__
