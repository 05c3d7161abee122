"""Writes the reference files in this directory with the original RetriBERT, of transformers 4.30.0.

Needs an environment of its own, since Transformers 5 no longer has the model:

    python3.11 -m venv v430
    v430/bin/pip install "transformers==4.30.0" "numpy<2" "torch==2.13.0"
    OMP_NUM_THREADS=1 v430/bin/python tests/data/retribert/make_fixtures.py

Everything random is seeded; run again in that environment, it writes the same numbers. What comes out:

- ``CASE.npz``, one for each entry of CASES: ``config`` (JSON), ``weight.NAME``, inputs, and for each variant of the
  masks (padded, unmasked, blind: row 0 masked throughout) ``DTYPE.VARIANT.{questions,answers,loss}``, with
  ``DTYPE.VARIANT.gradient.NAME`` where the case lists it.
- ``initialisation.json``: mean and mean square of each fresh weight after ``torch.manual_seed``.
- ``checkpoint/``: a checkpoint as one looked in 2020, in the pickle format of before PyTorch 1.6, with vocabulary, and
  ``checkpoint.npz``, what it makes of some sentences.
- ``tokenizer.json``: the fast tokenizer of that vocabulary, as 4.30.0 saves it.
- ``tokenization.json``: ids that the original tokenizers give.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import (
    AutoModel,
    AutoTokenizer,
    RetriBertConfig,
    RetriBertModel,
    RetriBertTokenizer,
    RetriBertTokenizerFast,
)

HERE = Path(__file__).resolve().parent
SMALL = {"vocab_size": 30, "max_position_embeddings": 12}
# name: configuration, rows, variants and dtypes whose gradients are kept
CASES = {
    "one_head": (
        {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 24,
         "projection_dim": 4, **SMALL},
        4, [("float64", "padded"), ("float32", "padded"), ("float64", "blind"), ("float32", "blind")],
    ),
    "two_encoders": (
        {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
         "projection_dim": 8, "share_encoders": False, "hidden_act": "gelu_new", **SMALL},
        5, [("float64", "padded"), ("float32", "padded")],
    ),
    "twelve_heads": (
        {"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 12, "intermediate_size": 16,
         "projection_dim": 20, "hidden_act": "relu", "pad_token_id": 3, "type_vocab_size": 1, **SMALL},
        3, [("float64", "padded"), ("float32", "padded"), ("float64", "blind")],
    ),
    "wide_two_encoders": (
        {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 8,
         "projection_dim": 1, "share_encoders": False, "layer_norm_eps": 1e-5, **SMALL},
        2, [("float64", "padded")],
    ),
}  # fmt: skip

VOCAB = (
    ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    + list("abcdefghijklmnopqrstuvwxyz0123456789σ中国éß€")
    + ["##" + c for c in "abcdefghijklmnopqrstuvwxyzσéß"]
    + list(".,?!'\"()-:;/&%$+=[]")
    + "the of why is sky blue how do plants make food light water because sun ##ing ##ed Sky Why".split()
)
assert len(set(VOCAB)) == len(VOCAB)
SENTENCES = [
    "Why is the sky blue?",
    "How do plants  make\tfood\nfrom light?",
    "Café naïve — résumé, cafe\u0301!",
    "中国 sky中blue",
    "",
    "z" * 101,
    "a" * 100,
    "the [MASK] is [UNK] the [SEP] sky [PAD] and [CLS]",
    "the [mask] is; [Sep]",
    "no\xa0break\u200bzero\x00null\ufffdsoft\xadhyphen\u2028line",
    "£5 & €6 + $7 = 100% 😀 ß STRASSE",
    "ΟΔΟΣ Σσς İstanbul ǅ ﬁsh ＡＢ",
    'don\'t (re-)do: a/b; c!d "Sky"',
    "water " * 20,
]
PAIRS = [["Why is the sky blue?", "because the light"], ["how", "water " * 12]]
CALLS = {
    "plain": {},
    "padded": {"padding": True},
    "cut": {"padding": "max_length", "truncation": True, "max_length": 9},
    "bare": {"add_special_tokens": False},
    "types": {"return_token_type_ids": True, "return_special_tokens_mask": True},
}
OPTIONS = {
    "default": {},
    "cased": {"do_lower_case": False},
    "accents": {"strip_accents": False},
    "cased_stripped": {"do_lower_case": False, "strip_accents": True},
    "no_cjk": {"tokenize_chinese_chars": False},
}


def scattered(model: torch.nn.Module, seed: int) -> None:
    """Move every weight off its initial value, so that no bias is zero and no scale one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator)


def batch(seed: int, rows: int, length: int, words: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and a mask that leaves each row some padding at the end; row 1 has a gap as well."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, words, (rows, length), generator=generator)
    lengths = torch.randint(2, length + 1, (rows, 1), generator=generator)
    mask = (torch.arange(length)[None] < lengths).long()
    mask[1, 1] = 0
    return ids, mask


def write_case(name: str, number: int) -> None:
    """Write ``CASE.npz``."""
    options, rows, gradients = CASES[name]
    torch.manual_seed(number)
    model = RetriBertModel(RetriBertConfig(**options)).eval()
    scattered(model, 100 + number)
    question, question_mask = batch(200 + number, rows, 7, options["vocab_size"])
    answer, answer_mask = batch(300 + number, rows, 11, options["vocab_size"])
    arrays = {
        "config": np.array(json.dumps(options)),
        "question": question.numpy(), "question_mask": question_mask.numpy(),
        "answer": answer.numpy(), "answer_mask": answer_mask.numpy(),
    }  # fmt: skip
    arrays |= {f"weight.{key}": value.detach().numpy().copy() for key, value in model.named_parameters()}
    blind = torch.ones(rows, 1, dtype=torch.long)
    blind[0] = 0
    masks = {
        "padded": (question_mask, answer_mask),
        "unmasked": (None, None),
        "blind": (question_mask * blind, answer_mask * blind),
    }
    for dtype in ("float32", "float64"):
        model = model.to(getattr(torch, dtype))
        for variant, (first, second) in masks.items():
            key = f"{dtype}.{variant}"
            model.zero_grad()
            loss = model(question, first, answer, second)
            loss.backward()
            with torch.no_grad():
                arrays[f"{key}.questions"] = model.embed_questions(question, first).numpy()
                arrays[f"{key}.answers"] = model.embed_answers(answer, second).numpy()
            arrays[f"{key}.loss"] = loss.detach().numpy()
            if (dtype, variant) in gradients:
                arrays |= {f"{key}.gradient.{n}": p.grad.numpy() for n, p in model.named_parameters()}
    np.savez_compressed(HERE / f"{name}.npz", **arrays)


def write_initialisation() -> None:
    """Write ``initialisation.json``."""
    options = {**CASES["two_encoders"][0], "initializer_range": 0.05, "pad_token_id": 2}
    torch.manual_seed(11)
    model = RetriBertModel(RetriBertConfig(**options))
    weights = {n: [p.double().mean().item(), p.double().square().mean().item()] for n, p in model.named_parameters()}
    record = {"seed": 11, "config": options, "next_draw": torch.rand(1).item(), "weights": weights}
    (HERE / "initialisation.json").write_text(json.dumps(record, indent=1) + "\n")


def write_checkpoint() -> None:
    """Write ``checkpoint/``, ``checkpoint.npz`` and ``tokenizer.json``."""
    folder = HERE / "checkpoint"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCAB), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 20}) + "\n")
    options = {
        "vocab_size": len(VOCAB), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 24, "max_position_embeddings": 20, "projection_dim": 6,
    }  # fmt: skip
    torch.manual_seed(21)
    model = RetriBertModel(RetriBertConfig(**options)).eval()
    scattered(model, 121)
    config = {"architectures": ["RetriBertModel"], "model_type": "retribert", **model.config.to_diff_dict()}
    config.pop("transformers_version")
    config.pop("torch_dtype", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    state = model.state_dict()
    assert "bert_query.embeddings.position_ids" in state
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    inputs = tokenizer(SENTENCES[:4], padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        np.savez_compressed(
            HERE / "checkpoint.npz",
            ids=inputs["input_ids"].numpy(),
            mask=inputs["attention_mask"].numpy(),
            questions=model.embed_questions(**inputs).numpy(),
            answers=model.embed_answers(**inputs).numpy(),
        )
    with tempfile.TemporaryDirectory() as other:
        tokenizer.save_pretrained(other)
        (HERE / "tokenizer.json").write_bytes((Path(other) / "tokenizer.json").read_bytes())


def write_tokenization() -> None:
    """Write ``tokenization.json``."""
    record = {"sentences": SENTENCES, "pairs": PAIRS, "calls": CALLS, "options": OPTIONS}
    for kind, cls in {"slow": RetriBertTokenizer, "fast": RetriBertTokenizerFast}.items():
        for name, options in OPTIONS.items():
            tokenizer = cls.from_pretrained(HERE / "checkpoint", **options)
            calls = CALLS if name == "default" else {"plain": {}}
            record[f"{kind}.{name}"] = result = {c: dict(tokenizer(SENTENCES, **o)) for c, o in calls.items()}
            result["tokens"] = [tokenizer.tokenize(sentence) for sentence in SENTENCES]
            result["text"] = [tokenizer.decode(i, skip_special_tokens=True) for i in result["plain"]["input_ids"]]
            if name == "default":
                result["pairs"] = dict(tokenizer([list(pair) for pair in PAIRS], padding=True, **CALLS["types"]))
    path = HERE / "tokenization.json"
    path.write_text(json.dumps(record, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    assert transformers.__version__ == "4.30.0", transformers.__version__
    torch.set_num_threads(1)
    for number, name in enumerate(CASES):
        write_case(name, number)
    write_initialisation()
    write_checkpoint()
    write_tokenization()
