"""BM25 (Robertson & Zaragoza 2009) over title, section and text, by the embedded engine Tantivy.

A question is never parsed: it is analysed like the documents (lower case, English stop words out, Snowball stems) and its terms are
searched, so that any text is a question and no operator can be smuggled in.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tantivy

from lfqa.types import Passage

FIELD_WEIGHTS = {"title": 1.6, "section": 1.0, "text": 1.0}
_MOST_TERMS = 64  # far more than a question has; bounds the work that a pasted document can cause
_ANALYZER = "english"


def _analyzer() -> tantivy.TextAnalyzer:
    filters = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (filters.remove_long(60), filters.lowercase(), filters.stopword("english"), filters.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True)
    for field in FIELD_WEIGHTS:
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


class SparseIndex:
    """A BM25 index over passages, which are known by their row number.

    Parameters
    ----------
    folder
        What `build` wrote.

    Raises
    ------
    ValueError
        When `folder` holds no readable index.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._index = tantivy.Index.open(str(folder))
        except (ValueError, OSError) as error:
            raise ValueError(f"{folder} holds no readable BM25 index ({error})") from error
        self._analyzer = _analyzer()
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._searcher = self._index.searcher()

    @classmethod
    def build(cls, passages: Iterable[Passage], folder: Path, *, heap_mib: int = 128) -> SparseIndex:
        """Index `passages`, in row order, into the empty folder `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        schema = _schema()
        index = tantivy.Index(schema, path=str(folder))
        index.register_tokenizer(_ANALYZER, _analyzer())
        # one thread: rows keep their order, and equal scores come out the same in every build
        writer = index.writer(heap_size=heap_mib << 20, num_threads=1)
        for row, passage in enumerate(passages):
            document = tantivy.Document(title=passage.article_title, section=passage.section_title, text=passage.passage_text)
            document.add_unsigned("row", row)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        return cls(folder)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def terms(self, text: str) -> list[str]:
        """Return the different index terms of `text`, in order of appearance."""
        return list(dict.fromkeys(self._analyzer.analyze(text)))

    def search(self, question: str, k: int) -> list[tuple[int, float]]:
        """Return at most `k` ``(row, BM25 score)``, best first; none when no term of `question` is in the index.

        Raises
        ------
        ValueError
            When `k` is not positive.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        schema = self._index.schema
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, field, term, "freq"), weight))
            for term in self.terms(question)[:_MOST_TERMS]
            for field, weight in FIELD_WEIGHTS.items()
        ]
        if not clauses:
            return []
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), limit=k, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in found])
        return [(int(row), float(score)) for row, (score, _) in zip(rows, found, strict=True) if row is not None]
