"""Several processes: the gradients of generator and discriminator are averaged separately, each when its turn ends.

PyTorch's ``DistributedDataParallel`` around the whole module would average both networks' gradients in both turns, and
walk the graph each time to find the parameters that are not used. Here each player has a reducer of its own, which its
backward pass alone sets going: every gradient travels once a step, and nothing has to be looked for. Between the
boundaries of accumulated steps nothing travels.

Parameters, gradients, optimizer and average are whole on every process. Sharding them does not pay for these networks:
SPADE's generator and discriminator on ADE20K have 102 million parameters, 0.4 GB in float32, and Adam's two moments are
0.8 GB; ZeRO over eight processes would free 0.7 GB of each card, where the activations of a batch of four take several
times as much, and the averaged generator and every checkpoint would have to be gathered. FSDP would shard weights and
gradients, too (0.7 GB), but gather the weights in each pass of each player, and the discriminator has three a step;
its flat or sharded parameters cannot be normalised by their spectral norm without gathering them. ``i2i memory`` says
what the optimizers take of a card, and what activation checkpointing and half precision save: more, at no traffic.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.overrides.distributed import (
    _register_ddp_comm_hook,
    _sync_module_states,
    prepare_for_backward,
)
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from i2i.two_player import TwoPlayerModule


class SeparateDDP(DDPStrategy):
    """Data-parallel training of a :class:`TwoPlayerModule`, with a reducer for each player.

    Processes start with the weights of the first one. Buffers are not broadcast: they are equal already, as batch
    statistics are global. What of a player is frozen is not waited for; when parts are frozen or released on all
    processes, its reducer is made anew.

    Args:
        options: of :class:`pytorch_lightning.strategies.DDPStrategy` and
            :class:`torch.nn.parallel.DistributedDataParallel`. Gradients live in the reducers' buckets unless
            ``gradient_as_bucket_view`` is false, which would keep them twice; ``init_sync`` must stay false, as weights
            are equal and may not be written to between a forward and its backward pass.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gradient_as_bucket_view": True, "init_sync": False} | options)
        self._reducers: dict[int, tuple[tuple[int, ...], DistributedDataParallel]] = {}
        self._at_boundary = True

    def configure_ddp(self) -> None:
        """Start alike on all processes. The module itself is not wrapped: reducers are made when they are needed."""
        if not isinstance(self.lightning_module, TwoPlayerModule):
            raise TypeError(f"{type(self).__name__} trains two players, not a {type(self.lightning_module).__name__}")
        _sync_module_states(self.lightning_module)

    @contextmanager
    def block_backward_sync(self) -> Generator[None, None, None]:
        """Within it gradients are added up on each process alone."""
        self._at_boundary = False
        try:
            yield
        finally:
            self._at_boundary = True

    def pre_backward(self, closure_loss: Tensor) -> None:
        """Set the reducer going of the player whose turn it is: the one whose parameters take gradients."""
        if not self._at_boundary:
            return
        assert isinstance(self.lightning_module, TwoPlayerModule)
        for player, parameters in enumerate(self.lightning_module.players()):
            trained = [parameter for parameter in parameters if parameter.requires_grad]
            if trained:
                prepare_for_backward(self._reducer(player, trained), closure_loss)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Nothing is left to do: reducers finish with the backward pass."""

    def teardown(self) -> None:
        """Let go of the reducers."""
        self._reducers.clear()
        super().teardown()

    def _reducer(self, player: int, trained: Iterable[nn.Parameter]) -> DistributedDataParallel:
        """The player's reducer. It is never called: it only hears of the gradients of its parameters."""
        parameters = nn.ParameterList(trained)
        key = tuple(id(parameter) for parameter in parameters)
        known = self._reducers.get(player)
        if known is None or known[0] != key:
            reducer = self._setup_model(parameters)
            if self._ddp_comm_hook is not None:
                _register_ddp_comm_hook(reducer, self._ddp_comm_state, self._ddp_comm_hook, self._ddp_comm_wrapper)
            self._reducers[player] = key, reducer
        return self._reducers[player][1]


def serve_all_processes() -> None:
    """Make :class:`SeparateDDP` what the Trainer takes for ``ddp``, and by itself where there are several devices."""
    for name, start in (("ddp", "popen"), ("ddp_spawn", "spawn"), ("ddp_fork", "fork"), ("ddp_notebook", "fork")):
        StrategyRegistry.register(name, SeparateDDP, "a reducer for each player", override=True, start_method=start)
