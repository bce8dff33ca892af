"""Claude on loopback: an HTTP server with Anthropic's Messages API that says what a test wrote down.

    with AnthropicServer([Says(calls=[("bash", {"command": "ls"})]), Says("done")]) as server:
        ...  # base_url=server.base_url, api_key=server.key
        server.requests[0].body["messages"]

What the API refuses is refused (`anthropic_rules`), and the prompt's cache is kept as it keeps it: what was sent up to
a breakpoint is found again from a breakpoint of a later request at most 20 blocks further on, that one counted.
The rest is as in `model_server`, whose faults serve here too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.anthropic_rules import Block, Refused, check, every_block, need
from tests.support.model_server import Fault, ModelServer, Request, Step

LOOK_BACK = 20  # blocks


@dataclass(frozen=True)
class Says:
    """A proper answer: thoughts, then text, then calls (name and input); or `content`, which is all of it."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    thoughts: Sequence[str] = ()
    stop_reason: str | None = None  # None: `tool_use` or `end_turn`, as fits
    content: Sequence[Any] | None = None
    more: Mapping[str, Any] | None = None  # further fields of the answer, or other values


Script = Sequence[Says | Step] | Callable[[Request], Says | Step]


class AnthropicServer(ModelServer):
    """Runs while the `with` lasts. `requests` holds all that came, those that were refused too."""

    def __init__(
        self, script: Script, key: str = "sk-ant-test-0123456789", most_tokens: int = 64_000
    ) -> None:
        super().__init__(self._next, key)
        self._script = script
        self._number = 0
        self._most_tokens = most_tokens
        self._cached: set[str] = set()
        self._said: list[tuple[str, list[Block]]] = []  # by which model, and what

    @property
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    def answer(self, request: Request) -> tuple[int, Step]:
        if request.headers.get("x-api-key") != self.key:
            self.requests.append(request)
            words = f"invalid x-api-key: {request.headers.get('x-api-key')}"
            return 0, error(401, "authentication_error", words)
        return super().answer(request)

    def _next(self, request: Request) -> Step:
        if request.path.partition("?")[0] != "/v1/messages":
            return error(404, "not_found_error", f"{request.path} not found")
        try:
            check(request.body, request.headers.get("anthropic-version"), self._said)
            asked, most = request.body["max_tokens"], self._most_tokens
            need(
                asked <= most,
                f"max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for "
                f"{request.body['model']}",
            )
        except Refused as reason:
            return error(400, "invalid_request_error", str(reason))
        step = self._step(request)
        return self._message(step, request.body) if isinstance(step, Says) else step

    def _step(self, request: Request) -> Says | Step:
        number = self._number
        self._number += 1
        if callable(self._script):
            return self._script(request)
        return self._script[min(number, len(self._script) - 1)]

    def _message(self, says: Says, body: dict[str, Any]) -> Fault:
        content = list(_content(says, self._number) if says.content is None else says.content)
        self._said.append((body["model"], content))
        calls = any(isinstance(block, dict) and block.get("type") == "tool_use" for block in content)
        answer = {
            "id": f"msg_{self._number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": says.stop_reason or ("tool_use" if calls else "end_turn"),
            "stop_sequence": None,
            "usage": self._usage(body),
        }
        return Fault(200, answer | dict(says.more or {}))

    def _usage(self, body: dict[str, Any]) -> dict[str, Any]:
        prefixes, sizes = _prefixes(body)
        marks = [number for number, block in enumerate(every_block(body)) if "cache_control" in block]
        found = [
            position + 1
            for mark in marks
            for position in range(max(0, mark - LOOK_BACK + 1), mark + 1)
            if prefixes[position] in self._cached
        ]
        self._cached |= {prefixes[mark] for mark in marks}
        read, kept = max(found, default=0), max(marks, default=-1) + 1
        return {
            "cache_read_input_tokens": sum(sizes[:read]),
            "cache_creation_input_tokens": sum(sizes[read:kept]),
            "input_tokens": sum(sizes[max(read, kept) :]),
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
        }


def error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """A refusal as the API words it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}
    return Fault(status, body, headers or {})


def _content(says: Says, number: int) -> list[Block]:
    thoughts = [
        {"type": "thinking", "thinking": thought, "signature": f"signed/{number}/{position}=="}
        for position, thought in enumerate(says.thoughts)
    ]
    texts = [{"type": "text", "text": says.text}] if says.text else []
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}_{position}", "name": name, "input": dict(input_)}
        for position, (name, input_) in enumerate(says.calls)
    ]
    return [*thoughts, *texts, *calls]


def _prefixes(body: dict[str, Any]) -> tuple[list[str], list[int]]:
    """Of each block, what the prompt up to its end is known by, and its tokens: four characters each.

    How to think belongs to what is said before the first turn: the cache of the turns is lost with it.
    """
    digest = hashlib.sha256(body["model"].encode())
    turns_begin = len(body.get("tools", ())) + len(body.get("system", ()))
    prefixes, sizes = [], []
    for number, block in enumerate(every_block(body)):
        if number == turns_begin:
            digest.update(json.dumps([body.get("thinking"), body.get("output_config")]).encode())
        text = json.dumps({name: block[name] for name in block if name != "cache_control"})
        digest.update(text.encode())
        prefixes.append(digest.hexdigest())
        sizes.append(len(text) // 4)
    return prefixes, sizes
