#!/bin/bash
# install.sh - what `make install` puts where, and that it names nothing that is not there.
command -v python3 > /dev/null || { echo "skipped: no python3"; exit 77; }
exec python3 "$top_srcdir/tests/scenario/install.py"
