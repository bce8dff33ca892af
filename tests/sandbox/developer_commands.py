"""What developers do all day, as small programs that say `done` at the end: confinement must let all of it pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.verification.ecosystem_projects import MAVEN


@dataclass(frozen=True, slots=True)
class Work:
    """A script for bash, run in a folder with `files` in it. It must end with 0 and print `says`; `needs` are the
    programs without which there is nothing to try."""

    script: str
    files: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    says: str = "done"
    slow: bool = False
    traces: bool = False  # looks into a process as a debugger does


_TESTS = {
    "test_it.py": "import tempfile\n\ndef test_one(tmp_path):\n    (tmp_path / 'x').write_text('y')\n"
    "    assert tempfile.TemporaryFile().write(b'z') == 1\n\ndef test_two():\n    assert True\n"
}

PYTHON: Mapping[str, Work] = {
    "pytest": Work("python -m pytest -q", _TESTS, says="2 passed"),
    "pytest-xdist": Work("python -m pytest -q -n 2", _TESTS, says="2 passed"),
    "unittest": Work(
        "python -m unittest -q",
        {"test_it.py": "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): pass\n"},
        says="OK",
    ),
    "pip-install-of-a-wheel": Work(
        """python -m venv own && own/bin/pip -q install --no-index ./mine-1-py3-none-any.whl && own/bin/python -c '
import mine; print(mine.SAID)'""",
        {
            "make.py": """import zipfile
with zipfile.ZipFile("mine-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("mine.py", "SAID = 'done'")
    wheel.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n")
    wheel.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("mine-1.dist-info/RECORD", "")
"""
        },
        slow=True,
    ),
    "asyncio-server-and-subprocess": Work(
        "python it.py",
        {
            "it.py": """import asyncio, sys
async def main():
    async def answer(reader, writer):
        writer.write(await reader.readline()); await writer.drain(); writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"hello\\n"); assert await reader.readline() == b"hello\\n"; writer.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('done')", stdout=-1)
    print((await child.communicate())[0].decode())
asyncio.run(main())
"""
        },
    ),
    "multiprocessing": Work(
        "python it.py",
        {
            "it.py": """import multiprocessing as m
from multiprocessing import shared_memory
def work(box, semaphore, name):
    with semaphore: box["x"] = 1
    memory = shared_memory.SharedMemory(name); memory.buf[0] = 7; memory.close()
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = m.get_context(method)
        memory = shared_memory.SharedMemory(create=True, size=10)
        with context.Manager() as manager:
            box = manager.dict()
            semaphore = context.Semaphore(1)
            child = context.Process(target=work, args=(box, semaphore, memory.name))
            child.start(); child.join()
            assert child.exitcode == 0 and box["x"] == 1 and memory.buf[0] == 7, method
        memory.close(); memory.unlink()
    with m.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
    print("done")
"""
        },
        slow=True,
    ),
    "sqlite-with-a-write-ahead-log": Work(
        """python -c '
import sqlite3
base = sqlite3.connect("x.db")
assert base.execute("pragma journal_mode=wal").fetchone() == ("wal",)
base.execute("create table t(a)"); base.execute("insert into t values (1)"); base.commit()
base.execute("pragma temp_store=file"); base.execute("create temp table big as select randomblob(100000)")
assert sqlite3.connect("x.db").execute("select a from t").fetchone() == (1,); print("done")'"""
    ),
    "file-locks-and-inotify": Work(
        "python it.py",
        {
            "it.py": """import ctypes, fcntl, os
lock = open("lock", "w"); fcntl.flock(lock, fcntl.LOCK_EX); fcntl.lockf(lock, fcntl.LOCK_EX)
c = ctypes.CDLL(None); watch = c.inotify_init(); assert watch >= 0
assert c.inotify_add_watch(watch, b".", 0x100) > 0
open("new", "w").close(); assert b"new" in os.read(watch, 1000); print("done")
"""
        },
    ),
    "unix-sockets-in-the-temporary-folder": Work(
        "python it.py",
        {
            "it.py": """import os, socket, tempfile
with tempfile.TemporaryDirectory() as folder:
    server = socket.socket(socket.AF_UNIX); server.bind(folder + "/s"); server.listen()
    client = socket.socket(socket.AF_UNIX); client.connect(folder + "/s"); client.sendall(b"done")
    print(server.accept()[0].recv(9).decode())
    one, other = socket.socketpair(); one.sendall(b"x"); assert other.recv(1) == b"x"
    os.chdir(folder); again = socket.socket(socket.AF_UNIX); again.connect("s")
"""
        },
    ),
    "terminal": Work(
        """python -c '
import os, pty
mine, its = pty.openpty(); os.write(its, b"hello"); assert os.read(mine, 9) == b"hello"
assert pty.spawn(["sh", "-c", "test -t 1 && echo done"]) == 0'"""
    ),
}

NATIVE: Mapping[str, Work] = {
    "make-and-gcc": Work(
        "make && ./it",
        {
            "Makefile": "it: it.c\n\tcc -g -o it it.c\n",
            "it.c": '#include <stdio.h>\nint main(void) { return puts("done") < 0; }\n',
        },
        ("make", "cc"),
    ),
    "sanitizers": Work(
        "cc -g -fsanitize=address,undefined -o it it.c && ./it && cc -g -fsanitize=address -o leak leak.c && "
        "! ./leak 2>&1 | grep -q 'LeakSanitizer has encountered' && ./leak 2>&1 | grep -o 'detected memory leaks'",
        {
            "it.c": "#include <stdlib.h>\nint main(void) { char *p = malloc(9); p[0] = 1; free(p); return 0; }\n",
            "leak.c": "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(9); p[0] = 1; p = 0; return 0; }\n",
        },
        ("cc",),
        says="detected memory leaks",
        traces=True,
    ),
    "gdb": Work(
        "cc -g -o it it.c && gdb -q -batch -ex 'break work' -ex run -ex 'print 40+2' ./it",
        {"it.c": "int work(void) { return 0; }\nint main(void) { return work(); }\n"},
        ("cc", "gdb"),
        says="Breakpoint 1, work",
        slow=True,
        traces=True,
    ),
    "strace": Work(
        "strace -f -o log sh -c 'true' && grep -q execve log && echo done", needs=("strace",), traces=True
    ),
    "cargo": Work(
        "cargo test -q --offline && cargo build -q --offline && ./target/debug/it",
        {
            "Cargo.toml": '[package]\nname = "it"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/lib.rs": 'pub fn word() -> &\'static str { "done" }\n',
            "src/main.rs": """fn main() { println!("{}", it::word()) }
#[cfg(test)]
mod tests {
    #[test]
    fn listens() {
        let ear = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        std::net::TcpStream::connect(ear.local_addr().unwrap()).unwrap();
        std::fs::write(std::env::temp_dir().join("x"), "y").unwrap();
    }
}
""",
        },
        ("cargo",),
        slow=True,
    ),
    "go": Work(
        "go vet ./... && go test ./... && go build -o it . && ./it",
        {
            "go.mod": "module it\n\ngo 1.21\n",
            "it.go": 'package main\n\nfunc main() { println("done") }\n',
            "it_test.go": """package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if answer, err := http.Get(server.URL); err != nil || answer.StatusCode != 404 {
		t.Fatal(err)
	}
	if err := os.WriteFile(t.TempDir()+"/x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
""",
        },
        ("go",),
        slow=True,
    ),
}

JAVA: Mapping[str, Work] = {
    "javac-and-java": Work(
        "javac It.java && java It",
        {
            "It.java": """import java.net.*; import java.nio.*; import java.nio.channels.*; import java.nio.file.*;
public class It {
    public static void main(String[] words) throws Exception {
        Files.writeString(Files.createTempFile("a", "b"), "x");
        Files.writeString(Path.of(System.getProperty("user.home"), "x"), "x");
        var server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
        var client = SocketChannel.open(server.getLocalAddress());
        var accepted = server.accept();
        accepted.configureBlocking(false);
        var selector = Selector.open();
        accepted.register(selector, SelectionKey.OP_READ);
        client.write(ByteBuffer.wrap(new byte[] {1}));
        if (selector.select() != 1) throw new Exception("nothing came");
        new ProcessBuilder("echo", "done").inheritIO().start().waitFor();
    }
}
"""
        },
        ("javac",),
        slow=True,
    ),
    "maven": Work(
        "mvn -o -q -B test -Dtest='*Test#good' && ls one/target/surefire-reports/*.xml && echo done",
        MAVEN,
        ("mvn",),
        slow=True,
    ),
}

_SERVER = """import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { mkdtempSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { execFileSync } from "node:child_process";
const server = createServer((_, answer) => answer.end("hello")).listen(0, "127.0.0.1", async () => {
  const port = server.address().port;
  for (const host of ["127.0.0.1", "localhost"])
    if ((await (await fetch(`http://${host}:${port}`)).text()) !== "hello") process.exit(1);
  writeFileSync(mkdtempSync(tmpdir() + "/x") + "/y", "z");
  watch(".").close();
  if (execFileSync("echo", ["x"]).toString() !== "x\\n") process.exit(2);
  const worker = new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true });
  worker.once("message", () => { console.log("done"); server.close(); });
});
"""

NODE: Mapping[str, Work] = {
    "node": Work("node it.mjs", {"it.mjs": _SERVER}, ("node",)),
    "node-test": Work(
        "node --test",
        {"it.test.mjs": 'import test from "node:test";\ntest("x", () => {});\n'},
        ("node",),
        says="pass 1",
    ),
    "npm": Work(
        "npm init -y >/dev/null && npm pkg set scripts.it='echo done' && npm install --offline ./dep && "
        "rm -r node_modules && npm ci --offline && node -e 'require(\"dep\")' && npm run it",
        {"dep/package.json": '{"name": "dep", "version": "1.0.0"}', "dep/index.js": ""},
        ("npm",),
        slow=True,
    ),
}

SHELL: Mapping[str, Work] = {
    "bash": Work(
        "diff <(echo x) <(echo x) && cat <<< here | tee copy | grep -q here && echo x > /dev/null && "
        "coproc cat; mktemp && (sleep 0 & wait) && printf '%s\\n' {a..c} | xargs -n1 -P2 echo && head -c9 /dev/urandom "
        "| wc -c && ls / >/dev/null && ps >/dev/null; type git && echo done"
    ),
    "files-moved-and-linked": Work(
        'mkdir a b && echo done > a/x && mv -T a/x b/x && ln b/x a/x && python -c \'import os; os.rename("a/x", "x")\' '
        '&& mkdir "$TMPDIR/c" && mv b "$TMPDIR/c/b" && cat x',
    ),
    "devices-for-output": Work(
        "echo one > /dev/stdout && echo two | tee /dev/stderr >/dev/null && echo done >&2", says="two"
    ),
    "script": Work("script -qec 'test -t 0 && echo done' log </dev/null", needs=("script",)),
    "git": Work(
        "git init -q . && echo x > a && git add a && git commit -qm one && echo y > a && git stash -q && "
        "git stash pop -q && git worktree add -q ../tree -b other && git -C ../tree log --oneline && "
        "git diff --stat && git clone -q . ../clone && git -C ../clone gc -q && git worktree remove ../tree && echo done",
        needs=("git",),
    ),
    "git-over-http": Work(
        "git init -q --bare served.git && git -C served.git update-server-info && python it.py",
        {
            "it.py": """import functools, http.server, subprocess, threading
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/served.git"
subprocess.run(["git", "clone", "-q", url, "copy"], check=True)
subprocess.run(["curl", "-fsS", "-o", "head", url + "/HEAD"], check=True)
print("done")
"""
        },
        ("git", "curl"),
    ),
}

BROWSER: Mapping[str, Work] = {
    "chromium": Work(
        "chromium --headless --no-sandbox --disable-gpu --dump-dom 'data:text/html,<p>do<b>ne</b>' 2>&1",
        needs=("chromium",),
        says="<p>do<b>ne</b>",
        slow=True,
    )
}

WORK: Mapping[str, Work] = {**PYTHON, **NATIVE, **JAVA, **NODE, **SHELL, **BROWSER}
