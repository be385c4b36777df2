#!/usr/bin/env bash
#SBATCH --job-name=i2i
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=72:00:00
#SBATCH --output=%x-%j.log
# Several GPUs under SLURM, one task for each GPU; change the lines above to your cluster. From the project's folder:
#   sbatch scripts/slurm.sh -c configs/ade20k/spade.yaml --data.source.root ROOT --data.batch_size 4 --run runs/ade20k
# A job that ran out of time is continued by the same command: the newest checkpoint of the run is taken up.
set -euo pipefail
exec srun .venv/bin/i2i fit "$@" --resume auto \
    --trainer.accelerator gpu --trainer.devices "$SLURM_NTASKS_PER_NODE" --trainer.num_nodes "$SLURM_NNODES" \
    -c configs/trainer/ddp.yaml
