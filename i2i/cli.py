"""The program `i2i`: finds the command, runs it, and says in one line what the user has to mend."""

from __future__ import annotations

import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence

from jsonargparse import ArgumentError

from i2i import __version__
from i2i.errors import Stopped, input_error, one_line

# Command -> the module of i2i.commands that runs it, and what it does. Modules are imported when they are called, so
# that `i2i --help` does not wait for torch.
COMMANDS = {
    "fit": ("fit", "train a model: i2i fit -c configs/camvid/spade.yaml"),
    "validate": ("fit", "measure a checkpoint on the validation split"),
    "test": ("fit", "measure a checkpoint on the test split"),
    "evaluate": ("evaluate", "FID, mIoU, LPIPS and more, with their protocol: i2i evaluate MODEL -c CONFIG"),
    "compare": ("compare", "measured runs side by side: i2i compare RUN RUN"),
    "train-judge": ("train_judge", "train a segmentation network that measures synthesised photos: mIoU"),
    "synthesize": ("synthesize", "label maps or images to photographs: i2i synthesize MODEL LABELS OUT"),
    "latents": ("latents", "strips from latent to latent, and their arithmetic: i2i latents MODEL OUT --labels MAP"),
    "demo": ("demo", "paint label maps on a page that shows their pictures as you paint: i2i demo [MODEL]"),
    "cluster-features": (
        "cluster_features",
        "what instances look like, to draw from: i2i cluster-features MODEL OUT -c CONFIG",
    ),
    "convert": (
        "convert",
        "checkpoints of the original SPADE and pix2pixHD code to a model of i2i: i2i convert FOLDER OUT",
    ),
    "export": ("export", "a model as a folder to give away: safetensors, ONNX, torch.export: i2i export MODEL OUT"),
    "push": ("hub", "an exported model to the Hugging Face Hub: i2i push FOLDER OWNER/NAME"),
    "pull": ("hub", "a model from the Hugging Face Hub into a folder: i2i pull OWNER/NAME OUT"),
    "data": ("data", "check a data set, cache it, or make one (edges, scenes): i2i data check -c CONFIG"),
    "tour": ("tour", "from the first GAN to SPADE, trained here and told on one page: i2i tour"),
    "models": ("models", "the families of models: parameters, work a picture, and the configuration to start from"),
    "memory": ("memory", "what a training step needs of memory, and what fits a card: i2i memory -c CONFIG"),
    "benchmark": ("benchmark", "how many times faster than the dense reference: i2i benchmark generator"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0, 1 for something the user has to mend, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text in any encoding
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")  # large photos are read, too large refused
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"i2i {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        return _fail(f"unknown command {arguments[0]!r}; there are {', '.join(COMMANDS)}", 2)
    _wait_briefly()
    module = importlib.import_module(f"i2i.commands.{COMMANDS[arguments[0]][0]}")
    try:
        return int(module.run(arguments))
    except (ArgumentError, ValueError) as error:
        mendable = input_error(error)
        if mendable is None and not isinstance(error, ArgumentError):
            raise
        return _fail(str(error), 2) if mendable is None else _fail(str(mendable), 1)
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        return _fail(
            f"a process that reads samples died ({str(error).strip(' .')}); where memory was short, fewer "
            f"--data.workers help; the last checkpoint is good",
            1,
        )
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Stopped as stopped:
        if str(stopped):
            print(stopped, flush=True)
        return stopped.status
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:
        if type(error).__name__ != "MisconfigurationException":  # the trainer's, whose library is not loaded for it
            raise
        return _fail(str(error), 1)


def _wait_briefly() -> None:
    """Let threads that wait for each other give up their core soon; takes effect where torch is not imported yet.

    By default those of OpenMP (GNU's, which torch brings) turn in circles for milliseconds. Where every core is theirs,
    that gains a few per cent; where another program wants one, training on the CPU becomes ten and more times slower.
    """
    if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        os.environ["GOMP_SPINCOUNT"] = "1000"


def _fail(message: str, status: int) -> int:
    print(one_line(message), file=sys.stderr)
    return status


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    intro = ["usage: i2i COMMAND …", "", "Semantic image synthesis: from a label map to a photograph.", ""]
    return "\n".join([*intro, *lines, "", "i2i COMMAND --help tells what a command takes."])
