"""Dense search: RetriBERT embeddings in a FAISS inner-product index."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

    from lfqa.retribert import RetriBertModel
    from lfqa.retrieval.plain import PlainRetriBert

from lfqa.types import Passage

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


def passage_input(passage: Passage) -> str:
    """Return the text that is embedded for a passage: title, section and text."""
    head = ". ".join(part for part in (passage.article_title, passage.section_title) if part)
    return f"{head}. {passage.passage_text}" if head else passage.passage_text


@functools.cache
def _low_precision() -> bool:
    """Say whether bfloat16 matrix products are faster than float32 here (AMX, or an accelerator)."""
    import torch

    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check and check())


def _any_tokenizer(model: str) -> Tokenizer:
    """Return the tokenizer of any checkpoint, padding switched on, by Transformers."""
    from transformers import AutoTokenizer

    import lfqa.retribert  # noqa: F401 - tells Transformers about RetriBERT

    whole = AutoTokenizer.from_pretrained(model)
    tokenizer: Tokenizer = whole.backend_tokenizer
    tokenizer.enable_padding(direction=whole.padding_side, pad_id=whole.pad_token_id, pad_token=whole.pad_token)
    return tokenizer


def _any_model(model: str, device: str) -> RetriBertModel:
    """Return the model of any checkpoint, by Transformers."""
    import torch

    from lfqa.retribert import RetriBertModel

    loaded: RetriBertModel = RetriBertModel.from_pretrained(model, dtype=torch.float32).to(device).eval()
    return loaded


def _batches(order: Sequence[int], lengths: Sequence[int], characters: int = 20_000) -> Iterator[Sequence[int]]:
    """Yield the rows of `order`, shortest first, in batches of at most so many characters with padding: about 32 passages of 100 words.

    A batch of sentences holds more texts than one of passages, or the fixed cost of a batch outweighs the encoding.
    """
    first = 0
    for last in range(1, len(order) + 1):
        if last == len(order) or (last + 1 - first) * lengths[order[last]] > characters:
            yield order[first:last]
            first = last


class Encoder:
    """A RetriBERT checkpoint that turns questions and passages into vectors.

    Parameters
    ----------
    model
        Folder or hub name of a checkpoint.
    device
        ``cpu`` or ``cuda``.
    longest_question, longest_passage
        Tokens after which a text is cut.
    """

    def __init__(self, model: str, device: str = "cpu", *, longest_question: int = 64, longest_passage: int = 256) -> None:
        from lfqa.retrieval.plain import load_plain, load_plain_tokenizer

        self.name, self.device = model, device
        self.longest_question, self.longest_passage = longest_question, longest_passage
        self._tokenizer = load_plain_tokenizer(Path(model)) or _any_tokenizer(model)
        self._tokenizing = threading.Lock()  # the length at which it cuts is a state of the tokenizer
        self._model: PlainRetriBert | RetriBertModel = load_plain(Path(model), device) or _any_model(model, device)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._model.projection_dim

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of questions, shape (len(texts), dimension)."""
        return self._encode(texts, self._model.embed_questions, self.longest_question)

    def texts(self, texts: Sequence[str], progress: Callable[[int], object] | None = None) -> Vectors:
        """Return the embeddings of passages' texts, shape (len(texts), dimension); `progress` is told how many are done."""
        return self._encode(texts, self._model.embed_answers, self.longest_passage, progress)

    def passages(self, passages: Sequence[Passage], progress: Callable[[int], object] | None = None) -> Vectors:
        """Return the embeddings of passages, shape (len(passages), dimension)."""
        return self.texts([passage_input(passage) for passage in passages], progress)

    def _encode(
        self,
        texts: Sequence[str],
        embed: Callable[..., torch.Tensor],
        longest: int,
        progress: Callable[[int], object] | None = None,
    ) -> Vectors:
        import torch

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        # texts of like length together: little padding
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        low = self.device != "cpu" or (_low_precision() and len(texts) > 1)
        with torch.inference_mode(), torch.autocast(self.device, dtype=torch.bfloat16, enabled=low):
            done = 0
            for rows in _batches(order, [len(text) for text in texts]):
                with self._tokenizing:
                    self._tokenizer.enable_truncation(longest)
                    batch = self._tokenizer.encode_batch([texts[row] for row in rows])
                ids = torch.tensor([encoding.ids for encoding in batch], device=self.device)
                mask = torch.tensor([encoding.attention_mask for encoding in batch], device=self.device)
                vectors[rows] = embed(ids, mask).float().cpu().numpy()
                done += len(rows)
                if progress is not None:
                    progress(done)
        return vectors


class DenseIndex:
    """An inner-product index over passage vectors, which are known by their row number.

    Parameters
    ----------
    index
        Exact, or with inverted lists and the number of them that a search looks through.
    """

    def __init__(self, index: faiss.Index) -> None:
        self._index: Any = index

    @classmethod
    def build(cls, vectors: Vectors) -> DenseIndex:
        """Index `vectors`, shape (n, dimension), as row 0 to n - 1, for exact search."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    @classmethod
    def load(cls, path: Path) -> DenseIndex:
        """Map what `save` wrote into memory: it is read as it is searched.

        Raises
        ------
        ValueError
            When `path` is missing, truncated, or no FAISS index.
        """
        try:
            return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
        except RuntimeError as error:
            raise ValueError(f"{path} holds no readable FAISS index") from error

    def save(self, path: Path) -> None:
        """Write the index to `path`."""
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self._index.d)

    def vector(self, row: int) -> Vectors:
        """Return the vector of a row of an exact index, shape (dimension,)."""
        return np.asarray(self._index.reconstruct(row), dtype=np.float32)

    def search(self, vector: Vectors, k: int, rows: Rows | None = None) -> list[tuple[int, float]]:
        """Return at most `k` ``(row, inner product)``, best first, for one vector of shape (dimension,).

        Parameters
        ----------
        rows
            The rows that may be returned; all where they are not given.

        Raises
        ------
        ValueError
            When `k` is not positive or the vector has another length than the index.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if vector.shape != (self.dimension,):
            raise ValueError(f"the question's vector has shape {vector.shape}, the index holds vectors of {self.dimension}")
        if rows is not None and not len(rows):
            return []
        parameters = None if rows is None else self._only(rows)
        asked = np.ascontiguousarray(vector[None], dtype=np.float32)
        scores, found = self._index.search(asked, min(k, len(self)), params=parameters)
        return [(int(row), float(score)) for row, score in zip(found[0], scores[0], strict=True) if row >= 0]

    def _only(self, rows: Rows) -> faiss.SearchParameters:
        lists = isinstance(self._index, faiss.IndexIVF)
        parameters: Any = faiss.SearchParametersIVF if lists else faiss.SearchParameters
        chosen: dict[str, Any] = {"sel": faiss.IDSelectorBatch(np.ascontiguousarray(rows, dtype=np.int64))}
        if lists:  # the lists nearest to the question may hold none of the rows
            chosen["nprobe"] = self._index.nlist
        made: faiss.SearchParameters = parameters(**chosen)
        return made
