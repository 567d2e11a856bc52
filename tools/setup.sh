# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What ./quickstart and ./run-tests share: Debian packages when root, and a place outside of the checkout for what they
# make, since Salt serves a checkout that is a file root with all that lies in it.

# say SENTENCE: progress, on standard error so that standard output stays data.
say() {
    printf '==> %s\n' "$*" >&2
}

# die SENTENCE: end with one clear sentence.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# cache_directory CHECKOUT: print the directory that belongs to this checkout and user; SSMPATCH_CACHE names another.
cache_directory() {
    local checkout base=${XDG_CACHE_HOME:-}
    if [[ -n ${SSMPATCH_CACHE:-} ]]; then
        printf '%s\n' "$SSMPATCH_CACHE"
        return
    fi
    # Not $HOME: after sudo or su it may be another user's. A relative XDG_CACHE_HOME counts for nothing.
    [[ $base == /* && -O $base ]] || base=$(getent passwd "$EUID" | cut -d: -f6)/.cache
    checkout=$(cd -- "$1" && pwd -P)
    printf '%s/ssmpatch/%s-%s\n' "$base" "${checkout##*/}" "$(printf '%s' "$checkout" | sha256sum | cut -c1-12)"
}

# private_directory DIRECTORY: make it, for this user alone.
private_directory() {
    mkdir -p -m 0700 -- "$1" 2>/dev/null && [[ -w $1 && -x $1 ]] ||
        die "$1 cannot be made or written by $(id -un); name another directory: SSMPATCH_CACHE=/path $0"
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
    without_daemons apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >/dev/null
}

# without_daemons COMMAND...: run it; packages that it installs start no daemon of theirs (they ask policy-rc.d).
without_daemons() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f -- "$policy"' EXIT
        install -m 0755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101'
    fi
    DEBIAN_FRONTEND=noninteractive "$@"
)

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
        # What pip compiles lies beside its source, also for those who see the environment from a root and read-only.
        env -u PYTHONPYCACHEPREFIX "$directory/bin/python" "$@" >&2
        printf '%s\n' "$stamp" >"$directory/requirements"
    fi
    exec {lock}>&-
}
