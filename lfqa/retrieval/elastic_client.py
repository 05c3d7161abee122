"""A connection to an Elasticsearch server: who we are to it, how long we try, and in words what went wrong."""

from __future__ import annotations

import functools
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from elasticsearch import ApiError, Elasticsearch

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

OLDEST = (8, 11)  # the first with max_inner_product
_PASSING = frozenset({429, 502, 503, 504})  # statuses of a server that is overloaded, starting, or waits for a shard
_ATTEMPTS = 3  # while a person waits
_SLOWEST_RETRY = 10.0  # seconds
_NAMED = re.compile(r"\b(user|API key id|account|roles) \[[^\]]*\]")  # the server repeats whom it turned away


class ElasticProblem(ValueError):
    """What keeps a server from answering.

    Parameters
    ----------
    message
        For whoever runs it: server, index, reason, and what to do.
    short
        For whoever asks on a page, where neither addresses nor names belong: completes "The Elasticsearch server ...".
    """

    def __init__(self, message: str, short: str = "can not be used") -> None:
        super().__init__(message)
        self.short = short


class Changed(ElasticProblem):
    """The index that was asked is gone, or no longer takes our queries: it was replaced meanwhile, or is not ours."""


class Unfit(ElasticProblem):
    """An index of ours that can not be asked as it is, and is made anew by indexing once more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "holds an index that does not fit")


class Passing(Exception):
    """A part of an answer says that the server is busy or that a shard is missing; to be tried again."""


@dataclass(frozen=True)
class Server:
    """Where a server is and who we are to it; secrets stay out of its representation.

    Attributes
    ----------
    url
        ``http://host:9200`` or ``https://host``, without credentials.
    api_key
        Stands for user and password.
    ca
        Certificate of the authority that signed the server's, where that is not a public one.
    timeout
        Seconds that one question waits at most, retries and all.
    patience
        Seconds for which building goes on trying a server that is not there.
    shards
        Of an index that is made.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca: Path | None = None
    timeout: float = 10.0
    patience: float = 120.0
    shards: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url))
        if (self.user is None) != (self.password is None):
            raise ValueError("an Elasticsearch user needs a password and the other way round: LFQA_ELASTICSEARCH_USER and _PASSWORD")
        if self.user is not None and self.api_key is not None:
            raise ValueError("give Elasticsearch either LFQA_ELASTICSEARCH_API_KEY or a user and a password, not both")


def checked_url(url: str) -> str:
    """Return `url` with its port, 9200 for http and 443 for https where it names none.

    Raises
    ------
    ValueError
        When it is no http or https address, or holds credentials; the message does not repeat those.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError("the Elasticsearch URL can not be read; it looks like https://host:9200") from error
    if parts.username or parts.password or "@" in parts.netloc:
        raise ValueError(
            "the Elasticsearch URL holds credentials, which would be shown and logged: leave them out, and set LFQA_ELASTICSEARCH_USER and "
            "LFQA_ELASTICSEARCH_PASSWORD, or LFQA_ELASTICSEARCH_API_KEY"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no Elasticsearch URL; one looks like https://host:9200")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 9200)}{parts.path.rstrip('/')}"


class Connection:
    """Calls to one server, with bounded retries; safe to share between threads.

    Raises
    ------
    ElasticProblem
        When the certificate authority's file can not be used.
    """

    def __init__(self, server: Server) -> None:
        from elasticsearch import Elasticsearch

        self.server = server
        options: dict[str, Any] = {}
        if server.ca is not None and server.url.startswith("https:"):
            try:
                options["ssl_context"] = ssl.create_default_context(cafile=server.ca)
            except OSError as error:
                raise ElasticProblem(f"LFQA_ELASTICSEARCH_CA: {server.ca} is no readable certificate file ({error})") from error
        self._client = Elasticsearch(
            server.url,
            basic_auth=(server.user, server.password or "") if server.user is not None else None,
            api_key=server.api_key,
            max_retries=0,  # retries are counted and spaced out here
            **options,
        )
        self._quick = self._client.options(request_timeout=server.timeout)
        self._patient = self._client.options(request_timeout=max(60.0, server.timeout))

    def ask(self, call: Callable[[Elasticsearch], Result]) -> Result:
        """Return what `call` returns: up to three attempts, within the server's timeout, while a person waits.

        Raises
        ------
        ElasticProblem
            When the server does not answer, or refuses.
        """
        import tenacity

        stop = tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_after_delay(self.server.timeout)
        return self._try(functools.partial(call, self._quick), stop, says=False)

    def insist(self, call: Callable[[Elasticsearch], Result]) -> Result:
        """Return what `call` returns, trying for as long as the server's patience says: a restart is survived.

        Raises
        ------
        ElasticProblem
            When the server does not answer, or refuses.
        """
        import tenacity

        return self._try(functools.partial(call, self._patient), tenacity.stop_after_delay(self.server.patience), says=True)

    def _try(self, call: Callable[[], Result], stop: object, *, says: bool) -> Result:
        import tenacity
        from elastic_transport import TransportError
        from elasticsearch import ApiError

        def note(state: tenacity.RetryCallState) -> None:
            if says and state.attempt_number == 1:
                logger.warning("%s does not answer; trying for up to %.0f s", self.server.url, self.server.patience)

        retrying = tenacity.Retrying(
            stop=stop,  # type: ignore[arg-type]
            wait=tenacity.wait_exponential_jitter(initial=0.2, max=_SLOWEST_RETRY, jitter=0.2),
            retry=tenacity.retry_if_exception(_may_pass),
            before_sleep=note,
            reraise=True,
        )
        try:
            return retrying(call)
        except (ApiError, TransportError, Passing) as error:
            raise in_words(error, self.server) from error


def _may_pass(error: BaseException) -> bool:
    from elastic_transport import ConnectionError, TlsError
    from elasticsearch import ApiError

    if isinstance(error, ApiError):
        return error.status_code in _PASSING
    return isinstance(error, Passing) or (isinstance(error, ConnectionError) and not isinstance(error, TlsError))


def in_words(error: Exception, server: Server) -> ElasticProblem:
    """Return `error`, of the client or a `Passing`, as what a person can act on; nothing secret is in it."""
    from elastic_transport import ConnectionError, ConnectionTimeout, TlsError, TransportError
    from elasticsearch import ApiError, UnsupportedProductError

    at = f"the Elasticsearch server at {server.url}"
    if isinstance(error, Passing):
        return ElasticProblem(f"{at} can not do this now: {error}", "is not ready")
    if isinstance(error, UnsupportedProductError):
        return ElasticProblem(f"what answers at {server.url} is no Elasticsearch; check the URL", "is not the right one")
    if isinstance(error, ApiError):
        return _refusal(error, at, server)
    if isinstance(error, TlsError):
        return ElasticProblem(
            f"{at} can not be trusted: its certificate was not signed by a known authority, or names another host. "
            f"Set LFQA_ELASTICSEARCH_CA to the file of the authority's certificate ({error.message})",
            "can not be trusted",
        )
    if isinstance(error, ConnectionTimeout):
        return ElasticProblem(
            f"{at} did not answer within {server.timeout:g} s; LFQA_ELASTICSEARCH_TIMEOUT allows it more", "is too slow to answer"
        )
    if isinstance(error, ConnectionError):
        return ElasticProblem(f"{at} can not be reached; check that it runs and that the URL is right ({error.message})", "does not answer")
    reason = error.message if isinstance(error, TransportError) else type(error).__name__
    return ElasticProblem(
        f"{at} answers in a way that is not understood ({reason}); check the URL", "answers in a way that is not understood"
    )


def _refusal(error: ApiError, at: str, server: Server) -> ElasticProblem:
    status, reason = error.status_code, _reason(error)
    if status == 401:
        given = "refuses the credentials" if server.user is not None or server.api_key is not None else "asks for credentials"
        return ElasticProblem(
            f"{at} {given} (401): set LFQA_ELASTICSEARCH_API_KEY, or LFQA_ELASTICSEARCH_USER and LFQA_ELASTICSEARCH_PASSWORD",
            "does not let this page in",
        )
    if status == 403:
        return ElasticProblem(f"{at} does not allow this (403): {reason}", "does not allow this")
    if status in _PASSING:
        short = "is overloaded" if status == 429 else "is not ready"
        red = "; the index is red: a part of it is on no running node" if "shard" in str(error.error) + reason else ""
        red = red or ("; the index is red, or the server still starts" if error.error == "search_phase_execution_exception" else "")
        return ElasticProblem(f"{at} can not do this now ({status}): {reason}{red}", short)
    if status in (400, 404):
        return Changed(f"{at} refuses this ({status}): {reason}", "holds something else now")
    return ElasticProblem(f"{at} has a problem ({status}): {reason}", "has a problem")


def _reason(error: ApiError) -> str:
    """Return the server's own words, the innermost ones first."""
    body = error.body if isinstance(error.body, dict) else {}
    told = body.get("error", {})
    causes = [*(told.get("root_cause") or ()), told] if isinstance(told, dict) else []
    said = next((str(cause["reason"]) for cause in causes if cause.get("reason")), str(error.error))
    return _NAMED.sub(r"\1 [...]", said)[:300]


def check_version(connection: Connection) -> None:
    """Refuse a server that is too old for what is asked of it; one that does not tell its version passes.

    Raises
    ------
    ElasticProblem
        When it is too old, or can not be reached.
    """
    from elasticsearch import AuthorizationException

    def number(client: Elasticsearch) -> str:
        try:
            return str(client.info()["version"]["number"])
        except AuthorizationException:  # a key for one index alone
            return ""

    found = connection.ask(number)
    parts = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if parts and parts < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ElasticProblem(f"the Elasticsearch server at {connection.server.url} is version {found}; {oldest} is the oldest that works")
