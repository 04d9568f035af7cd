# What pgofs needs from the machine, and how it gets it. Sourced by demo, test and bench.
#
# Only Debian's own packages are installed, only those that are missing, and every one is named first. Installing needs root; a
# machine that has everything needs neither root nor a network.
# shellcheck shell=bash

# Prints the packages for a purpose.
packages_to() {
  case $1 in
  build)
    echo meson ninja-build gcc libc6-dev pkg-config
    echo libfuse3-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libdeflate-dev libpcre2-dev libexpat1-dev libjansson-dev
    echo libxxhash-dev libyaml-dev libc-ares-dev libmicrohttpd-dev
    ;;
  run) echo fuse3 ;;
  test)
    echo libcriterion-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler
    echo ca-certificates # for Go's module proxy
    echo python3 procps curl openssl tar busybox rsync mandoc shellcheck git
    echo clang && clang_runtime
    ;;
  bench) echo valgrind rclone s3fs ;;
  esac
}

# Clang's own sanitizer runtime and libFuzzer are in a package named for its version.
clang_runtime() {
  apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p' | head -n 1
}

# Prints the comment at the top of the script, for --help.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs a command; says nothing unless it fails.
quietly() {
  local out
  out=$("$@" 2>&1) && return
  printf '%s\n' "$out" | tail -n 60 >&2
  return 1
}

# Installs what is missing for these purposes: needs build run
needs() {
  local purpose packages
  if ! command -v apt-get >/dev/null; then
    note "This is not Debian; what these packages hold must be here:"
    for purpose; do note "$(packages_to "$purpose" | xargs)"; done
    return
  fi
  ((EUID)) || [[ -n $(apt-cache show meson 2>/dev/null) ]] || apt_quietly update
  for purpose; do
    read -ra packages < <(packages_to "$purpose" | xargs)
    install_missing "${packages[@]}"
  done
}

install_missing() {
  local package missing=()
  for package; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "packages are missing. Run this once as root, or: apt-get install --no-install-recommends ${missing[*]}"
  note "apt-get install: ${missing[*]}"
  apt_quietly update || note "The package lists could not be renewed; going on with those at hand."
  apt_quietly install --no-install-recommends "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

apt_quietly() {
  DEBIAN_FRONTEND=noninteractive quietly apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Puts a Go of at least 1.MINOR first in PATH: one that is here, else Debian's. Fails, in words, where there is none.
needs_go() {
  local minor=$1
  export GOTOOLCHAIN=local
  go_at_hand "$minor" && return
  if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    note "No Go 1.$minor or newer is here, and without root none can be installed."
    return 1
  fi
  if [[ $(. /etc/os-release && echo "${VERSION_CODENAME-}") == bookworm ]]; then
    go_from_backports
  else
    install_missing golang-go
  fi
  go_at_hand "$minor"
}

go_at_hand() {
  local minor=$1 dir
  for dir in "$(dirname "$(command -v go || echo /usr/local/go/bin/go)")" /usr/local/go/bin $(printf '%s\n' /usr/lib/go-*/bin | sort -rV); do
    if go_is "$dir/go" "$minor"; then
      export PATH="$dir:$PATH"
      return
    fi
  done
  return 1
}

go_is() {
  local version
  [[ -x $1 ]] && version=$("$1" env GOVERSION 2>/dev/null) && [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= $2))
}

# Debian 12 itself has Go 1.19, which cannot do this; its backports have 1.23. Their list is there for the installation only.
go_from_backports() (
  list=/etc/apt/sources.list.d/pgofs-backports.list
  note "apt-get install: golang-1.23-go, from bookworm-backports (by $list, which goes again)"
  trap 'rm -f "$list"' EXIT
  echo 'deb http://deb.debian.org/debian bookworm-backports main' >"$list"
  if ! apt_quietly update || ! apt_quietly install --no-install-recommends golang-1.23-go; then
    note "bookworm-backports could not be used."
  fi
)
