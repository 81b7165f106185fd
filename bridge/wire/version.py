"""Which version is this? The one place; the package takes it from here (pyproject.toml)."""

VERSION = "0.1.0"
