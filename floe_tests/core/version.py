"""The version of the project; `make release` sets it."""

VERSION = "0.1.0"
