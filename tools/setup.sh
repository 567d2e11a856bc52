# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What ./quickstart and ./run-tests share: Debian packages when root, and virtual environments below .venv/.

# say SENTENCE: progress, on standard error so that standard output stays data.
say() {
    printf '==> %s\n' "$*" >&2
}

# die SENTENCE: end with one clear sentence.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# debian_packages PACKAGE...: install what is missing, when this is Debian or Ubuntu and we are root.
debian_packages() {
    command -v apt-get >/dev/null || return 0
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        say "not root, so not installed: ${missing[*]}"
        return 0
    fi
    say "installing ${missing[*]}"
    apt-get -qq update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# find_python: print the newest Python of this host that can run the project.
find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    die "no Python 3.10 or newer with venv found; install it (Debian and Ubuntu: apt-get install python3-venv)," \
        "or name it: PYTHON=/path/to/python $0"
}

# virtualenv DIRECTORY ARGUMENT...: make the environment and let its Python install what is needed when it is run with
# these arguments; nothing to do when that has been done before.
virtualenv() {
    local directory=$1 stamp interpreter
    shift
    stamp=$(printf '%s\n' "$@")
    mkdir -p "$directory"
    exec {lock}>"$directory.lock"
    flock "$lock"
    if [[ ! -f $directory/requirements || $(<"$directory/requirements") != "$stamp" ]]; then
        interpreter=$(find_python)
        say "setting up ${directory##*/} with $interpreter (about a minute)"
        "$interpreter" -m venv --clear "$directory"
        "$directory/bin/python" "$@" >&2
        printf '%s\n' "$stamp" >"$directory/requirements"
    fi
    exec {lock}>&-
}
