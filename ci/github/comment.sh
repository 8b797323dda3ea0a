#!/usr/bin/env bash
# Shows the run in the comment of the pull request. A comment that cannot be written is a warning: it changes no result.
# Takes GITHUB_TOKEN, RESULTS, and LINK, the address of the report or empty.
set -euo pipefail

if ! said="$(auditproof comment "$RESULTS" ${LINK:+--link "$LINK"} 2>&1)"; then
  said="${said//'%'/%25}"
  echo "::warning title=No comment on the pull request::${said//$'\n'/%0A}"
  exit 0
fi
echo "$said"
