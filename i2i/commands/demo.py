"""`i2i demo [MODEL]`: the painting page and its API, on this machine."""

from __future__ import annotations

import argparse
import contextlib
import socket
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from threading import Timer

from i2i.commands.arguments import Parser
from i2i.errors import InputError
from i2i.synthesizer import Synthesizer

QUICKSTART = Path("runs/quickstart/checkpoints/last.ckpt")


def run(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C."""
    options = _parser().parse_args(arguments[1:])
    path = _model_file(options.model)
    if not 0 <= options.port <= 65535:
        raise InputError(f"--port is {options.port}; allowed are 0 (any that is free) to 65535")
    try:
        import uvicorn

        from i2i.service.app import create_app
        from i2i.service.gallery import maps, moods
        from i2i.service.guard import is_loopback
        from i2i.service.limits import Limits
        from i2i.service.model import Model
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "i2i":
            raise
        raise InputError(f"i2i demo needs {error.name}; install its extra: pip install 'i2i[demo]'") from error
    limits = Limits(pixels=options.pixels, body=options.bytes, queue=options.queue, answer=options.timeout)
    size = None if options.size is None else _size(options.size, limits.pixels)
    listening = _listen(options.host, options.port)  # before the time is spent to load a model
    model = Model(Synthesizer.load(path, device=options.device, ema=not options.raw), size)
    loopback = is_loopback(options.host)
    app = create_app(model, _name(path), maps(model, options.maps), moods(model, options.styles), limits, loopback)
    address = _address(options.host, listening.getsockname()[1])
    listening.listen()  # who comes as soon as the address is told waits, and is not turned away
    print(f"Paint at {address} (the API is described at {address}docs; Ctrl-C ends)", flush=True)
    if not loopback:
        print("The page is open to everyone who reaches this machine: there is no password", flush=True)
    if options.open:
        Timer(0.5, webbrowser.open, [address]).start()
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, ws="none", limit_concurrency=128, timeout_graceful_shutdown=3
    )
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _model_file(given: Path | None) -> Path:
    if given is not None:
        return given
    if not QUICKSTART.exists():
        raise InputError(
            f"no model is named, and the quickstart's is not here ({QUICKSTART}); make it with "
            "`bash scripts/quickstart.sh`, or name one: i2i demo MODEL"
        )
    return QUICKSTART


def _size(size: Sequence[int], most: int) -> tuple[int, int]:
    height, width = size
    if min(size) < 1 or height * width > most:
        raise InputError(f"--size is {height} {width}; allowed are 1 to {most} pixels in all")
    return height, width


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"cannot listen at {host}, port {port}: {reason}; choose others by --host and --port"
        ) from error
    return listening


def _address(host: str, port: int) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def _name(path: Path) -> str:
    """``runs/quickstart/checkpoints/last.ckpt`` -> ``quickstart``: the run says more than the file."""
    return path.parent.parent.name if path.parent.name == "checkpoints" and path.parent.parent.name else path.stem


def _parser() -> argparse.ArgumentParser:
    parser = Parser("i2i demo", description="A page to paint label maps on that shows their pictures as you paint.")
    add = parser.add_argument
    add("model", type=Path, nargs="?", help=f"a model of label maps; the quickstart's by default ({QUICKSTART})")
    add("--styles", type=Path, metavar="FOLDER", help="photos for the style gallery (models with a style encoder)")
    add("--maps", type=Path, metavar="FOLDER", help="label maps to start from")
    add("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="of the map to paint; by default as in training")
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto (default)")
    add("--raw", action="store_true", help="the trained weights instead of their moving average")
    add("--host", default="127.0.0.1", help="address to listen at; the default is for this machine alone")
    add("--port", type=int, default=7860, help="to listen at (default 7860); 0 takes one that is free")
    add("--open", action="store_true", help="open the page in the browser")
    add("--pixels", type=int, default=2048 * 1024, help="of the largest label map (default 2048 x 1024)")
    add("--bytes", type=int, default=16 * 2**20, help="of the largest request (default 16 MiB)")
    add("--queue", type=int, default=32, help="requests that may wait; further ones get 429 (default 32)")
    add("--timeout", type=float, default=60.0, help="seconds a client waits at most for a picture (default 60)")
    return parser
