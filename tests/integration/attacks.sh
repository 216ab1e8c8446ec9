#!/usr/bin/env bash
# attacks.sh - accounts, second steps and the OpenID provider under attack (tests/attacks), in the short form; `make attacks` takes longer.
cd "$(dirname "$0")/../.." || exit
exec tests/attacks/run hostile matrix replay strangers enumerate # sign_in_flood.sh has the rest in short
