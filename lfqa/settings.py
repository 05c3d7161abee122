"""One validated settings object: defaults < settings file < ``LFQA_*`` environment < arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path
from pydantic import Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from lfqa.types import SUPPORTED_AT

RetrieverName = Literal["dense", "sparse", "hybrid"]
FusionName = Literal["rrf", "scores", "interleave"]
GeneratorName = Literal["bart", "extract"]
EngineName = Literal["embedded", "elasticsearch"]
RuntimeName = Literal["ctranslate2", "transformers"]
Decoding = Literal["greedy", "beam", "sample"]

ASSETS = Path(__file__).resolve().parent.parent / "assets"

_SHORTEST = 40  # tokens, the default

# what a profile changes of the defaults
PROFILES: dict[str, dict[str, Any]] = {
    "embedded": {},
    "hub": {
        "retriever_model": "yjernite/retribert-base-uncased",
        "generator_model": "yjernite/bart_eli5",
        "corpus": "wiki_snippets",
        "prompt_style": "passages",
        "source_tokens": 1024,
        "max_answer_tokens": 256,
        "no_repeat_ngram": 3,
        # both were chosen for the vectors of the embedded retriever
        "answerable_threshold": 0.0,
        "opening": False,
        "nearest_threshold": 0.0,
    },
}


class Settings(BaseSettings):
    """Everything an answer depends on, and where things are.

    Environment variables are the field names with ``LFQA_`` before them; ``LFQA_CONFIG`` names a TOML file with the same fields.
    """

    model_config = SettingsConfigDict(env_prefix="LFQA_", env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: Literal["embedded", "hub"] = "embedded"
    retriever_model: str = Field(str(ASSETS / "models" / "retriever"), description="Folder or hub name of a RetriBERT.")
    generator_model: str = Field(str(ASSETS / "models" / "generator"), description="Folder or hub name of a BART.")
    corpus: str = Field(str(ASSETS / "corpus" / "passages.jsonl"), description="Passage file, or a data set's name.")
    index: str | None = Field(None, description="Name of an index made by `lfqa index add`; the corpus where none is given.")
    questions: str | None = Field(
        None, description="File of answered questions; where none is given, the questions.jsonl beside a passages.jsonl."
    )
    cache: Path = Field(default_factory=lambda: user_cache_path("lfqa"), description="Where indexes and converted models go.")

    engine: EngineName = Field("embedded", description="What searches: FAISS and Tantivy here, or an Elasticsearch server.")
    retriever: RetrieverName = "hybrid"
    k: int = Field(6, ge=1, le=100, description="Passages retrieved and shown.")
    fusion: FusionName = Field("rrf", description="How hybrid retrieval joins its two lists.")
    weight: float = Field(0.5, ge=0, le=1, description="Of the dense list in that: 0 is BM25 alone, 1 is dense alone.")
    rrf_constant: int = Field(60, ge=1, description="The k of reciprocal rank fusion.")
    articles: tuple[str, ...] = Field((), description="Titles of the only articles to search.")
    sections: tuple[str, ...] = Field((), description="Titles of the only sections to search.")
    sources: tuple[str, ...] = Field((), description="The only files and addresses to search.")

    elasticsearch_url: str | None = Field(None, description="Where the Elasticsearch server is: https://host:9200.")
    elasticsearch_user: str | None = None
    elasticsearch_password: SecretStr | None = None
    elasticsearch_api_key: SecretStr | None = Field(None, description="Stands for user and password.")
    elasticsearch_ca: FilePath | None = Field(None, description="Certificate of the authority that signed the server's.")
    elasticsearch_timeout: float = Field(10.0, gt=0, description="Seconds that a question waits for the server at most.")
    elasticsearch_patience: float = Field(120.0, gt=0, description="Seconds for which indexing waits for a server that is away.")
    elasticsearch_shards: int = Field(1, ge=1, le=1024, description="Parts of an index that is made.")

    generator: GeneratorName = "bart"
    runtime: RuntimeName = Field("ctranslate2", description="What runs BART on a CPU.")
    device: Literal["cpu", "cuda", "auto"] = "auto"
    threads: int = Field(1, ge=1, le=64, description="Threads of the generator; more than one slows a small model down.")
    prompt_style: Literal["sentences", "passages"] = "sentences"
    source_tokens: int = Field(256, ge=64, le=4096, description="Longest generator input, in tokens.")
    decoding: Decoding = "greedy"
    beams: int = Field(4, ge=1, le=16)
    temperature: float = Field(0.8, gt=0, le=5)
    top_p: float = Field(0.9, gt=0, le=1)
    seed: int = Field(0, ge=0)
    min_answer_tokens: int = Field(_SHORTEST, ge=0, le=512)
    max_answer_tokens: int = Field(128, ge=8, le=1024)
    no_repeat_ngram: int = Field(0, ge=0, le=20, description="Token runs that may not come twice; breaks rare words.")
    extract_sentences: int = Field(3, ge=1, le=8, description="Sentences of the `extract` generator.")

    repair: bool = Field(True, description="Replace what is written but not supported by what the passages say, or leave it out.")
    support_threshold: float = Field(SUPPORTED_AT, gt=0, le=1, description="Support score from which a sentence counts as supported.")
    opening: bool = Field(True, description="Begin with the passage sentence closest to the question, and let the model go on from there.")
    answerable_threshold: float = Field(0.62, ge=0, le=1, description="No answer when the sentences found answer the question less.")
    related_threshold: float = Field(0.45, ge=0, le=1, description="The same for passages that the caller gives, instead of a search.")
    nearest_threshold: float = Field(0.7, ge=0, le=1, description="Similarity below which the nearest answered question is called far.")
    max_question_characters: int = Field(1000, ge=10)

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        profile = values.get("profile", "embedded")
        merged = {**(PROFILES.get(profile, {}) if isinstance(profile, str) else {}), **values}
        longest = str(merged.get("max_answer_tokens", ""))  # the environment gives text
        if "min_answer_tokens" not in merged and longest.isdecimal() and int(longest) < _SHORTEST:
            merged["min_answer_tokens"] = int(longest)  # who asks for a short answer need not say so twice
        return merged

    @model_validator(mode="after")
    def _lengths_agree(self) -> Settings:
        if self.min_answer_tokens > self.max_answer_tokens:
            raise ValueError(f"the shortest answer ({self.min_answer_tokens} tokens) is longer than the longest ({self.max_answer_tokens})")
        return self

    @model_validator(mode="after")
    def _server_is_named(self) -> Settings:
        if self.engine == "elasticsearch" and not self.elasticsearch_url:
            raise ValueError("the engine elasticsearch needs a server: give --url URL, or set LFQA_ELASTICSEARCH_URL")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file that ``LFQA_CONFIG`` names below the environment."""
        import os

        file = os.environ.get("LFQA_CONFIG")
        if not file:
            return init_settings, env_settings
        if not Path(file).is_file():
            raise ValueError(f"LFQA_CONFIG names {file}, which is not a file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))

    def with_options(self, **changes: Any) -> Settings:
        """Return these settings with `changes`, validated again; None leaves a setting as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        return Settings(**{**self.model_dump(), **given})

    def reproduction(self) -> dict[str, Any]:
        """Return what an answer depends on, as plain values."""
        names = (
            "profile", "engine", "retriever", "k", "rrf_constant", "generator", "runtime", "decoding", "min_answer_tokens",
            "max_answer_tokens", "no_repeat_ngram", "repair", "opening", "support_threshold", "answerable_threshold",
            "related_threshold", "prompt_style", "source_tokens",
        )  # fmt: skip
        chosen = {name: getattr(self, name) for name in names}
        if self.retriever == "hybrid":
            chosen.update(fusion=self.fusion, weight=self.weight)
        chosen.update({name: list(getattr(self, name)) for name in ("articles", "sections", "sources") if getattr(self, name)})
        if self.generator == "extract":
            chosen["extract_sentences"] = self.extract_sentences
        if self.decoding == "beam":
            chosen["beams"] = self.beams
        if self.decoding == "sample":
            chosen.update(temperature=self.temperature, top_p=self.top_p, seed=self.seed)
        return chosen


def describe(error: ValidationError) -> str:
    """Return a validation error as one line a person can act on."""
    parts = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        secret = where.startswith("elasticsearch_")  # what is misplaced there may be a password
        parts.append(f"{where}: {message}" + ("" if secret else f" (given: {item['input']!r})") if where else message)
    return "; ".join(parts)
