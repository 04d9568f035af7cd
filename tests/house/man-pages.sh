#!/bin/sh
# Is every man page well formed? man-pages.sh DIRECTORY
set -eu
cd "$1"
command -v mandoc >/dev/null || {
	echo "mandoc is not installed"
	exit 77
}
ls ./*.[1-8]
mandoc -T lint -W warning ./*.[1-8]
