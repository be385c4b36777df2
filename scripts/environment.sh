# Sourced by the other scripts: the virtual environment .venv in the project's folder.

# i2i_install [EXTRA]: install i2i (editable) with an extra; does nothing where that was done for this pyproject.toml.
i2i_install() {
    local extra="${1:-}" python="${PYTHON:-python3}" stamp
    stamp=".venv/.installed${extra:+-$extra}"
    if [ -x .venv/bin/python ] && [ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ]; then
        return
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "i2i needs Python 3.11 or later; $python is $("$python" --version). Name another with PYTHON=..." >&2
        exit 1
    fi
    echo "Installing i2i into .venv (PyTorch is large: several minutes the first time)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --editable ".${extra:+[$extra]}"
    touch "$stamp"
}

# i2i_train DATASET ROOT [flags of i2i fit]: data check, training (continued where it was left), validation, pictures
# of the validation maps. With RUN=folder in another place than runs/DATASET-spade.
i2i_train() {
    local dataset="$1" root="${2:?the first argument is the folder of the data set}" run flags=() data=() i
    run="${RUN:-runs/$dataset-spade}"
    shift 2
    i2i_install
    # The check sees the data set as `fit` will: with its configurations and its flags of the data set.
    flags=("$@")
    for ((i = 0; i < ${#flags[@]}; i++)); do
        case "${flags[i]}" in
            --data.*=* | --model.generator.*=* | --config=*) data+=("${flags[i]}") ;;
            --data.* | --model.generator.* | -c | --config) data+=("${flags[i]}" "${flags[i + 1]:-}") ;;
        esac
    done
    .venv/bin/i2i data check -c "configs/$dataset/spade.yaml" --data.source.root "$root" "${data[@]}"
    .venv/bin/i2i fit -c "configs/$dataset/spade.yaml" --data.source.root "$root" --run "$run" --resume auto "$@"
    .venv/bin/i2i validate -c "$run/config.yaml"
    echo "Trained: $run/checkpoints/last.ckpt; pictures after each epoch: $run/previews"
}
