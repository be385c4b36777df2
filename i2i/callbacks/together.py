"""The processes of a training end together."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback

import pytorch_lightning as pl
import torch.distributed as dist
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from i2i.callbacks.interruption import end_now
from i2i.errors import Stopped, input_error, one_line

_PATIENCE = 10.0  # seconds in which the process that failed first tells why


class EndTogether(pl.Callback):
    """Where one of several processes fails, all end at once, and what it had to say is read.

    The others would wait for it: until gloo notices that a connection is closed, until NCCL's timeout of half an hour.
    """

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Tell the error and leave, before anything is torn down in which the others take part."""
        if trainer.world_size == 1 or isinstance(exception, Stopped | KeyboardInterrupt | SystemExit):
            return
        mendable = input_error(exception)
        if mendable is not None:
            text = one_line(mendable)
        elif _is_of_another_process(exception):
            _wait_for_message(trainer)
            text = one_line(f"process {trainer.global_rank}: another process has ended; see its message")
        else:
            text = f"process {trainer.global_rank}:\n{''.join(traceback.format_exception(exception))}"
        sys.stdout.flush()
        print(text, file=sys.stderr, flush=True)
        end_now(trainer, 1)


def _is_of_another_process(error: BaseException) -> bool:
    """Whether it is the communication that has failed."""
    words = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


def _wait_for_message(trainer: pl.Trainer) -> None:
    """The first process kills those that it has started, but not one that is about to tell why it failed."""
    launcher = trainer.strategy.launcher
    started: list[subprocess.Popen[bytes]] = launcher.procs if isinstance(launcher, _SubprocessScriptLauncher) else []
    end = time.monotonic() + _PATIENCE
    while started and all(process.poll() is None for process in started) and time.monotonic() < end:
        time.sleep(0.1)
