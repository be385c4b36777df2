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
