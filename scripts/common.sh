# shellcheck shell=bash
# What several scripts need; sourced, from the top of the tree.

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# Debian packages that must be there. Root gets what is missing; others are told what to install.
need_packages() {
    local missing=() package
    for package in "$@"; do
        # The middle word of the status is `ok` also for packages that were removed.
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || die "missing Debian packages; as root: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    install_packages "${missing[@]}" || die "could not install ${missing[*]}"
}

# In a subshell, for the sake of its trap. No daemon is started by an installation: those that the
# tests want run with configurations of their own.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    for attempt in 1 2 3; do
        apt_quietly update && apt_quietly install --no-install-recommends "$@" && exit 0
        say "apt-get failed (attempt $attempt of 3)"
        sleep $((attempt * 5))
    done
    exit 1
)

apt_quietly() {
    local output
    output=$(DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 \
        -o Dpkg::Options::=--force-confold "$@" 2>&1 </dev/null) || { say "$output"; return 1; }
}

# Where cargo puts what it builds.
target_directory() { printf '%s\n' "${CARGO_TARGET_DIR:-$PWD/target}"; }
