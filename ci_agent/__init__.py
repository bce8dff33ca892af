"""ci-agent: issues become tested merge requests, inside the repository's own CI."""

__version__ = "0.1.0"
