#!/usr/bin/env bash
# Installs auditproof into an environment of its own; only its command gets on the PATH of the job.
# Takes VERSION (empty: the source of the action) and PYTHON (empty: python3), and what GitHub's runner sets.
set -euo pipefail

folder="$RUNNER_TEMP/auditproof"
what="${VERSION:+auditproof==$VERSION}"
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/python" -m pip install --quiet --disable-pip-version-check "${what:-$GITHUB_ACTION_PATH}"
mkdir -p "$folder/bin"
ln -sf "$folder/environment/bin/auditproof" "$folder/bin/auditproof"
echo "$folder/bin" >>"$GITHUB_PATH"
"$folder/bin/auditproof" --version
