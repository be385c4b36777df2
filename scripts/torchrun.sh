#!/usr/bin/env bash
# Several GPUs on one or more machines with torchrun, which restarts nothing and needs no scheduler:
#   bash scripts/torchrun.sh GPUS -c configs/ade20k/spade.yaml --data.source.root ROOT --data.batch_size 4
# More machines: set NODES, NODE_RANK (0 on the first) and MASTER (its address) on each of them.
# data.batch_size counts for each process.
set -euo pipefail
gpus="${1:?the first argument is the number of GPUs of this machine}"
shift
exec torchrun --nnodes "${NODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node "$gpus" \
    --master-addr "${MASTER:-127.0.0.1}" --master-port "${PORT:-29500}" \
    -m -- i2i fit "$@" --trainer.accelerator gpu --trainer.devices "$gpus" --trainer.num_nodes "${NODES:-1}" \
    -c configs/trainer/ddp.yaml
