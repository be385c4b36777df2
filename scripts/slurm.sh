#!/usr/bin/env bash
#SBATCH --job-name=i2i
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=72:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
# One or more machines under SLURM, one task for each GPU; change the lines above to your cluster, or override them:
#   sbatch scripts/slurm.sh -c configs/ade20k/spade.yaml --data.source.root ROOT --data.batch_size 4 --run runs/ade20k
#   sbatch --nodes 2 scripts/slurm.sh …
# From the project's folder. data.batch_size counts for each task. Five minutes before its time is up, SLURM sends all
# tasks SIGUSR1: they save after the current step and end with status 138, the job is put into the queue again and goes
# on from there. A job that was cancelled or failed is continued by the same command: the newest whole checkpoint of the
# run is taken up. PYTHON names another interpreter than that of .venv.
set -euo pipefail
status=0
srun "${PYTHON:-.venv/bin/python}" -m i2i fit --resume auto --trainer.accelerator gpu \
    --trainer.devices "$SLURM_NTASKS_PER_NODE" --trainer.num_nodes "$SLURM_NNODES" "$@" || status=$?
if [ "$status" -eq 138 ]; then # 128 and SIGUSR1
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
