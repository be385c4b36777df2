#!/usr/bin/env bash
# SPADE on Cityscapes by the published protocol: data check, training, validation, pictures.
#   bash scripts/train_cityscapes.sh ROOT [flags of i2i fit]
# ROOT is the folder of leftImg8bit and gtFine (see datasets/cityscapes/README.md). Eight GPUs:
#   bash scripts/train_cityscapes.sh ROOT -c configs/trainer/ddp.yaml -c configs/trainer/gpu8.yaml
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
i2i_train cityscapes "$@"
