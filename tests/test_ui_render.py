"""What the page shows, as HTML: exactly the text it was given, marked where it should be, and nothing that acts."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.types import Answer, Citation, Hit, Passage, Sentence, Source
from lfqa.ui.markup import escape, marked, plain_markdown, tidy_spans
from lfqa.ui.overlap import column_html, found_by, overlap_html, ranks_of, shared
from lfqa.ui.render import answer_html, passages_html, problem_html, question_html, reading, source_html, steps_html, writing_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</p></section><h1>taken over</h1>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "$x^2$ **bold** [link](javascript:alert(1)) `code` :red[red] :smile:",
    "{0} {kind} %s %(name)s",
    "\u202eright to left\u2066 \u200b",
    "nul \x00 escape \x1b[31m half \ud800",
    "--></style><style>*{display:none}</style>",
]
TEXT = "One here. Two here. Three here."


class _Page(HTMLParser):
    """Collects the elements, the attributes and the text of a page."""

    VOID = ("br", "hr", "img", "input")

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def _source(
    rank: int = 1, text: str = TEXT, title: str = "Title", section: str = "Section", read: tuple = ((0, 31),), **scores: object
) -> Source:
    return Source(Hit(Passage(f"p-{rank}", title, section, text), rank, **scores), read)  # type: ignore[arg-type]


def _answer(sentences: tuple[Sentence, ...], sources: tuple[Source, ...], abstained: bool = False) -> Answer:
    return Answer("Why?", "An answer.", abstained, sentences, sources, {"retrieve": 0.1, "total": 0.1}, {})


def _shown(text: str) -> str:
    """What a page shows of `text`."""
    return html.unescape(escape(text))


def test_marks_a_span_in_the_middle_and_at_both_edges() -> None:
    assert marked(TEXT, [(10, 19)]) == "One here. <mark>Two here.</mark> Three here."
    assert marked(TEXT, [(0, 9)]).startswith("<mark>One here.</mark>")
    assert marked(TEXT, [(20, len(TEXT))]).endswith("<mark>Three here.</mark>")
    assert marked(TEXT, [(0, len(TEXT))]) == f"<mark>{TEXT}</mark>"


def test_overlapping_spans_become_one_and_spans_beyond_the_text_are_cut() -> None:
    assert marked(TEXT, [(0, 12), (10, 19)]) == "<mark>One here. Two here.</mark> Three here."
    assert marked(TEXT, [(-5, 9), (20, 999)]) == "<mark>One here.</mark> Two here. <mark>Three here.</mark>"
    assert marked(TEXT, [(9, 9), (12, 3), (400, 500)]) == TEXT
    assert marked("", [(0, 3)]) == ""


def test_what_was_not_read_is_set_apart_but_a_mark_stays_a_mark() -> None:
    assert marked(TEXT, [], [(0, 9)]) == 'One here.<span class="lfqa-unread"> Two here. Three here.</span>'
    assert marked(TEXT, [(20, 31)], [(0, 9), (10, 19)]) == "One here. Two here. <mark>Three here.</mark>"
    assert marked(TEXT, [], []) == f'<span class="lfqa-unread">{TEXT}</span>'


def test_a_mark_never_cuts_an_escaped_character() -> None:
    assert marked("a<b>c&d", [(1, 2), (5, 6)]) == "a<mark>&lt;</mark>b&gt;c<mark>&amp;</mark>d"


spans = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=6)


@given(st.text(max_size=50), spans, st.none() | spans)
def test_any_text_with_any_spans_shows_exactly_the_text(text: str, cited: list, read: list | None) -> None:
    page = _Page(marked(text, cited, read))
    assert page.text == html.unescape(escape(text))
    assert set(page.tags) <= {"mark", "span"} and not page.open


@given(st.text(min_size=1, max_size=50), spans)
def test_exactly_the_cited_characters_are_marked(text: str, cited: list) -> None:
    inside = {place for start, end in cited for place in range(max(0, start), min(end, len(text)))}
    pieces = re.findall(r"<mark>(.*?)</mark>", marked(text, cited), re.DOTALL)
    assert "".join(html.unescape(piece) for piece in pieces) == "".join(_shown(text[place]) for place in sorted(inside))


@given(spans, st.integers(0, 50))
def test_tidy_spans_are_ordered_apart_and_inside(given_spans: list, length: int) -> None:
    tidy = tidy_spans(given_spans, length)
    assert all(0 <= start < end <= length for start, end in tidy)
    assert all(before[1] < after[0] for before, after in zip(tidy, tidy[1:], strict=False))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    source = _source(1, text, text, text, read=((0, 3),), dense_rank=1, dense_score=0.5)
    citation = Citation("p-1", 0.9, 0, len(text))
    answer = _answer((Sentence(text, True, (citation,)), Sentence(text, False)), (source,))
    ranks = ranks_of({"dense": [source], "sparse": [], "hybrid": [source]})
    for page in (
        question_html(text),
        writing_html([Sentence(text, True, (citation,)), Sentence(text, True, (citation,), quoted=True)]),
        problem_html(text, text, text),
        answer_html(answer),
        passages_html(answer.sources, answer.sentences),
        column_html("dense", [source], ranks, answer.sentences, reading_known=True),
    ):
        parsed = _Page(page)
        assert not parsed.open, "every element is closed"
        assert not {"script", "img", "h1", "style", "a"} & set(parsed.tags)
        assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in ("autofocus", "style", "href", "src")]
        assert _shown(text) in parsed.text
        page.encode("utf-8")  # protobuf takes nothing else


def test_control_characters_and_half_surrogates_become_replacement_characters() -> None:
    assert escape("a\x00b\x1b\ud800c\td\n") == "a\ufffdb\ufffd\ufffdc\td\n"


def test_labels_are_not_read_as_markdown() -> None:
    assert plain_markdown("$a$ *b* :red[c]\n<d>") == r"\$a\$ \*b\* \:red\[c\] \<d\>"
    assert plain_markdown("Why is it so") == "Why is it so"


def test_a_sentence_points_at_its_passages_and_the_card_marks_the_words() -> None:
    sources = (_source(1), _source(2, "Other text. Two here too.", "Other"))
    sentence = Sentence("Two are here.", True, (Citation("p-2", 0.87, 12, 25), Citation("p-1", 0.7, 10, 19)))
    page = answer_html(_answer((sentence,), sources), "dense")
    assert re.findall(r'popovertarget="([^"]+)" aria-label="Passage (\d)', page) == [("dense-cite-1-1", "2"), ("dense-cite-1-2", "1")]
    cards = dict(re.findall(r'<div popover id="([^"]+)"(.*?)</div>', page, re.DOTALL))
    assert "<mark>Two here too.</mark>" in cards["dense-cite-1-1"] and "87%" in cards["dense-cite-1-1"]
    assert "<mark>Two here.</mark>" in cards["dense-cite-1-2"]
    assert _Page(page).text.startswith("Two are here.[2][1]")


def test_the_last_word_and_the_marks_stay_on_one_line_unless_it_is_very_long() -> None:
    def page(text: str) -> str:
        return answer_html(_answer((Sentence(text, True, (Citation("p-1", 1, 0, 9),)),), (_source(1),)))

    assert '<span class="lfqa-marks"><bdi>end.</bdi><button' in page("It is the end.")
    assert '<span class="lfqa-marks"><bdi></bdi><button' in page("See " + "x" * 60)


def test_an_unsupported_sentence_says_so_in_words() -> None:
    page = answer_html(_answer((Sentence("It is so.", True, (Citation("p-1", 0.9, 0, 9),)), Sentence("Who knows.", False)), (_source(1),)))
    assert "Who knows. unsupported" in _Page(page).text
    assert "1 of 2 sentences are supported" in page


def test_a_citation_of_a_passage_that_is_not_there_is_no_mark() -> None:
    page = answer_html(_answer((Sentence("It is so.", True, (Citation("gone", 0.9, 0, 9),)),), (_source(1),)))
    assert "popovertarget" not in page and "unsupported" in page


def test_abstention_is_said_without_sentences() -> None:
    answer = Answer("Why?", "No answer: nothing in the passages (BART's) supports one.", True, (), (_source(1),))
    assert _Page(answer_html(answer)).text == "No answerNothing in the passages (BART's) supports one."


def test_passages_show_rank_scores_and_what_was_not_read() -> None:
    whole = _source(1, dense_rank=2, sparse_rank=None, dense_score=7.2172, fused_score=0.0325)
    part, none = _source(2, read=((0, 9),)), _source(3, read=())
    assert [reading(source) for source in (whole, part, none)] == ["all", "part", "none"]
    page = passages_html((whole, part, none))
    first, second, third = page.split("<li ")[1:]
    assert "<dt>Dense</dt><dd>#2" in first and "7.217" in first and "<dt>BM25</dt><dd>–" in first and "0.0325" in first
    assert "read in part" not in first and "not read" not in first and "read in part" in second and "not read by the writer" in third
    extracted = passages_html((whole, part, none), writer="extract")
    assert "not read" not in extracted and "read in part" not in extracted and "lfqa-unread" not in extracted
    assert "No passages were found" in passages_html(())


def test_spans_that_leave_out_only_blanks_are_the_whole_passage() -> None:
    assert reading(_source(1, read=((0, 9), (10, 19), (20, 31)))) == "all"


def test_steps_say_what_is_done_under_way_and_waiting() -> None:
    page = steps_html({"retrieve": 0.123}, "read")
    assert re.findall(r'<li class="lfqa-(\w+)"', page) == ["done", "running", "waiting", "waiting"]
    assert "0.12 s" in page and "Total" not in page
    assert "<span>Total</span> <b>0.30 s</b>" in steps_html({"retrieve": 0.1, "read": 0.1, "cite": 0.1, "total": 0.3})


def test_lists_are_held_against_each_other() -> None:
    lists = {
        "dense": [_source(1), _source(2), _source(3)],
        "sparse": [Source(Hit(_source(n).hit.passage, rank)) for rank, n in enumerate((3, 4), 1)],
        "hybrid": [Source(Hit(_source(n).hit.passage, rank)) for rank, n in enumerate((3, 1, 4), 1)],
    }
    ranks = ranks_of(lists)
    assert shared(ranks, "dense", "sparse", "hybrid") == 1 and shared(ranks, "dense", "hybrid") == 2
    assert found_by(ranks, "p-4") == ["sparse", "hybrid"]
    numbers = re.findall(r"<dt>([^<]+)</dt><dd><b>(\d)</b> of 3", overlap_html(ranks))
    assert numbers == [("In all three lists", "1"), ("Dense and BM25", "1"), ("Dense and Hybrid", "2"), ("BM25 and Hybrid", "2")]
    column = column_html("dense", lists["dense"], ranks).split("<li ")[1:]
    assert "in two" in column[0] and "<dt>Hybrid</dt><dd>#2" in column[0] and "not in this list" in column[0]
    assert "only here" in column[1] and "in all three" in column[2]
    assert "not read" not in "".join(column), "before the answer nothing is known about reading"
    assert "No passages" in column_html("dense", [], ranks)


def test_a_name_is_only_given_to_what_can_have_one_and_no_two_sections_share_theirs() -> None:
    """ARIA forbids `aria-label` on a span without a role: a screen reader may leave it out."""
    sources = (_source(1), _source(2, read=()))
    answer = _answer((Sentence("It is so.", True, (Citation("p-1", 0.9, 0, 9),)), Sentence("Who knows.", False)), sources)
    ranks = ranks_of({"dense": sources, "sparse": sources[:1], "hybrid": ()})
    compare = "".join(answer_html(answer, name) + column_html(name, sources, ranks) for name in ranks)
    abstained = answer_html(_answer((), sources, abstained=True), "sparse")
    for page in (steps_html({"retrieve": 0.1}, "read"), writing_html(()), answer_html(answer), passages_html(sources), compare, abstained):
        spans = re.findall(r"<span[^>]*aria-label[^>]*>", page)
        assert all('role="' in span for span in spans), spans
        names = re.findall(r'<section[^>]*aria-label="([^"]*)"', page)
        assert len(names) == len(set(names)), names
    assert 'aria-label="Answer, BM25"' in compare and 'aria-label="Answer, BM25"' in abstained
    assert 'aria-label="Answer"' in answer_html(answer)
    assert "Rank 1" in _Page(passages_html(sources)).text


# the style sheet


def _tokens() -> dict[str, tuple[str, str]]:
    import lfqa.ui

    css = (Path(lfqa.ui.__file__).parent / "page.css").read_text(encoding="utf-8")
    return {name: (light, dark) for name, light, dark in re.findall(r"--lfqa-([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)}


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "ground"), ("ink", "card"), ("ink", "soft"), ("ink", "warn-ground"), ("muted", "ground"), ("muted", "card"),
        ("accent", "ground"), ("accent", "card"), ("accent", "soft"), ("on-accent", "accent"), ("on-mark", "mark"),
        ("warn", "ground"), ("warn", "warn-ground"),
    ],
)  # fmt: skip
def test_text_has_the_contrast_of_wcag_aa_in_both_themes(ink: str, ground: str) -> None:
    tokens = _tokens()
    for theme in (0, 1):
        assert _contrast(tokens[ink][theme], tokens[ground][theme]) >= 4.5


def test_the_theme_and_the_style_sheet_agree() -> None:
    import tomllib

    theme = tomllib.loads((Path(__file__).parent.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    for place, name in enumerate(("light", "dark")):
        for key, token in {"primaryColor": "accent", "backgroundColor": "ground", "textColor": "ink", "borderColor": "line"}.items():
            assert theme[name][key] == _tokens()[token][place], f"{name} {key}"


@pytest.mark.parametrize(
    ("source", "page", "text", "links"),
    [
        ("", None, "", []),
        ("docs/a.pdf", 3, "docs/a.pdf, page 3", []),
        ("docs/a.md", None, "docs/a.md", []),
        ("https://example.org/a?b=1&c=2", None, "https://example.org/a?b=1&c=2", ["https://example.org/a?b=1&c=2"]),
        ("javascript:alert(1)", None, "javascript:alert(1)", []),
        ('https://x.example/" onclick="alert(1)', None, 'https://x.example/" onclick="alert(1)', ['https://x.example/" onclick="alert(1)']),
    ],
)
def test_where_a_passage_is_from(source: str, page: int | None, text: str, links: list[str]) -> None:
    found = _Page(source_html(Hit(Passage("1", "T", "S", TEXT, source, page), 1)))
    assert re.sub("[\u2066-\u2069]", "", found.text) == text
    assert [value for name, value in found.attributes if name == "href"] == links
    assert not any(name.startswith("on") for name, _ in found.attributes)


def test_a_quoted_sentence_stands_in_quotation_marks_and_the_tally_says_so() -> None:
    source = _source(1, "Fever", "", "Heat slows germs. Rest helps.", read=((0, 29),), dense_rank=1, dense_score=0.5)
    sentences = (
        Sentence("Heat slows germs.", True, (Citation("p-1", 1.0, 0, 17),)),
        Sentence("Rest helps.", True, (Citation("p-1", 1.0, 18, 29),), True),
    )
    page = answer_html(_answer(sentences, (source,)))
    assert re.findall(r"<q class=.lfqa-quoted.[^>]*><bdi>(.*?)</bdi></q>", page) == ["Rest helps."]
    assert "quotation marks" in page
    assert "quotation marks" not in answer_html(_answer(sentences[:1], (source,)))


def test_two_citations_of_one_passage_share_a_mark() -> None:
    source = _source(1, "Heat slows germs. Frogs sing. Rest helps.", "Fever", "", read=((0, 41),), dense_rank=1, dense_score=0.5)
    both = (Citation("p-1", 0.9, 0, 17), Citation("p-1", 0.8, 30, 41))
    page = answer_html(_answer((Sentence("Heat slows germs, and rest helps.", True, both),), (source,)))
    assert page.count("[1]") == 1 and page.count("<mark>") == 2 and "Support 80%" in page
