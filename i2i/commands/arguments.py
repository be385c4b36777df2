"""The argument parser of the small commands."""

from __future__ import annotations

import argparse
from typing import NoReturn

from jsonargparse import ArgumentError


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one line, printed where all errors of the program are printed."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise ArgumentError(None, f"{message}; see {self.prog} --help")
