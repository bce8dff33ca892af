"""How a run is set up: `.ci-agent.yml`, environment and flags, checked, each value with its origin.

The settings are written down in `definitions`; `load` puts them together; docs/configuration.md is printed by
`python -m ci_agent.config`.
"""

from ci_agent.config.definitions import NOT_INHERITED, SETTINGS, Config, SandboxSettings
from ci_agent.config.loading import FILE_NAME, Loaded, Origin, Row, load
from ci_agent.config.secrets import secrets
from ci_agent.config.settings import Setting, Source

__all__ = [
    "FILE_NAME",
    "NOT_INHERITED",
    "SETTINGS",
    "Config",
    "Loaded",
    "Origin",
    "Row",
    "SandboxSettings",
    "Setting",
    "Source",
    "load",
    "secrets",
]
