"""BM25 (Robertson & Zaragoza 2009) over title, section and text, by the embedded engine Tantivy.

A question is never parsed: it is analysed like the documents (lower case, English stop words out, Snowball stems) and its terms are
searched, so that any text is a question and no operator can be smuggled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from lfqa.retrieval.filters import Filters
from lfqa.types import Passage

FIELD_WEIGHTS = {"title": 1.6, "section": 1.0, "text": 1.0}
_MOST_TERMS = 64  # far more than a question has; bounds the work that a pasted document can cause
_ANALYZER, _EXACT = "english", "exact"
_ID = "passage_id"
_EXACT_FIELDS = {"article_title": "title_exact", "section_title": "section_exact", "source": "source_exact"}


def _analyzer() -> tantivy.TextAnalyzer:
    filters = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (filters.remove_long(60), filters.lowercase(), filters.stopword("english"), filters.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()


def _exact_analyzer() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.lowercase()).build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True, indexed=True)
    for field in FIELD_WEIGHTS:
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
    builder.add_text_field(_ID, tokenizer_name="raw", index_option="basic")
    for field in _EXACT_FIELDS.values():
        builder.add_text_field(field, tokenizer_name=_EXACT, index_option="basic")
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
        self._index.register_tokenizer(_EXACT, _exact_analyzer())
        self._searcher = self._index.searcher()

    @classmethod
    def build(cls, passages: Iterable[Passage], folder: Path, *, heap_mib: int = 128) -> SparseIndex:
        """Index `passages`, in row order, into the empty folder `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        schema = _schema()
        index = tantivy.Index(schema, path=str(folder))
        index.register_tokenizer(_ANALYZER, _analyzer())
        index.register_tokenizer(_EXACT, _exact_analyzer())
        # one thread: rows keep their order, and equal scores come out the same in every build
        writer = index.writer(heap_size=heap_mib << 20, num_threads=1)
        for row, passage in enumerate(passages):
            document = tantivy.Document(title=passage.article_title, section=passage.section_title, text=passage.passage_text)
            document.add_unsigned("row", row)
            document.add_text(_ID, passage.passage_id)
            for name, field in _EXACT_FIELDS.items():
                document.add_text(field, getattr(passage, name))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        return cls(folder)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def terms(self, text: str) -> list[str]:
        """Return the different index terms of `text`, in order of appearance."""
        return list(dict.fromkeys(self._analyzer.analyze(text)))

    def search(self, question: str, k: int, filters: Filters | None = None) -> list[tuple[int, float]]:
        """Return at most `k` ``(row, BM25 score)``, best first; none when no term of `question` is in the index.

        Parameters
        ----------
        filters
            Which passages may be returned; they do not change the scores.

        Raises
        ------
        ValueError
            When `k` is not positive.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        clauses = [clause for term in self.terms(question)[:_MOST_TERMS] for clause in self._term(term)]
        if not clauses:
            return []
        query = tantivy.Query.boolean_query(clauses)
        if filters:
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *self._passing(filters)])
        return self._hits(query, k)

    def rows(self, filters: Filters) -> NDArray[np.int64]:
        """Return the rows of the passages that pass `filters`, in order."""
        if not filters or not len(self):
            return np.arange(len(self))
        found = self._hits(tantivy.Query.boolean_query(self._passing(filters)), len(self))
        return np.sort(np.fromiter((row for row, _ in found), dtype=np.int64, count=len(found)))

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """Return the rows of the passages with these ids.

        Raises
        ------
        KeyError
            When there is none with one of them.
        """
        found = []
        for name in ids:
            hits = self._hits(tantivy.Query.term_query(self._index.schema, _ID, name, "basic"), 1)
            if not hits:
                raise KeyError(name)
            found.append(hits[0][0])
        return found

    def contributions(self, question: str, rows: Sequence[int]) -> list[dict[str, float]]:
        """Return for each of `rows` what each term of `question` adds to its BM25 score, over all fields; 0 is left out."""
        added: dict[int, dict[str, float]] = {row: {} for row in rows}
        if not added:
            return []
        schema = self._index.schema
        wanted = tantivy.Query.boolean_query([(tantivy.Occur.Should, tantivy.Query.term_query(schema, "row", row)) for row in added])
        among = (tantivy.Occur.Must, tantivy.Query.const_score_query(wanted, 0.0))
        for term in self.terms(question)[:_MOST_TERMS]:
            query = tantivy.Query.boolean_query([among, (tantivy.Occur.Must, tantivy.Query.boolean_query(self._term(term)))])
            for row, score in self._hits(query, len(added)):
                added[row][term] = score
        return [added[row] for row in rows]

    def _term(self, term: str) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        schema = self._index.schema
        return [
            (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, field, term, "freq"), weight))
            for field, weight in FIELD_WEIGHTS.items()
        ]

    def _passing(self, filters: Filters) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        """Return a clause without weight for each field that is filtered by."""
        schema, clauses = self._index.schema, []
        for name, values in filters.by_field().items():
            terms = [tantivy.Query.term_query(schema, _EXACT_FIELDS[name], value.lower(), "basic") for value in values]
            either = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
            clauses.append((tantivy.Occur.Must, tantivy.Query.const_score_query(either, 0.0)))
        return clauses

    def _hits(self, query: tantivy.Query, k: int) -> list[tuple[int, float]]:
        found = self._searcher.search(query, limit=k, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in found])
        hits = [(int(row), float(score)) for row, (score, _) in zip(rows, found, strict=True) if row is not None]
        # of equal scores the first row, however Tantivy has merged its files
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))
