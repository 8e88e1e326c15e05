#!/bin/sh
# Makes a fresh clone ready: uv, Python, the Python packages of uv.lock, and the Node packages of
# package-lock.json. What is pinned is what is installed. Run again, it compares a few files and ends.
#
# Wants a POSIX shell, python3 (3.8 or later, only to fetch uv where there is none) and a network.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.8
UV_OLDEST=0.9       # pyproject.toml says the same
DISK_MB=4096        # packages, caches and bundles of a first run, with room to spare
OWN=.andamio
STAMPS=$OWN/stamps

# Variables of the caller's shell that would send packages elsewhere, or foreign modules in here.
unset VIRTUAL_ENV CONDA_PREFIX UV_PROJECT_ENVIRONMENT UV_PROJECT PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

die() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# same FILE...: every file is as it was when its step was last completed.
same() {
    for file in "$@"; do
        cmp -s "$file" "$STAMPS/$file" || return 1
    done
}

# done_with FILE...: remember these files.
done_with() {
    mkdir -p "$STAMPS"
    for file in "$@"; do cp "$file" "$STAMPS/$file"; done
}

# step TITLE COMMAND...: run with the output in a log, seconds counting on a terminal; on failure show the log's end.
step() {
    title=$1
    shift
    mkdir -p "$OWN/logs"
    log=$OWN/logs/bootstrap.log
    begun=$(date +%s)
    "$@" >"$log" 2>&1 &
    child=$!
    trap 'kill "$child" 2>/dev/null; exit 130' INT TERM
    if [ -t 2 ]; then
        while kill -0 "$child" 2>/dev/null; do
            printf '\r%s ... %s s ' "$title" "$(($(date +%s) - begun))" >&2
            sleep 0.5
        done
    else
        printf '%s ...\n' "$title" >&2
    fi
    status=0
    wait "$child" || status=$?
    trap - INT TERM
    if [ "$status" -ne 0 ]; then
        printf '\n' >&2
        tail -n 20 "$log" | sed 's/^/  | /' >&2
        return "$status"
    fi
    [ ! -t 2 ] || printf '\r%s: %s s    \n' "$title" "$(($(date +%s) - begun))" >&2
}

# recent UV: this uv runs, and is new enough for the lock file.
recent() {
    said=$("$1" --version 2>/dev/null) || return 1
    printf '%s %s\n' "$said" "$UV_OLDEST" | awk '{
        split($2, is, "."); split($NF, least, ".")
        exit !(is[1] > least[1] || (is[1] == least[1] && is[2] + 0 >= least[2] + 0))
    }'
}

find_uv() {
    for UV in "$(command -v uv || true)" "$PWD/$OWN/uv/bin/uv"; do
        if [ -n "$UV" ] && recent "$UV"; then return; fi
    done
    install_uv
    UV=$PWD/$OWN/uv/bin/uv
}

install_uv() {
    hint="install uv yourself (https://docs.astral.sh/uv/getting-started/installation/) and run the same command again."
    command -v python3 >/dev/null || die "Neither uv nor python3 is on this machine's PATH. Install python3, or $hint"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null ||
        die "python3 does not run, or is older than 3.8: uv cannot be installed with it. Install another, or $hint"
    rm -rf "$OWN/uv"
    step "Making a place for uv" python3 -m venv "$OWN/uv" ||
        die "python3 cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv. Or $hint"
    step "Installing uv $UV_VERSION" "$OWN/uv/bin/python" -m pip install --quiet "uv==$UV_VERSION" ||
        die "pip could not install uv. Is there a network, and can it reach the package index? Or $hint"
}

check_disk() {
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$DISK_MB" ] ||
        die "The disk has $free MB left, and a first run wants $DISK_MB. Make room, or clone onto another disk."
}

install_python_packages() {
    "$UV" python find --quiet >/dev/null 2>&1 || step "Fetching Python $(cat .python-version)" "$UV" python install ||
        die "There is no Python $(cat .python-version) here, and it could not be downloaded.
Install it (apt install python3.13, brew install python@3.13, pyenv install 3.13, ...) and run the same command again."
    step "Installing the Python packages of uv.lock" "$UV" sync --frozen || die \
        "The Python packages could not be installed. Check the network and the disk, and run the same command again."
}

install_node_packages() {
    step "Installing the Node packages of package-lock.json" \
        .venv/bin/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error ||
        die "The Node packages could not be installed. Check the network and the disk, and run the same command again."
}

mkdir -p "$OWN"
# An environment knows where it is by its absolute path: after the clone has moved, it is made again.
if [ "$(cat "$STAMPS/place" 2>/dev/null)" != "$PWD" ]; then
    if [ -d "$STAMPS" ]; then rm -rf .venv "$OWN/emulator" "$OWN/uv" "$STAMPS"; fi
    mkdir -p "$STAMPS"
    printf '%s\n' "$PWD" >"$STAMPS/place"
fi

if ! .venv/bin/python -c '' 2>/dev/null || ! same uv.lock pyproject.toml .python-version; then
    [ -d .venv ] || check_disk
    find_uv
    install_python_packages
    done_with uv.lock pyproject.toml .python-version
fi
if ! [ -d node_modules ] || ! same package-lock.json; then
    install_node_packages
    done_with package-lock.json
fi
