"""Training by configuration: LightningCLI over one Translator and one DataModule."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins import CheckpointIO
from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only

from i2i.callbacks.checkpoint_io import AtomicCheckpointIO
from i2i.callbacks.checkpoints import LAST, checkpoints
from i2i.callbacks.evaluation import Evaluate
from i2i.callbacks.preview import Preview
from i2i.callbacks.progress import progress
from i2i.callbacks.run_log import RunLog
from i2i.callbacks.together import EndTogether
from i2i.checkpoint import remove_leftovers
from i2i.commands.accelerator import check_accelerator
from i2i.commands.resume import finish_saving, start_of, training_checkpoint
from i2i.data.check import check_cheap
from i2i.data.datamodule import DataModule
from i2i.data.loading import at_least
from i2i.errors import InputError
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.separate_ddp import serve_all_processes
from i2i.translator import Translator
from i2i.warm_start import warm_start


def train(
    cli: type[TrainingCLI], model: type[pl.LightningModule], data: type[pl.LightningDataModule], given: Sequence[str]
) -> None:
    """Run one of the three commands on the given arguments, the command itself first."""
    quieten()
    serve_all_processes()
    # Every parser raises instead of printing a page of usage: the program says in one line what is wrong.
    strict = {"exit_on_error": False}
    cli(
        model,
        data,
        save_config_callback=SaveConfig,
        save_config_kwargs={"save_to_log_dir": False},
        seed_everything_default=0,
        auto_configure_optimizers=False,
        trainer_defaults={
            "use_distributed_sampler": False,  # the loader's own sampler knows the processes
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 10,
            "enable_model_summary": False,
        },
        parser_kwargs=dict.fromkeys(cli.subcommands(), strict) | strict,
        args=list(given),
    )


def quieten() -> None:
    """What Lightning says of itself hides what the user has to read."""
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities"):
        for logger in (name, f"{name}.rank_zero", f"{name}.seed"):
            logging.getLogger(logger).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter.*")
    warnings.filterwarnings("ignore", message="The number of training batches.*")
    warnings.filterwarnings(
        "ignore", message="`broadcast_buffers` is deprecated.*"
    )  # the newer name is not in old ones
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message="(Experiment logs|Checkpoint) directory.*exists")  # it is continued


def _plugins(given: Any) -> list[Any]:
    """Those of the configuration; checkpoints that are always whole where they are written otherwise.

    Under SLURM the Trainer would answer signals, too, until training has begun, and put the job into the queue again
    itself; `scripts/slurm.sh` does that, by the exit status.
    """
    plugins = list(given) if isinstance(given, list) else [] if given is None else [given]
    if not any(isinstance(one, CheckpointIO) for one in plugins):
        plugins.append(AtomicCheckpointIO())
    placed = TorchElasticEnvironment.detect() or any(isinstance(one, ClusterEnvironment) for one in plugins)
    if not placed and SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


class SaveConfig(SaveConfigCallback):
    """Keeps the whole configuration, flags included, as ``config.yaml`` in the run's folder."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Called on the first process when training starts."""
        if stage == "fit":
            folder = Path(trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            config = self.config.clone()
            config.pop("resume")  # so that the file serves `validate` and `test`, and another `fit`, too
            self.parser.save(config, folder / "config.yaml", skip_unset=False, overwrite=True, multifile=False)


class TrainingCLI(LightningCLI):
    """The commands that take a configuration. What the data set knows (classes, channels) is never repeated there."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The commands, and the arguments of the Trainer's methods that are not options."""
        loop = {"model", "dataloaders", "datamodule", "ckpt_path", "weights_only", "verbose"}
        fit = {"model", "train_dataloaders", "val_dataloaders", "datamodule", "ckpt_path", "weights_only"}
        return {"fit": fit, "validate": loop, "test": loop}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The run's folder and checkpoints, and what flows from the data to the model."""
        parser.add_argument("--run", type=str, default="runs/unnamed", help="folder of this run: all that it writes")
        parser.add_argument("--checkpoint_every", type=int | None, default=None, help="epochs between kept checkpoints")
        text = "steps after which the newest checkpoint is written within an epoch, too (default: at its end alone)"
        parser.add_argument("--checkpoint_steps", type=int | None, default=None, help=text)
        text = "the logged value that the best checkpoint is chosen by (default validation/l1)"
        parser.add_argument("--monitor", type=str | None, default=None, help=text)
        text = "start the weights from those of another model, such as the earlier stage of coarse-to-fine training"
        parser.add_argument("--start_from", type=str | None, default=None, help=text)
        parser.add_argument("--previews", type=int, default=6, help="validation maps in each epoch's picture; 0: none")
        parser.link_arguments("data.semantics", "model.semantics", apply_on="instantiate")
        for network in ("generator", "discriminator", "encoder"):
            target = f"model.{network}.init_args.num_classes"
            parser.link_arguments("data.num_classes", target, apply_on="instantiate")
        self.link(parser)

    def link(self, parser: LightningArgumentParser) -> None:
        """What flows from pairs to the model that translates them, beside semantics and the number of classes."""
        parser.link_arguments("data.encoding", "model.encoding", apply_on="instantiate")
        parser.link_arguments("data.resize", "model.resize")
        for network in ("generator", "discriminator"):
            target = f"model.{network}.init_args.label_channels"
            parser.link_arguments("data.label_channels", target, apply_on="instantiate")

    def _dump_config(self) -> None:
        """Make Lightning's copy of the configuration, where it wants a place for every linked value, needed or not."""
        super()._dump_config()
        if self.config_dump["model"].get("encoder") is None:
            self.config_dump["model"]["encoder"] = {"init_args": {}}

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "fit":
            text = "continue from this checkpoint; auto: the newest whole one of the run"
            parser.add_argument("--resume", type=str | None, default=None, help=text)
        else:
            text = "the checkpoint to measure; auto: the best of the run, or the newest"
            parser.add_argument("--checkpoint", type=str, default="auto", help=text)
        return parser

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self._get(self.config_init, "run"))

    def before_instantiate_classes(self) -> None:
        """Refuse to write over another run, or an accelerator that is not there, before anything is loaded."""
        check_accelerator(self._get(self.config, "trainer")["accelerator"])
        if self.subcommand != "fit":
            return
        last = Path(self._get(self.config, "run")) / "checkpoints" / LAST
        if self._get(self.config, "resume") is None and last.exists():
            raise InputError(
                f"{last} exists; continue that run with --resume auto, or name another folder with --run FOLDER"
            )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """The trainer of the configuration, with the run's folder, logs, checkpoints and previews."""
        settings = self._get(self.config_init, "trainer")
        settings["default_root_dir"] = str(self.folder)
        callbacks: list[pl.Callback] = []
        if settings["enable_progress_bar"] is not False:
            callbacks.append(progress())
            settings["enable_progress_bar"] = isinstance(callbacks[0], ProgressBar)
        if self.subcommand == "fit":
            if settings["max_steps"] > 0:  # the trainer counts those of both optimizers
                settings["max_steps"] = self.model.optimizer_steps(settings["max_steps"])
            self.check_data()
            self._start = start_of(self._get(self.config_init, "resume"), self.folder / "checkpoints")
            settings["logger"] = self._loggers(settings["logger"])
            settings["plugins"] = _plugins(settings["plugins"])
            callbacks.append(EndTogether())
            if settings["enable_checkpointing"] is not False:
                monitor, mode = self._monitor(settings["callbacks"] or [])
                every = self._get(self.config_init, "checkpoint_every")
                steps = self._get(self.config_init, "checkpoint_steps")
                callbacks += checkpoints(self.folder / "checkpoints", monitor, every, mode, steps)
            previews = self._get(self.config_init, "previews")
            at_least("previews", previews, 0)
            if previews:
                callbacks.append(self.preview(str(self.folder / "previews"), previews))
            # A short epoch still leaves a line in the log.
            batches = len(self.datamodule.dataset("train")) // self.datamodule.batch_size
            settings["log_every_n_steps"] = max(1, min(settings["log_every_n_steps"] or 50, batches))
            kept = "checkpoints, previews, logs, tensorboard, config.yaml"
            rank_zero_only(print)(f"{self._sizes()}. Writing to {self.folder}: {kept}", flush=True)
        elif settings["logger"] is None:
            settings["logger"] = False
        settings["callbacks"] = [*(settings["callbacks"] or []), *callbacks]
        return super().instantiate_trainer(**kwargs)

    def check_data(self) -> None:
        """Look whether the data is fit to train on, before anything is built."""
        check_cheap(self.datamodule.source)

    def preview(self, folder: str, count: int) -> pl.Callback:
        """What shows after each epoch what was learned."""
        return Preview(folder, count)

    def measured(self) -> dict[str, str]:
        """The values that each validation logs, and whether their "min" or "max" is best; the first chooses."""
        split = self.datamodule.source.split("val")
        return {"validation/l1": "min"} if len(split) > 0 and split.read(0).photo is not None else {}

    def following(self, model: Translator, last: Path) -> str:
        """The command that comes after training."""
        if isinstance(model.encoder, InstanceEncoder):  # drawing its styles needs clusters
            return f"i2i cluster-features {quote(str(last))} MODEL -c {quote(str(self.folder / 'config.yaml'))}"
        return f"i2i synthesize {quote(str(last))} LABELS OUT"

    def _monitor(self, callbacks: Any) -> tuple[str | None, str]:
        """The logged value that the best checkpoint is chosen by, and whether its min or max is the best."""
        own = self.measured()
        known = dict(own)
        for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
            if isinstance(callback, Evaluate):
                known |= callback.monitors()
        monitor = self._get(self.config_init, "monitor")
        if monitor is None:
            monitor = next(iter(own), None)
        elif monitor not in known:
            raise InputError(f"monitor is {monitor!r}; here are logged {', '.join(known) or 'no values to choose by'}")
        return monitor, known.get(monitor, "min")

    def _loggers(self, given: Any) -> Any:
        """TensorBoard, or the loggers of the configuration; beside them always a CSV file. False is none at all."""
        if given is False:
            return False
        if given is None or given is True:
            given = TensorBoardLogger(self.folder, name="tensorboard", version="", purge_step=self._start.step)
        log = RunLog(self.folder, self._start.log_rows)
        return [log, *(given if isinstance(given, list) else [given])]

    def fit(self, model: Translator, datamodule: DataModule) -> None:
        """Train, from the start or from where a run was left."""
        path = self._start.path
        start = self._get(self.config_init, "start_from")
        if path is None and start is not None:
            report = warm_start(start, model.generator, model.discriminator, model.encoder, model.average)
            rank_zero_only(print)(report, flush=True)
        if self.trainer.is_global_zero:
            for name in ("checkpoints", "previews", "logs/*"):
                for written in self.folder.glob(name):
                    remove_leftovers(written)
            if path is not None:
                finish_saving(Path(path), self.folder / "checkpoints", self._get(self.config_init, "checkpoint_every"))
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=path, weights_only=True)
        except SystemExit as left:  # so Lightning ends a run that is interrupted before its first step
            if isinstance(left.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from left
            raise
        last = self.folder / "checkpoints" / LAST
        if self.trainer.is_global_zero and last.exists():
            print(f"Trained {self.trainer.current_epoch} epochs. Next: {self.following(model, last)}")

    def validate(self, model: Translator, datamodule: DataModule) -> None:
        """Measure on the validation split."""
        self.trainer.validate(model, datamodule=datamodule, ckpt_path=self._measured(), weights_only=True)

    def test(self, model: Translator, datamodule: DataModule) -> None:
        """Measure on the test split."""
        self.trainer.test(model, datamodule=datamodule, ckpt_path=self._measured(), weights_only=True)

    def _measured(self) -> str:
        given = self._get(self.config_init, "checkpoint")
        folder = self.folder / "checkpoints"
        candidates = [folder / "best.ckpt", folder / LAST] if given == "auto" else [Path(given)]
        path = next((path for path in candidates if path.exists()), candidates[-1])
        training_checkpoint(path)  # a damaged or foreign file is refused in one line, before Lightning opens it
        return str(path)

    def _sizes(self) -> str:
        networks = {name: getattr(self.model, name) for name in ("generator", "discriminator", "encoder")}
        counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items() if net is not None}
        return "Parameters: " + ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in counts.items())
