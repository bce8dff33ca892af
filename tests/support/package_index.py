"""A Python package index on loopback, which counts what is downloaded from it."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

WHEEL = "tiny_package-1.0-py3-none-any.whl"
_METADATA = "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n"
_KIND = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass
class PackageIndex:
    """It has one package, `tiny_package`, with `SIZE` in it. `downloads` are the files that it was asked for."""

    url: str
    downloads: list[str] = field(default_factory=list)

    @property
    def install(self) -> str:
        """The command that installs the package into the folder `vendor`."""
        # Only what comes from a trusted host is put into pip's cache.
        words = f"--index-url {self.url}/simple --trusted-host 127.0.0.1 --target vendor tiny-package"
        # The interpreter itself: the stand-in for it that pyenv has would write into its own folder afterwards.
        python = "\"$(python -c 'import sys; print(sys.executable)')\""
        return f"{python} -m pip install --quiet --disable-pip-version-check {words}"


def _wheel() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("tiny_package.py", "SIZE = 1\n")
        wheel.writestr("tiny_package-1.0.dist-info/METADATA", _METADATA)
        wheel.writestr("tiny_package-1.0.dist-info/WHEEL", _KIND)
        wheel.writestr("tiny_package-1.0.dist-info/RECORD", "")
    return content.getvalue()


@contextmanager
def package_index() -> Iterator[PackageIndex]:
    """The index, while it answers."""
    wheel = _wheel()
    page = f'<!DOCTYPE html><a href="/files/{WHEEL}">{WHEEL}</a>'.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_file = self.path.startswith("/files/")
            if is_file:
                index.downloads.append(self.path.rpartition("/")[2])
            body = wheel if is_file else page
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if is_file else "text/html")
            self.send_header("Content-Length", str(len(body)))
            # As public indexes have it: a file never changes, the list of them may at any time.
            self.send_header("Cache-Control", "max-age=365000000, immutable" if is_file else "no-cache")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index = PackageIndex(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
