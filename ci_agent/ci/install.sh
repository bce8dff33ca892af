# Installs ci-agent in a CI job, as .ci-agent/ci-agent in the working directory or ci-agent in CI_AGENT_FOLDER.
# CI_AGENT_PACKAGE is what to install, as pip writes it; empty: the image has ci-agent. It is not put on the PATH:
# commands of the project find the project's Python there, not ours. -P: a logging.py of the project is not Python's.
# POSIX sh.
set -e
folder="${CI_AGENT_FOLDER:-$PWD/.ci-agent}"
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
if [ -n "${CI_PROJECT_DIR:-}" ]; then # GitLab caches what lies in the checkout and nothing else
  export PIP_CACHE_DIR="$folder/cache/pip" UV_CACHE_DIR="$folder/cache/uv"
fi
if [ -z "${CI_AGENT_PACKAGE:-}" ]; then
  if ! command -v ci-agent > /dev/null; then
    echo 'ci-agent is not in this image. Set the CI/CD variable CI_AGENT_PACKAGE to what pip shall install, such as' >&2
    echo 'git+https://gitlab.example.org/tools/ci-agent@v1, or CI_AGENT_IMAGE to an image that has ci-agent.' >&2
    exit 1
  fi
  ln -sf "$(command -v ci-agent)" "$folder/ci-agent"
else
  if command -v uv > /dev/null; then
    uv venv --quiet --clear --python '>=3.11' "$folder/venv"
    uv pip install --quiet --python "$folder/venv/bin/python" "$CI_AGENT_PACKAGE"
  elif python3 -P -c 'import sys, venv, pip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    python3 -P -m venv --clear --without-pip "$folder/venv"
    python3 -P -m pip --python "$folder/venv/bin/python" install --quiet --disable-pip-version-check "$CI_AGENT_PACKAGE"
  else
    echo 'ci-agent needs uv, or Python 3.11 or newer with pip, and neither is here.' >&2
    echo 'GitLab: choose an image with one of them by CI_AGENT_IMAGE. GitHub: add a step with actions/setup-python.' >&2
    exit 1
  fi
  ln -sf venv/bin/ci-agent "$folder/ci-agent"
fi
