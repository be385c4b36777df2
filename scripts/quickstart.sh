#!/usr/bin/env bash
# From nothing to photographs: makes .venv, installs i2i, trains a small SPADE with style encoder on the embedded
# procedural landscapes, and synthesises held-out maps in several styles. Run again, it reuses what stands.
#   RUN=folder PYTHON=python3.12 bash scripts/quickstart.sh [flags of i2i fit]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
run="${RUN:-runs/quickstart}"
model="$run/checkpoints/last.ckpt"

i2i_install demo
if [ -e "$run/trained" ]; then
    echo "Already trained: $model"
else
    echo "Training; $run/previews gets a picture after every epoch"
    .venv/bin/i2i fit -c configs/scenes/spade.yaml --run "$run" --resume auto "$@"
    touch "$run/trained"
fi
.venv/bin/python scripts/scenes_pictures.py "$model" "$run/pictures"
cat <<EOF

Look at
  $run/pictures/comparison.png   label map | synthesised | real, of scenes that were held out
  $run/pictures/styles.png       one map in the styles of several photos
The checkpoint is $model; it needs no other file. Paint with it in your browser:
  .venv/bin/i2i demo $model --open
Or:
  .venv/bin/i2i data write-scenes $run/scenes --train 0 --val 20 --size 128 128
  .venv/bin/i2i synthesize $model $run/scenes/val/labels $run/photos --instances $run/scenes/val/instances --count 3
  .venv/bin/python scripts/scenes_style_control.py $model
EOF
