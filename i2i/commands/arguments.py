"""The argument parser of the small commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from jsonargparse import ArgumentError


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one line, printed where all errors of the program are printed."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise ArgumentError(None, f"{message}; see {self.prog} --help")


def split_flags(arguments: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags of these names and their parts (``--data``, ``--data.batch_size``) with a value each, and the rest.

    >>> split_flags(["model", "--data.batch_size", "4", "--limit", "3", "--data.workers=0"], ["--data"])
    (['--data.batch_size', '4', '--data.workers=0'], ['model', '--limit', '3'])
    """
    own: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        flag, equals, _ = argument.partition("=")
        if flag.split(".")[0].rstrip("+") not in names:
            others.append(argument)
            continue
        own.append(argument)
        if not equals and rest:
            own.append(rest.pop(0))
    return own, others
