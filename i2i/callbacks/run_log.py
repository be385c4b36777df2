"""The log of a run as one CSV file, however often the run was interrupted."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from i2i.checkpoint import write_atomically


class RunLog(CSVLogger):
    """Writes ``logs/version_0/metrics.csv``. A continued run goes on in the newest such file.

    Args:
        folder: of the run.
        keep: rows of the file that stay: those that were there when the continued checkpoint was saved. Those after
            them are of steps that are done again. None starts another file.
    """

    def __init__(self, folder: Path, keep: int | None = None) -> None:
        super().__init__(folder, name="logs")
        newest = self._get_next_version() - 1
        if keep is not None and newest >= 0:
            self._version = newest
        self._keep = keep or 0

    @property
    @rank_zero_experiment
    def experiment(self) -> Rows:
        """The file; made, or cut, when it is first needed."""
        if self._experiment is None:
            self._experiment = Rows(self.log_dir, self._keep)
        assert isinstance(self._experiment, Rows)
        return self._experiment

    def flush(self) -> int:
        """Bring all rows to the disk; how many there are."""
        self.save()
        rows: Rows = self.experiment
        rows.synchronise()
        return rows.count


class Rows(ExperimentWriter):
    """Lightning's writer of rows, but what stands in the file stays; and the file is always a whole one.

    Args:
        folder: of the file.
        keep: see :class:`RunLog`.

    Attributes:
        count: of the rows in the file.
    """

    def __init__(self, folder: str, keep: int) -> None:
        self._keep = keep
        self.count = 0
        super().__init__(folder)

    def _check_log_dir_exists(self) -> None:
        """Take up what is to be kept, in the place where Lightning would remove it."""
        path = Path(self.metrics_file_path)
        if path.exists():
            rows = self._rows()[: self._keep]
            self.count = len(rows)
            if rows:
                self.metrics_keys = list(rows[0])
                self._write(rows, self.metrics_keys)
            else:
                path.unlink()

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """A further column."""
        self._write(self._rows(), fieldnames)

    def save(self) -> None:
        """Append the rows that were logged."""
        self.count += len(self.metrics)
        super().save()

    def synchronise(self) -> None:
        """Flush the file to the disk."""
        path = Path(self.metrics_file_path)
        if path.exists():
            with path.open("rb+") as file:
                os.fsync(file.fileno())

    def _rows(self) -> list[dict[str, str]]:
        with Path(self.metrics_file_path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: Sequence[dict[str, str]], columns: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.metrics_file_path, lambda file: file.write(text.getvalue().encode()))
