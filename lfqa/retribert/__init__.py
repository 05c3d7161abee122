"""RetriBERT for current Transformers, which dropped it in version 5.

Importing this package registers the classes, so that ``AutoConfig``, ``AutoModel`` and ``AutoTokenizer`` load
RetriBERT checkpoints, from those of 2020 on.
"""

from transformers import AutoConfig, AutoModel, AutoTokenizer

from lfqa.retribert.configuration_retribert import RetriBertConfig
from lfqa.retribert.loading import CheckpointMismatchError
from lfqa.retribert.modeling_retribert import RetriBertModel, RetriBertPreTrainedModel
from lfqa.retribert.tokenization_retribert import RetriBertTokenizer
from lfqa.retribert.tokenization_retribert_fast import RetriBertTokenizerFast

__all__ = [
    "CheckpointMismatchError",
    "RetriBertConfig",
    "RetriBertModel",
    "RetriBertPreTrainedModel",
    "RetriBertTokenizer",
    "RetriBertTokenizerFast",
    "register",
]


def register() -> None:
    """Tell Transformers' Auto classes about RetriBERT; calling it again changes nothing.

    Notes
    -----
    ``AutoTokenizer`` gives the fast tokenizer; Transformers 5 ignores ``use_fast=False``.
    """
    AutoConfig.register(RetriBertConfig.model_type, RetriBertConfig, exist_ok=True)
    AutoModel.register(RetriBertConfig, RetriBertModel, exist_ok=True)
    AutoTokenizer.register(
        RetriBertConfig,
        slow_tokenizer_class=RetriBertTokenizer,
        fast_tokenizer_class=RetriBertTokenizerFast,
        exist_ok=True,
    )


register()
