#!/bin/bash
# format.sh - clang-format finds nothing to change in any tracked C file.
cd "$top_srcdir" || exit 99
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
git rev-parse --git-dir >/dev/null 2>&1 || { echo "not a git checkout"; exit 77; }
git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
