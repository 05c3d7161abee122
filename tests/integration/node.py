"""Starting, stopping and killing an Elasticsearch, and standing between it and us."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

SERVE = Path(__file__).resolve().parents[3] / "shared" / "elasticsearch" / "serve"
_PATIENCE = 180  # seconds until a server answers; ten on an idle machine


class Node:
    """A single-node Elasticsearch on loopback, whose data stay between `stop` or `kill` and the next `start`."""

    def __init__(self, password: str = "") -> None:
        self.password, self.port = password, _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()

    def __enter__(self) -> Node:
        # the server runs as another user, who can not look into pytest's folders
        self._folder = Path(tempfile.mkdtemp(prefix="lfqa-elasticsearch-"))
        self._folder.chmod(0o755)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(SERVE), str(self._folder / "node"), str(self.port), *([self.password] if self.password else [])],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        began = time.monotonic()
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began > _PATIENCE:
                tail = (self._folder / "log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"Elasticsearch does not start:\n{tail}")
            time.sleep(0.3)

    def add_user(self, name: str, password: str, role: str) -> None:
        """Let a user in who may do what `role`, the lines of a role's description, says; waits until the server knows."""
        home = next((self._folder / "node").glob("elasticsearch-*"))
        (home / "config" / "roles.yml").write_text(f"{name}:\n{role}", encoding="utf-8")
        as_owner = ["setpriv", "--reuid", "lfqa-es", "--regid", "lfqa-es", "--clear-groups"] if os.getuid() == 0 else []
        java = Path(shutil.which("java") or "").resolve().parents[1]
        subprocess.run(
            [*as_owner, str(home / "bin" / "elasticsearch-users"), "useradd", name, "-p", password, "-r", name],
            check=True, capture_output=True, env={**os.environ, "ES_JAVA_HOME": str(java)},
        )  # fmt: skip
        began = time.monotonic()
        while not self._lets_in(name, password):
            if time.monotonic() - began > _PATIENCE:
                raise RuntimeError(f"Elasticsearch does not let {name} in")
            time.sleep(0.5)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            # without its security index, which needs a moment, the server can not check passwords
            return error.code == 401 and self._lets_in("elastic", self.password)
        except OSError:
            return False

    def _lets_in(self, user: str, password: str) -> bool:
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, self.url, user, password)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
        with suppress(OSError), opener.open(f"{self.url}/_security/_authenticate", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        """Stop it as one should."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take it away in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)
        began = time.monotonic()
        while _listens(self.port) and time.monotonic() - began < 30:  # the launcher goes first, the server follows
            time.sleep(0.1)
        self._process = None


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    """Return a port that is free, and whose hundredth neighbour, the server's second one, is free too."""
    while True:
        with closing(socket.socket()) as first, closing(socket.socket()) as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 100))
                return port


class Proxy:
    """Passes bytes on to a server, over TLS if asked to; while `stalled` is set, it takes them and says nothing."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.stalled = threading.Event()
        self._open: list[socket.socket] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError):
            client = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            server = socket.create_connection(self._target)
            self._open += [client, server]
            threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
            self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.stalled.is_set():
                    sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
