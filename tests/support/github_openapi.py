"""GitHub's official description of its API, trimmed to what we call, for checking the stand-in against it.

It comes from the npm package @octokit/openapi (MIT), fetched once into `.cache/` by `make test-tools`.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

_PACKAGE = "@octokit/openapi@23.0.2"
_MEMBER = "package/generated/api.github.com.json"
_FILE = Path(__file__).parents[2] / ".cache" / "github-openapi.json"
_EVERYWHERE = (401, 403, 404, 410)
_HOST = "http://github.example"
_PATHS = re.compile(
    r"^/repos/\{owner\}/\{repo\}($|/issues($|/)|/pulls($|/\{pull_number\})|/branches/\{branch\}$|/labels|/contents/"
    r"|/collaborators/\{username\}/permission$|/statuses/|/actions/(runs/\{run_id\}|permissions))|^/user$"
)


def github_openapi() -> Path:
    """The trimmed description, fetched if it is not there."""
    if not _FILE.exists():
        _FILE.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            words = ["npm", "pack", "--silent", "--pack-destination", folder, _PACKAGE]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            [package] = Path(folder).glob("*.tgz")
            with tarfile.open(package) as archive:
                member = archive.extractfile(_MEMBER)
                assert member is not None
                whole = json.load(member)
        _FILE.write_text(json.dumps(_trimmed(whole)))
    return _FILE


def request_violations(method: str, path: str, query: dict[str, str], body: Any) -> list[str]:
    """What is wrong with a request, by the description. `path` begins with a slash."""
    error = _error(lambda: _description().validate_request(_request(method, path, query, body)))
    return [f"{method} {path}?{urlencode(query)}: {error}"] if error else []


def answer_violations(
    method: str, path: str, query: dict[str, str], body: Any, status: int, answer: Any
) -> list[str]:
    """What is wrong with the answer to a request, by the description."""
    from openapi_core.testing import MockResponse

    content = json.dumps(answer).encode() if answer is not None else b""
    response = MockResponse(content, status, content_type="application/json")
    request = _request(method, path, query, body)
    error = _error(lambda: _description().validate_response(request, response))
    # Not every path's description repeats the errors that all of them have.
    if error is None or (status in _EVERYWHERE and "Unknown response" in error):
        return []
    return [f"{method} {path}?{urlencode(query)} {status}: {error}"]


def _request(method: str, path: str, query: dict[str, str], body: Any) -> Any:
    from openapi_core.testing import MockRequest

    # A path's last part may hold slashes, which no path of a description can say.
    path = re.sub(r"(/contents/|/branches/)(.+)", lambda match: match[1] + match[2].replace("/", "%2F"), path)
    content = json.dumps(body).encode() if body is not None else None
    return MockRequest(_HOST, method.lower(), path, args=query, data=content, content_type="application/json")


def filled(schema: str, **values: Any) -> dict[str, Any]:
    """An answer of the named schema: `values`, and for every other field it must have something that fits and
    means nothing. `null` where the field may be that."""
    content = _components()["schemas"]
    made = _made({"$ref": f"#/components/schemas/{schema}"}, content, 0)
    assert isinstance(made, dict)
    return made | values


def _made(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> Any:
    if "$ref" in schema:
        return _made(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    kind = schema.get("type")
    if schema.get("nullable") or (isinstance(kind, list) and "null" in kind):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "allOf" in schema:
        parts = [_made(part, schemas, depth) for part in schema["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return _made(schema[choice][0], schemas, depth)
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {
            name: _made(properties.get(name, {}), schemas, depth + 1) for name in schema.get("required", [])
        }
    plain = {"array": [], "integer": 1, "number": 1, "boolean": False}
    if kind in plain:
        return plain[kind]
    formats = {
        "uri": "http://github.example/x",
        "date-time": "2026-01-01T00:00:00Z",
        "email": "x@github.example",
    }
    return formats.get(schema.get("format", ""), "x")


@cache
def _components() -> dict[str, Any]:
    content = json.loads(github_openapi().read_text())
    components: dict[str, Any] = content["components"]
    return components


def _error(check: Any) -> str | None:
    from openapi_core.exceptions import OpenAPIError

    try:
        check()
    except OpenAPIError as error:
        causes = getattr(error.__cause__, "schema_errors", None) or [error.__cause__ or error]
        return "; ".join(
            f"{'/'.join(map(str, getattr(cause, 'absolute_path', [])))}: {getattr(cause, 'message', cause)}"[
                :300
            ]
            for cause in causes
        )
    return None


@cache
def _description() -> Any:
    from openapi_core import Config, OpenAPI

    content = _with_null(json.loads(github_openapi().read_text()))
    content["servers"] = [{"url": _HOST}]
    # None, which its types don't know, leaves out the check of the description itself: that takes most of a second.
    return OpenAPI.from_dict(content, config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


def _with_null(item: Any) -> Any:
    """What may be null, as its description means it: of some values it names all but that one."""
    if isinstance(item, list):
        return [_with_null(each) for each in item]
    if not isinstance(item, dict):
        return item
    made = {key: _with_null(value) for key, value in item.items()}
    if made.get("nullable") is True and isinstance(made.get("enum"), list):
        made["enum"] = [*made["enum"], None]
    return made


def _trimmed(whole: dict[str, Any]) -> dict[str, Any]:
    paths = {path: _without_examples(item) for path, item in whole["paths"].items() if _PATHS.search(path)}
    components: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [paths]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            reference = item.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/components/"):
                _, _, kind, name = reference.split("/")
                if name not in components.setdefault(kind, {}):
                    components[kind][name] = _without_examples(whole["components"][kind][name])
                    waiting.append(components[kind][name])
            waiting += item.values()
    return {"openapi": whole["openapi"], "info": whole["info"], "paths": paths, "components": components}


def _without_examples(item: Any) -> Any:
    if isinstance(item, list):
        return [_without_examples(each) for each in item]
    if not isinstance(item, dict):
        return item
    own = {"examples"} if "schema" in item else set()
    return {key: _without_examples(value) for key, value in item.items() if key not in own}
