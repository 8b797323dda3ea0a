#!/usr/bin/env bash
# Says with what the policy is compared: the output base, empty for nothing.
# Takes POLICY and BASE (empty: the same file on the base branch of a pull request; none: nothing).
set -euo pipefail

found() { # the policy
  echo "base=$1" >>"$GITHUB_OUTPUT"
  echo "${1:+compared with $1}${2-}"
  exit 0
}

[ "$BASE" = none ] && found "" "compared with nothing"
[ -z "$BASE" ] || found "$BASE"
[ -n "${GITHUB_BASE_REF-}" ] || found "" "no pull request: compared with nothing"

file="$POLICY"
[ -f "$file" ] || file="${POLICY%%#*}"
path="$(git --literal-pathspecs ls-files -z --full-name -- "$file" | tr -d '\0')"
[ -n "$path" ] || found "" "git does not know $file: compared with nothing"

ref="refs/remotes/origin/$GITHUB_BASE_REF"
if ! git rev-parse --quiet --verify "$ref^{commit}" >/dev/null; then
  # The checkout has one commit: the newest one of the base branch is all that is needed.
  git fetch --quiet --no-tags --depth=1 origin "+refs/heads/$GITHUB_BASE_REF:$ref" || {
    echo "::error::the base branch $GITHUB_BASE_REF cannot be fetched; let actions/checkout do it, with fetch-depth: 0"
    exit 4
  }
fi
git cat-file -e "$ref:$path" 2>/dev/null || found "" "$path is new: compared with nothing"
found "git:origin/$GITHUB_BASE_REF:$path${POLICY#"$file"}"
