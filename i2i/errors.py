"""The one error that is the user's to mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something given to i2i cannot be used: a file, a value, an option.

    The message is one line that names the thing, the value found and what is allowed. The command line prints it
    without a traceback and exits with status 1; in Python it is an ordinary ``ValueError``.
    """


class Stopped(Exception):
    """A training was asked to end by a signal and has saved its state. The command line exits with ``status``.

    Args:
        message: what to tell; empty on all processes but one.
        status: by convention 128 and the number of the signal.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def one_line(message: object) -> str:
    """How the program tells what the user has to mend."""
    return f"i2i: error: {' '.join(str(message).split())}"


def input_error(error: BaseException | None) -> InputError | None:
    """What the user has to mend, which a library may have wrapped in errors of its own."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error
