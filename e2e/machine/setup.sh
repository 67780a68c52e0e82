#!/bin/sh
# Brings what this machine lacks. Plain shell: the Makefile calls it before there is a .venv.
#
#   setup.sh python             a Python that can make .venv
#   setup.sh python build       also what Go needs to fetch modules
#   setup.sh python cluster     also root and the programs of needs.txt
#   setup.sh PROGRAM=PACKAGE    any other program
#
# It looks first and says nothing when all is there. As root on Debian or Ubuntu it installs what is
# missing with apt-get; elsewhere, and with SETUP=no, one line names it. PYTHON: the interpreter.
set -u
python=${PYTHON:-python3}
here=$(dirname "$0")
log=build/setup.log

die() {
    echo "setup: $*" >&2
    exit 1
}

need() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || packages="$packages $2"
}

need_python() {
    if ! command -v "$python" >/dev/null; then
        [ "$python" = python3 ] || die "PYTHON=$python is not there: name a Python 3.11 or newer"
        packages="$packages python3 python3-venv"
        return
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    case $version in
    3.1[1-9] | 3.[2-9][0-9]) ;;
    *) die "$python is Python $version, 3.11 or newer is needed: call make with PYTHON=python3.12 or another that is there" ;;
    esac
    "$python" -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python$version-venv"
}

need_certificates() { # where Go looks, on the systems it knows
    for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
        /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        [ -s "$file" ] && return
    done
    packages="$packages ca-certificates"
}

need_cluster() {
    [ "$(uname -s)" = Linux ] || die "the test cluster needs Linux (this is $(uname -s)): use a Linux machine or VM"
    while read -r program package; do
        case $program in '' | '#'*) ;; *) need "$program" "$package" ;; esac
    done <"$here/needs.txt"
}

need_all() { # sets packages: what is missing, each once
    packages=
    for what in "$@"; do
        case $what in
        python) need_python ;;
        build) need_certificates ;;
        cluster) need_certificates && need_cluster ;;
        *=*) need "${what%%=*}" "${what#*=}" ;;
        *) die "$what: python, build, cluster or PROGRAM=PACKAGE was meant" ;;
        esac
    done
    found=
    for package in $packages; do
        case " $found " in *" $package "*) ;; *) found="$found${found:+ }$package" ;; esac
    done
    packages=$found
}

apt() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 \
        -o Acquire::Retries=2 "$@" >>"$log" 2>&1 </dev/null
}

why() { # the line of the log that says most: what could not be fetched, else the last error
    grep -m 1 -E '^(E|W|Err).*(resolv|onnect|etch)' "$log" || grep '^E: ' "$log" | tail -n 1
}

install() {
    echo "installing with apt-get: $packages (SETUP=no refuses)"
    mkdir -p build && : >"$log"
    # shellcheck disable=SC2086 # one word each
    apt install --no-install-recommends $packages && return
    : >"$log" # a bare machine has no package lists, an old one has stale ones
    # shellcheck disable=SC2086
    apt update && apt install --no-install-recommends $packages && return
    die "apt-get could not install $packages: $(why); mend the network or the package sources and call make again (all it said: $log)"
}

need_all "$@"
case " $* " in *" cluster "*)
    [ "$(id -u)" = 0 ] || die "the test cluster needs root for its network namespaces: run make with sudo${packages:+; it will install $packages}"
    ;;
esac
[ -n "$packages" ] || exit 0

[ "${SETUP:-yes}" != no ] || die "SETUP=no, and missing: $packages; install them: apt-get install -y --no-install-recommends $packages"
command -v apt-get >/dev/null || die "missing: $packages (so they are called on Debian): install them with this system's package manager"
[ "$(id -u)" = 0 ] || die "missing: $packages; install them: sudo apt-get install -y --no-install-recommends $packages"
install
wanted=$packages
need_all "$@"
[ -z "$packages" ] || die "apt-get installed $wanted, and yet missing: $packages (all it said: $log)"
