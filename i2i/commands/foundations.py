"""Training by configuration of the models of samples: GAN, WGAN, DCGAN, VAE."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.utilities import rank_zero_only

from i2i.commands.training import TrainingCLI
from i2i.foundations.measures import NEIGHBOURS
from i2i.foundations.preview import SamplePreview
from i2i.translator import Translator


class FoundationCLI(TrainingCLI):
    """The commands of :class:`TrainingCLI` for models of samples, whose shape the data set knows."""

    def link(self, parser: LightningArgumentParser) -> None:
        """The shape of the samples flows to the networks."""
        for network in ("generator", "discriminator", "encoder"):
            parser.link_arguments("data.shape", f"model.{network}.init_args.shape", apply_on="instantiate")

    def check_data(self) -> None:
        """Read one sample of the training and of the validation split; tell what so few are too few for."""
        for name in ("train", "val"):
            self.datamodule.source.split(name).read(0)
        count = len(self.datamodule.dataset("val"))
        if count <= NEIGHBOURS:
            rank_zero_only(print)(
                f"{count} samples to validate on: too few for the measures missed and closeness, which need "
                f"{NEIGHBOURS + 1}: they are left out",
                flush=True,
            )

    def preview(self, folder: str, count: int) -> pl.Callback:
        """Samples beside those of the data."""
        return SamplePreview(folder)

    def measured(self) -> dict[str, str]:
        """The energy distance of the samples to those of the data."""
        return {"validation/energy": "min"}

    def following(self, model: Translator, last: Path) -> str:
        """A look at the latent space."""
        of_class = ["--classes", "0"] if self.datamodule.num_classes else []
        return shlex.join(["i2i", "latents", str(last), "OUT", *of_class])
