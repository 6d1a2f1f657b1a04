"""The project's version, which images and charts have too; `make release` changes it everywhere."""

__version__ = "0.1.0"
