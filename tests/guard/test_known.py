"""Which values of a job's environment and configuration nobody may see, and which everybody may."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.config import load
from ci_agent.guard import Guard, of_config, of_environment


def of(environment: dict[str, str]) -> dict[str, str]:
    """Value → name."""
    return {secret.value: secret.name for secret in of_environment(environment)}


# GitLab, "Predefined CI/CD variables reference", with values as they are or as the page has them; and what its runner
# and its images set beside.
GITLAB = {
    "CHAT_CHANNEL": "town-square", "CHAT_INPUT": "run the tests now", "CHAT_USER_ID": "U024BE7LH9", "CI": "true",
    "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
    "CI_API_GRAPHQL_URL": "https://gitlab.example.com/api/graphql", "CI_BUILDS_DIR": "/builds",
    "CI_COMMIT_AUTHOR": "Dana Scully <dana@example.org>",
    "CI_COMMIT_BEFORE_SHA": "0000000000000000000000000000000000000000", "CI_COMMIT_BRANCH": "feature-token-refresh",
    "CI_COMMIT_DESCRIPTION": "A longer description", "CI_COMMIT_MESSAGE": "Add token refresh",
    "CI_COMMIT_REF_NAME": "feature-token-refresh", "CI_COMMIT_REF_PROTECTED": "false",
    "CI_COMMIT_REF_SLUG": "feature-token-refresh", "CI_COMMIT_SHA": "1ecfd275763eff1d6b4844ea3168962458c9f27a",
    "CI_COMMIT_SHORT_SHA": "1ecfd275", "CI_COMMIT_TAG": "v1.2.3-rc.1", "CI_COMMIT_TAG_MESSAGE": "The release",
    "CI_COMMIT_TIMESTAMP": "2022-01-31T16:47:55Z", "CI_COMMIT_TITLE": "Add token refresh", "CI_CONCURRENT_ID": "12",
    "CI_CONCURRENT_PROJECT_ID": "0", "CI_CONFIG_PATH": ".gitlab-ci.yml", "CI_DEBUG_TRACE": "false",
    "CI_DEBUG_SERVICES": "false", "CI_DEFAULT_BRANCH": "main-development",
    "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX": "gitlab.example.com/group/dependency_proxy/containers",
    "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX": "gitlab.example.com/group/dependency_proxy/containers",
    "CI_DEPENDENCY_PROXY_SERVER": "gitlab.example.com:443", "CI_DEPENDENCY_PROXY_USER": "gitlab-ci-token",
    "CI_DEPLOY_FREEZE": "true", "CI_DEPLOY_USER": "gitlab+deploy-token-1", "CI_DISPOSABLE_ENVIRONMENT": "true",
    "CI_ENVIRONMENT_NAME": "production-eu", "CI_ENVIRONMENT_SLUG": "production-eu-1a2b3c",
    "CI_ENVIRONMENT_URL": "https://shop.example.org", "CI_ENVIRONMENT_ACTION": "start",
    "CI_ENVIRONMENT_TIER": "production", "CI_GITLAB_FIPS_MODE": "true", "CI_HAS_OPEN_REQUIREMENTS": "true",
    "CI_JOB_ID": "1234567890", "CI_JOB_IMAGE": "registry.example.com/images/python:3.12-slim", "CI_JOB_MANUAL": "true",
    "CI_JOB_NAME": "rotate-secret-keys", "CI_JOB_NAME_SLUG": "rotate-secret-keys", "CI_JOB_STAGE": "verification",
    "CI_JOB_STATUS": "success", "CI_JOB_TIMEOUT": "360000000",
    "CI_JOB_URL": "https://gitlab.example.com/g/p/-/jobs/1234567890", "CI_JOB_STARTED_AT": "2022-01-31T16:47:55Z",
    "CI_KUBERNETES_ACTIVE": "true", "CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "12345678",
    "CI_OPEN_MERGE_REQUESTS": "gitlab-org/gitlab!333", "CI_PAGES_DOMAIN": "gitlab.io.example",
    "CI_PAGES_URL": "https://group.gitlab.io/project", "CI_PIPELINE_ID": "987654321", "CI_PIPELINE_IID": "123456789",
    "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PIPELINE_TRIGGERED": "true",
    "CI_PIPELINE_URL": "https://gitlab.example.com/g/p/-/pipelines/1", "CI_PIPELINE_CREATED_AT": "2022-01-31T16:47:55Z",
    "CI_PIPELINE_NAME": "Pipeline for release", "CI_PROJECT_DIR": "/builds/group/project", "CI_PROJECT_ID": "12345678",
    "CI_PROJECT_NAME": "project-with-keys", "CI_PROJECT_NAMESPACE": "group-name/subgroup",
    "CI_PROJECT_NAMESPACE_ID": "12345678", "CI_PROJECT_PATH_SLUG": "group-name-project-1",
    "CI_PROJECT_PATH": "group-name/project-1", "CI_PROJECT_REPOSITORY_LANGUAGES": "ruby,javascript,html,css",
    "CI_PROJECT_ROOT_NAMESPACE": "group-name", "CI_PROJECT_TITLE": "Project number 1",
    "CI_PROJECT_DESCRIPTION": "Does things 24 hours", "CI_PROJECT_URL": "https://gitlab.example.com/g/project-1",
    "CI_PROJECT_VISIBILITY": "internal", "CI_PROJECT_CLASSIFICATION_LABEL": "confidential",
    "CI_REGISTRY": "registry.gitlab.example.com", "CI_REGISTRY_IMAGE": "registry.gitlab.example.com/my_group/my_project",
    "CI_REGISTRY_USER": "gitlab-ci-token", "CI_RELEASE_DESCRIPTION": "What is new in 1.2.3",
    "CI_RUNNER_DESCRIPTION": "shared-runner-01", "CI_RUNNER_EXECUTABLE_ARCH": "linux/amd64", "CI_RUNNER_ID": "12270837",
    "CI_RUNNER_REVISION": "4d8e2f31", "CI_RUNNER_SHORT_TOKEN": "glrt-t1_XzWE8bS9_", "CI_RUNNER_TAGS": "docker, linux-2",
    "CI_RUNNER_VERSION": "17.2.1~beta", "CI_SERVER_FQDN": "gitlab.example.com:8080",
    "CI_SERVER_HOST": "gitlab.example.com", "CI_SERVER_NAME": "GitLab 17 EE", "CI_SERVER_PORT": "8080",
    "CI_SERVER_PROTOCOL": "https", "CI_SERVER_SHELL_SSH_HOST": "gitlab.example.com", "CI_SERVER_SHELL_SSH_PORT": "22",
    "CI_SERVER_REVISION": "9fb54bf2a3e", "CI_SERVER_TLS_CA_FILE": "/builds/g/p.tmp/CI_SERVER_TLS_CA_FILE",
    "CI_SERVER_TLS_CERT_FILE": "/builds/g/p.tmp/CI_SERVER_TLS_CERT_FILE",
    "CI_SERVER_TLS_KEY_FILE": "/builds/g/p.tmp/CI_SERVER_TLS_KEY_FILE",
    "CI_SERVER_URL": "https://gitlab.example.com:8080", "CI_SERVER_VERSION_MAJOR": "17", "CI_SERVER_VERSION_MINOR": "2",
    "CI_SERVER_VERSION_PATCH": "1", "CI_SERVER_VERSION": "17.2.1-pre.1", "CI_SERVER": "yes",
    "CI_SHARED_ENVIRONMENT": "true", "CI_TEMPLATE_REGISTRY_HOST": "registry.gitlab.com",
    "CI_TRIGGER_SHORT_TOKEN": "1234", "GITLAB_CI": "true", "GITLAB_FEATURES": "audit_events,push_rules,token_expiry",
    "GITLAB_USER_EMAIL": "dana.scully@example.org", "GITLAB_USER_ID": "12345678", "GITLAB_USER_LOGIN": "dana.scully7",
    "GITLAB_USER_NAME": "Dana Scully 7", "KUBECONFIG": "/builds/g/p.tmp/KUBECONFIG",
    "TRIGGER_PAYLOAD": "/builds/g/p.tmp/TRIGGER_PAYLOAD", "CI_MERGE_REQUEST_APPROVED": "true",
    "CI_MERGE_REQUEST_ASSIGNEES": "dana, robin.hood9", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "1ecfd275763eff1d6b4844ea31",
    "CI_MERGE_REQUEST_DIFF_ID": "12345678", "CI_MERGE_REQUEST_EVENT_TYPE": "merge_train",
    "CI_MERGE_REQUEST_DESCRIPTION": "Refreshes the token 3 times", "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED": "false",
    "CI_MERGE_REQUEST_ID": "12345678", "CI_MERGE_REQUEST_IID": "17", "CI_MERGE_REQUEST_LABELS": "auth-2,token-3",
    "CI_MERGE_REQUEST_MILESTONE": "Milestone 17", "CI_MERGE_REQUEST_PROJECT_PATH": "namespace/awesome-project",
    "CI_MERGE_REQUEST_PROJECT_URL": "http://192.168.10.15:3000/namespace/awesome-project",
    "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/1/head", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "auth-token-2",
    "CI_MERGE_REQUEST_SQUASH_ON_MERGE": "true", "CI_MERGE_REQUEST_TITLE": "Draft: secret key rotation",
    "CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY": "owner/repository-1", "AUTO_DEVOPS_EXPLICITLY_ENABLED": "1",
    "HARBOR_URL": "https://demo.goharbor.io", "HARBOR_USERNAME": "robot$project+1",
    "GPG_KEY": "A035C8C19219BA821ECEA86B64E628F8D684696D", "PYTHON_SHA256": "c8f2b2b5e8c4a9d0f1e2d3c4b5a6978812345678",
    "FF_USE_FASTZIP": "false", "RUNNER_TEMP_PROJECT_DIR": "/builds/g/p.tmp",
}  # fmt: skip

# GitHub, "Variables reference", default environment variables, and what its runner and hosted images set beside.
GITHUB = {
    "CI": "true", "GITHUB_ACTION": "__repo-owner_name-of-action-repo", "GITHUB_ACTION_PATH": "/home/runner/work/_actions/a/b/v1",
    "GITHUB_ACTION_REPOSITORY": "actions/checkout", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat-bot-12",
    "GITHUB_ACTOR_ID": "1234567890", "GITHUB_API_URL": "https://api.github.com", "GITHUB_BASE_REF": "release-2024",
    "GITHUB_ENV": "/home/runner/work/_temp/_runner_file_commands/set_env_87406d6e", "GITHUB_EVENT_NAME": "workflow_dispatch",
    "GITHUB_EVENT_PATH": "/home/runner/work/_temp/_github_workflow/event.json",
    "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql", "GITHUB_HEAD_REF": "feature-branch-1",
    "GITHUB_JOB": "greeting_job2", "GITHUB_OUTPUT": "/home/runner/work/_temp/_runner_file_commands/set_output_a50ef383",
    "GITHUB_PATH": "/home/runner/work/_temp/_runner_file_commands/add_path_899b9445", "GITHUB_REF": "refs/heads/feature-1",
    "GITHUB_REF_NAME": "feature-branch-1", "GITHUB_REF_PROTECTED": "true", "GITHUB_REF_TYPE": "branch",
    "GITHUB_REPOSITORY": "octocat/Hello-World2", "GITHUB_REPOSITORY_ID": "123456789",
    "GITHUB_REPOSITORY_OWNER": "octocat1234", "GITHUB_REPOSITORY_OWNER_ID": "1234567", "GITHUB_RETENTION_DAYS": "90",
    "GITHUB_RUN_ATTEMPT": "3", "GITHUB_RUN_ID": "1658821493", "GITHUB_RUN_NUMBER": "3",
    "GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "ffac537e6cbbf934b08745a378932722df287a53",
    "GITHUB_STEP_SUMMARY": "/home/runner/_layout/_work/_temp/_runner_file_commands/step_summary_1cb22d7f",
    "GITHUB_TRIGGERING_ACTOR": "octocat1234", "GITHUB_WORKFLOW": "Rotate the secret 2",
    "GITHUB_WORKFLOW_REF": "octocat/hello-world/.github/workflows/my-workflow.yml@refs/heads/my_branch",
    "GITHUB_WORKFLOW_SHA": "ffac537e6cbbf934b08745a378932722df287a53",
    "GITHUB_WORKSPACE": "/home/runner/work/my-repo-name/my-repo-name", "RUNNER_ARCH": "X64", "RUNNER_DEBUG": "1",
    "RUNNER_ENVIRONMENT": "github-hosted", "RUNNER_NAME": "GitHub Actions 1000", "RUNNER_OS": "Linux",
    "RUNNER_TEMP": "/home/runner/work/_temp", "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.githubusercontent.com/x/y?api-version=2.0",
    "ACTIONS_RUNTIME_URL": "https://pipelines.actions.githubusercontent.com/abcdef/", "ImageVersion": "20240811.1.0",
    "SSH_AUTH_SOCK": "/tmp/ssh-XXXXXXabc123/agent.42", "XDG_SESSION_ID": "c2session123", "PWD": "/home/runner/work/x1",
    "NODE_AUTH_TYPE": "registry-token1", "CACHE_KEY": "node-modules", "SSH_PUBLIC_KEY": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQ1",
    "TOKEN_ISSUER": "issuer-of-tokens-1", "GIT_ASKPASS": "/usr/lib/git-core/ask-pass1", "LC_ALL": "C.UTF-8-extended1",
}  # fmt: skip


@pytest.mark.parametrize("name", GITLAB | GITHUB)
def test_what_a_ci_sets_for_everybody_is_no_secret(name: str) -> None:
    assert of({name: (GITLAB | GITHUB)[name]}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CI_JOB_TOKEN", "glcbt-64_zyxwvutsrqponmlkji"),
        ("CI_REGISTRY_PASSWORD", "glcbt-64_zyxwvutsrqponmlkji"),
        ("CI_DEPENDENCY_PROXY_PASSWORD", "glcbt-64_zyxwvutsrqponmlkji"),
        ("CI_DEPLOY_PASSWORD", "gldt-1234567890"),
        ("CI_JOB_JWT_V2", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        ("HARBOR_PASSWORD", "correct horse"),
        ("GITHUB_TOKEN", "ghs_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("ACTIONS_RUNTIME_TOKEN", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        ("AWS_SECRET_ACCESS_KEY", "/JalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("NPM_AUTH", "aGVsbG86d29ybGQ="),
        ("STRIPE_KEY", "sk_live_0123456789"),
        ("MY_DB_PASS", "tr0ub4dor&3"),
        ("npmtoken", "npm_0123456789"),
        ("DJANGO_SECRET", "very secret words"),
    ],
)
def test_what_is_called_a_secret_is_one_by_its_name(name: str, value: str) -> None:
    assert of({name: value}) == {value: name}


def test_passwords_in_addresses_are_secrets_whatever_the_variable_is_called() -> None:
    found = of({"CI_REPOSITORY_URL": "https://gitlab-ci-token:glcbt-64_zyx@gitlab.example.com/g/p.git"})
    assert found == {"glcbt-64_zyx": "a password in CI_REPOSITORY_URL"}


BODY = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC{number}rtKxZ0Q" for number in range(3)]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *BODY, "-----END PRIVATE KEY-----", ""])


@pytest.mark.parametrize("name", ["DEPLOY_KEY", "WHATEVER"])
def test_what_is_in_gitlabs_file_variables_is_secret_line_by_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "project.tmp"
    folder.mkdir()
    (folder / name).write_text(PEM)
    guard = Guard(of_environment({name: str(folder / name)}))
    for line in BODY:
        assert guard.found(f"it begins with {line}")
    assert not guard.found(PEM.replace(BODY[0], "").replace(BODY[1], "").replace(BODY[2], ""))
    assert not guard.found(str(folder / name))


def test_a_service_accounts_key_file_is_secret_in_what_is_secret_of_it(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(
        '{"type": "service_account", "auth_uri": "https://accounts.google.com/o/oauth2/auth", '
        '"private_key_id": "0123456789abcdef0123", "client_secret": "GOCSPX-0a1b2c3d"}'
    )
    assert set(of({"GOOGLE_CREDENTIALS_FILE": str(path)})) == {"0123456789abcdef0123", "GOCSPX-0a1b2c3d"}


@pytest.mark.parametrize("kind", ["missing", "folder", "device"])
def test_what_is_no_file_is_no_file_variable(tmp_path: Path, kind: str) -> None:
    path = {"missing": tmp_path / "missing", "folder": tmp_path, "device": Path("/dev/zero")}[kind]
    assert of({"DEPLOY_KEY": str(path)}) == {}


def test_the_secrets_of_the_configuration_have_the_names_of_their_variables() -> None:
    environment = {
        "LLM_API_KEY": "a-long-api-key",
        "GITLAB_TOKEN": "glpat-0123456789",
        "CI_AGENT_VERIFICATION_SETUP": "pip install -i https://dana:hunter2x@packages.example/simple .",
    }
    settings = load(file=None, environment=environment, flags={}).config
    assert {secret.value: secret.name for secret in of_config(settings)} == {
        "a-long-api-key": "LLM_API_KEY",
        "glpat-0123456789": "GITLAB_TOKEN",
        "hunter2x": "a password in verification.setup",
    }
