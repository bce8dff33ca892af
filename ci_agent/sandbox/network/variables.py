"""What in its environment makes a program use a proxy. There are conventions, and programs that have their own."""

from __future__ import annotations

_DIRECT = ("localhost", "127.0.0.1", "::1")  # what commands may reach by themselves


def variables(port: int, password: str = "", direct: tuple[str, ...] = _DIRECT) -> dict[str, str]:
    """The variables that send programs to the proxy on this port of loopback, but for the hosts in `direct`.

    They win over what a program's own configuration says about proxies, where it has a variable for that.
    """
    url = f"http://ci-agent:{password}@127.0.0.1:{port}" if password else f"http://127.0.0.1:{port}"
    found = dict.fromkeys(_PROXY_VARIABLES, url) | dict.fromkeys(_BY_URL, url)
    # An empty list of exceptions is one that everything matches, to some.
    found |= dict.fromkeys(EXCEPTION_VARIABLES, ",".join(direct)) if direct else {}
    options = [f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={port}" for scheme in ("http", "https")]
    hosts = "|".join(f"[{host}]" if ":" in host else host for host in direct)
    jvm = " ".join([*options, f"-Dhttp.nonProxyHosts={hosts}"])
    return found | {"MAVEN_OPTS": f"{jvm} {_MAVEN}", "GRADLE_OPTS": jvm}


# curl, git, pip, uv, go, cargo and most others; some read one case only.
_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
_PROXY_VARIABLES = (*_NAMES, *(name.lower() for name in _NAMES))
EXCEPTION_VARIABLES = ("NO_PROXY", "no_proxy", "NPM_CONFIG_NOPROXY")

_BY_URL = (
    *("NPM_CONFIG_PROXY", "NPM_CONFIG_HTTPS_PROXY"),  # npm and pnpm, before what ~/.npmrc says
    # Yarn reads no others from 2 on, and refuses to run when there is one for exceptions.
    *("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"),
    "CARGO_HTTP_PROXY",  # before what its config.toml says
)

# Maven from 3.9 on doesn't look at Java's own properties for proxies unless told to, by the name that its resolver
# has for that up to 1.9 and from 2.0 on.
_MAVEN = "-Daether.connector.http.useSystemProperties=true -Daether.transport.apache.useSystemProperties=true"
