#!/usr/bin/env bash
# Several GPUs on one or more machines with torchrun, one process for each GPU; no scheduler is needed:
#   bash scripts/torchrun.sh GPUS -c configs/ade20k/spade.yaml --data.source.root ROOT --data.batch_size 4
# More machines: run it on each of them with NODES, NODE_RANK (0 on the first) and MASTER (the address of the first).
# Ctrl-C and SIGTERM to torchrun reach all processes, which save after the current step if that takes less than half a
# minute; the same command with --resume auto goes on. data.batch_size counts for each process. PYTHON names another interpreter than that of .venv.
set -euo pipefail
gpus="${1:?the first argument is the number of GPUs of this machine}"
shift
exec "${PYTHON:-.venv/bin/python}" -m torch.distributed.run \
    --nnodes "${NODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node "$gpus" \
    --master-addr "${MASTER:-127.0.0.1}" --master-port "${PORT:-29500}" \
    -m -- i2i fit --trainer.accelerator gpu --trainer.devices "$gpus" --trainer.num_nodes "${NODES:-1}" "$@"
