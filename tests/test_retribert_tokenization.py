"""RetriBERT's tokenizers against the ids of the original's."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from lfqa.retribert import RetriBertTokenizer, RetriBertTokenizerFast
from lfqa.retribert.wordpiece import read_vocab

DATA = Path(__file__).parent / "data/retribert"
CHECKPOINT = DATA / "checkpoint"
VOCAB = CHECKPOINT / "vocab.txt"
ORACLE = Path(__file__).resolve().parents[1].parent / "shared/oracle"
RECORD = json.loads((DATA / "tokenization.json").read_text())
SENTENCES = RECORD["sentences"]
CLASSES = {"slow": RetriBertTokenizer, "fast": RetriBertTokenizerFast}
# Literal special tokens: the one thing that the original treated differently when built from a file.
LITERAL = next(i for i, sentence in enumerate(SENTENCES) if "[MASK]" in sentence)


@pytest.fixture
def with_json(tmp_path: Path) -> Path:
    """The checkpoint's tokenizer with a tokenizer.json (padding and truncation switched on in it) beside it."""
    for name in ("vocab.txt", "tokenizer_config.json", "config.json"):
        shutil.copy(CHECKPOINT / name, tmp_path)
    shutil.copy(DATA / "tokenizer.json", tmp_path)
    return tmp_path


def check(tokenizer: Any, wanted: dict[str, Any]) -> None:
    for call, result in wanted.items():
        if call == "tokens":
            assert [tokenizer.tokenize(sentence) for sentence in SENTENCES] == result
        elif call == "text":
            ids = wanted["plain"]["input_ids"]
            assert [tokenizer.decode(row, skip_special_tokens=True) for row in ids] == result
        elif call == "pairs":
            first, second = zip(*RECORD["pairs"], strict=True)
            options = {"padding": True, **RECORD["calls"]["types"]}
            assert dict(tokenizer([list(pair) for pair in RECORD["pairs"]], **options)) == result
            assert dict(tokenizer(list(first), list(second), **options)) == result
        else:
            assert dict(tokenizer(SENTENCES, **RECORD["calls"][call])) == result, call


@pytest.mark.parametrize("options", RECORD["options"])
@pytest.mark.parametrize("kind", CLASSES)
def test_ids_are_the_original_s(kind: str, options: str) -> None:
    check(CLASSES[kind].from_pretrained(CHECKPOINT, **RECORD["options"][options]), RECORD[f"{kind}.{options}"])


@pytest.mark.parametrize("options", RECORD["options"])
def test_options_hold_beside_a_tokenizer_json(with_json: Path, options: str) -> None:
    for loader in (RetriBertTokenizerFast, AutoTokenizer):
        tokenizer = loader.from_pretrained(with_json, **RECORD["options"][options])
        assert type(tokenizer) is RetriBertTokenizerFast
        check(tokenizer, RECORD[f"fast.{options}"])


def test_a_tokenizer_json_alone_is_enough(with_json: Path) -> None:
    (with_json / "vocab.txt").unlink()
    tokenizer = RetriBertTokenizerFast.from_pretrained(with_json)
    check(tokenizer, RECORD["fast.default"])
    tokenizer.save_pretrained(with_json / "saved")
    assert (with_json / "saved/vocab.txt").read_bytes() == VOCAB.read_bytes()


@pytest.mark.parametrize("options", RECORD["options"])
@pytest.mark.parametrize("kind", CLASSES)
def test_built_from_a_vocabulary_file(kind: str, options: str) -> None:
    chosen = RECORD["options"][options]
    wanted = RECORD[f"{kind}.{options}"]["plain"]["input_ids"]
    for tokenizer in (CLASSES[kind](str(VOCAB), **chosen), CLASSES[kind](vocab_file=VOCAB, **chosen)):
        assert tokenizer(SENTENCES)["input_ids"] == wanted
        assert tokenizer.is_fast is (kind == "fast")
        assert (tokenizer.vocab_size, len(tokenizer)) == (115, 115)
        assert tokenizer.model_max_length > 10**20


def test_arguments_may_be_positional() -> None:
    names = list(inspect.signature(RetriBertTokenizer).parameters)
    specials = ["unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
    options = ["tokenize_chinese_chars", "strip_accents", "kwargs"]
    assert names == ["vocab_file", "do_lower_case", "do_basic_tokenize", "never_split", *specials, *options]
    names = list(inspect.signature(RetriBertTokenizerFast).parameters)
    assert names == ["vocab_file", "tokenizer_file", "do_lower_case", *specials, *options]
    brackets = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]
    slow = RetriBertTokenizer(str(VOCAB), False, True, None, *brackets, False, True)
    fast = RetriBertTokenizerFast(str(VOCAB), None, False, *brackets, False, True)
    from_json = RetriBertTokenizerFast(None, str(DATA / "tokenizer.json"), False, *brackets, False, True)
    for tokenizer in (slow, fast, from_json):
        assert tokenizer.do_lower_case is False
        assert tokenizer.tokenize("Why é 中b") == ["Why", "e", "中", "##b"]


@pytest.mark.parametrize("kind", CLASSES)
def test_defaults(kind: str) -> None:
    tokenizer = CLASSES[kind](VOCAB)
    assert tokenizer.do_lower_case is True
    assert tokenizer.model_input_names == ["input_ids", "attention_mask"]
    assert list(tokenizer("sky")) == ["input_ids", "attention_mask"]
    assert list(tokenizer("sky", return_token_type_ids=True)) == ["input_ids", "token_type_ids", "attention_mask"]
    assert tokenizer.padding_side == "right"
    assert tokenizer.special_tokens_map == {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    assert tokenizer.build_inputs_with_special_tokens([7, 8], [9]) == [3, 7, 8, 4, 9, 4]
    assert tokenizer.create_token_type_ids_from_sequences([7, 8], [9]) == [0, 0, 0, 0, 1, 1]
    assert tokenizer.create_token_type_ids_from_sequences([7, 8]) == [0, 0, 0, 0]
    assert tokenizer.decode(tokenizer("Why?").input_ids) == "[CLS] why? [SEP]"


@pytest.mark.parametrize("kind", CLASSES)
def test_special_tokens_in_text_are_known_without_from_pretrained(kind: str) -> None:
    ids = CLASSES[kind](VOCAB)(SENTENCES[LITERAL])["input_ids"]
    assert ids == RECORD[f"{kind}.default"]["plain"]["input_ids"][LITERAL]
    assert {0, 2, 3, 4, 5} <= set(ids)


@pytest.mark.parametrize("kind", CLASSES)
def test_other_special_tokens(kind: str, tmp_path: Path) -> None:
    tokenizer = CLASSES[kind](VOCAB, cls_token="<s>", sep_token="</s>", additional_special_tokens=["<q>"])
    ids = tokenizer("<q> sky").input_ids
    assert tokenizer.convert_ids_to_tokens(ids) == ["<s>", "<q>", "sky", "</s>"]
    assert min(ids[0], ids[1], ids[3]) >= 115 and len(tokenizer) == 118
    tokenizer.save_pretrained(tmp_path)
    for cls in CLASSES.values():
        assert cls.from_pretrained(tmp_path)("<q> sky").input_ids == ids


def test_never_split_and_no_basic_tokenization() -> None:
    tokenizer = RetriBertTokenizer(VOCAB, True, True, ["don't", "sky?"])
    assert tokenizer.tokenize("don't sky? sky!") == ["don't", "sky?", "sky", "!"]
    assert RetriBertTokenizer(VOCAB, do_basic_tokenize=False).tokenize("Sky sky? blue") == ["Sky", "[UNK]", "blue"]


@pytest.mark.parametrize("kind", CLASSES)
def test_added_tokens_are_found_in_any_case(kind: str, tmp_path: Path) -> None:
    tokenizer = CLASSES[kind].from_pretrained(CHECKPOINT)
    assert tokenizer.add_tokens(["NewTok"]) == 1
    assert tokenizer("a NEWTOK newtok")["input_ids"] == [3, 6, 115, 115, 4]
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "added_tokens.json").read_text()).popitem()[1] == 115
    for cls in CLASSES.values():
        assert cls.from_pretrained(tmp_path)("a NEWTOK newtok")["input_ids"] == [3, 6, 115, 115, 4]


@pytest.mark.parametrize("options", ["default", "cased", "accents"])
@pytest.mark.parametrize("kind", CLASSES)
def test_round_trip(kind: str, options: str, tmp_path: Path) -> None:
    CLASSES[kind].from_pretrained(CHECKPOINT, **RECORD["options"][options]).save_pretrained(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"vocab.txt", "tokenizer_config.json"} | ({"tokenizer.json"} if kind == "fast" else set())
    assert (tmp_path / "vocab.txt").read_bytes() == VOCAB.read_bytes()
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "RetriBertTokenizer" and str(DATA.parent) not in json.dumps(config)
    for other, cls in CLASSES.items():
        loaded = cls.from_pretrained(tmp_path)
        assert loaded.model_max_length == 20
        check(loaded, RECORD[f"{other}.{options}"])


def test_files_of_either_format_alone(tmp_path: Path) -> None:
    tokenizer = RetriBertTokenizerFast.from_pretrained(CHECKPOINT)
    for legacy, names in ((True, {"vocab.txt"}), (False, {"tokenizer.json"})):
        folder = tmp_path / str(legacy)
        tokenizer.save_pretrained(folder, legacy_format=legacy)
        assert {path.name for path in folder.iterdir()} == names | {"tokenizer_config.json"}
        assert RetriBertTokenizerFast.from_pretrained(folder)(SENTENCES) == tokenizer(SENTENCES)
    assert Path(tokenizer.save_vocabulary(str(tmp_path), "first")[0]).name == "first-vocab.txt"
    assert Path(RetriBertTokenizer(VOCAB).save_vocabulary(str(tmp_path), "second")[0]).name == "second-vocab.txt"


@pytest.mark.parametrize("kind", CLASSES)
def test_copies_and_worker_processes_get_the_same_tokenizer(kind: str) -> None:
    tokenizer = CLASSES[kind].from_pretrained(CHECKPOINT, do_lower_case=False)
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin(SENTENCES) == tokenizer(SENTENCES)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_published_checkpoint_keeps_its_limit(kind: str) -> None:
    name = "yjernite/retribert-base-uncased"
    assert CLASSES[kind](VOCAB, name_or_path=name).model_max_length == 512
    assert CLASSES[kind](VOCAB, name_or_path=name, model_max_length=128).model_max_length == 128


@pytest.mark.parametrize("kind", CLASSES)
def test_a_missing_vocabulary_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vocabulary file at .*nowhere"):
        CLASSES[kind](tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match="vocab_file"):
        RetriBertTokenizerFast()


@pytest.mark.parametrize("kind", CLASSES)
def test_a_repeated_vocabulary_entry_keeps_its_later_id(kind: str, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\r\na\n\u2028\nc\n".encode())
    vocab = read_vocab(tmp_path / "vocab.txt")
    assert list(vocab.items())[5:] == [("a", 7), ("b", 6), ("\u2028", 8), ("c", 9)]
    CLASSES[kind](tmp_path / "vocab.txt").save_vocabulary(str(tmp_path), "saved")
    assert read_vocab(tmp_path / "saved-vocab.txt") == vocab


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the shared reference outputs of transformers 4.30 are not here")
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("", {}),
        ("_cased", {"do_lower_case": False}),
        ("_no_accent_strip", {"strip_accents": False}),
        ("_no_cjk", {"tokenize_chinese_chars": False}),
        ("_json", {}),
        ("_json_cased", {"do_lower_case": False}),
        ("_direct", {}),
    ],
)
def test_ids_are_the_shared_oracle_s(kind: str, suffix: str, options: dict[str, bool]) -> None:
    record = json.loads((ORACLE / "tokenization.json").read_text())
    if kind + suffix not in record:
        pytest.skip(f"the oracle has no {kind + suffix}")
    cls = CLASSES[kind]
    if suffix == "_direct":
        tokenizer = cls(ORACLE / "vocab.txt", **options)
    else:
        folder = ORACLE / ("tiny_shared_h2/safetensors" if "json" in suffix else "tokenizer")
        tokenizer = cls.from_pretrained(folder, model_max_length=10**30, **options)
    wanted = record[kind + suffix]
    # Built from a file, the original fast tokenizer did not know its special tokens (see the class).
    known = [i for i, s in enumerate(record["sentences"]) if kind + suffix != "fast_direct" or "[MASK]" not in s]
    for call, arguments in record["case_kwargs"].items():
        if call == "pad_longest":  # as long as the longest, which may be the one left out
            continue
        tokenizer.padding_side = "left" if call == "pad_left16" else "right"
        found = tokenizer(record["sentences"], **arguments)
        for name, rows in wanted["cases"][call].items():
            assert [found[name][i] for i in known] == [rows[i] for i in known], (call, name)
