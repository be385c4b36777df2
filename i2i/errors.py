"""The one error that is the user's to mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something given to i2i cannot be used: a file, a value, an option.

    The message is one line that names the thing, the value found and what is allowed. The command line prints it
    without a traceback and exits with status 1; in Python it is an ordinary ``ValueError``.
    """
