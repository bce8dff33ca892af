"""Environment variables that are not for everyone, beside our own keys: what they hold is secret, or steers the CI."""

from __future__ import annotations

from typing import Final

STEERING: Final = frozenset(
    {
        # GitHub's "Workflow commands" (environment files), actions/toolkit (caches, artifacts, OpenID tokens).
        *("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP"),
        *("ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"),
        # GitLab Runner reads lines from this file into the environment of what runs next (shells/bash.go, SourceEnv).
        "GITLAB_ENV",
    }
)
"""By these the rest of the job is steered, so that no command gets them, whoever asks for it."""

OF_THE_JOB: Final = frozenset(
    {
        *(
            "CI_JOB_TOKEN",
            "CI_BUILD_TOKEN",
            "CI_JOB_JWT",
            "CI_JOB_JWT_V1",
            "CI_JOB_JWT_V2",
            "CI_REPOSITORY_URL",
        ),
        *("CI_REGISTRY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD", "CI_DEPLOY_PASSWORD"),
    }
)
"""GitLab's own ("Predefined CI/CD variables reference"). `sandbox.env` may name them, for registries of a project."""

OF_CLIENTS: Final = frozenset(
    {
        *("OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_WEBHOOK_SECRET"),
        *(
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_CUSTOM_HEADERS",
            "ANTHROPIC_LOG",
            "ANTHROPIC_WEBHOOK_SIGNING_KEY",
        ),
        "SSLKEYLOGFILE",
    }
)
"""What the clients that we use read by themselves: keys and headers that would go along with ours to wherever that
goes, and places where they write down what was said."""
