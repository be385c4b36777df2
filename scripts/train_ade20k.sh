#!/usr/bin/env bash
# SPADE on ADE20K by the published protocol: data check, training, validation, pictures.
#   bash scripts/train_ade20k.sh ROOT [flags of i2i fit]
# ROOT is the unpacked ADEChallengeData2016 (see datasets/ade20k/README.md). Eight GPUs:
#   bash scripts/train_ade20k.sh ROOT -c configs/trainer/ddp.yaml -c configs/trainer/gpu8.yaml
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
i2i_train ade20k "$@"
