"""An answer as HTML: its steps, its sentences with citations, its passages. Pure functions; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lfqa.types import Answer, Citation, Hit, Sentence, Source
from lfqa.ui.markup import Span, escape, isolated, marked, tidy_spans

STEPS = {"retrieve": "Retrieve", "read": "Read", "write": "Write", "cite": "Cite"}
RETRIEVERS = {"dense": "Dense", "sparse": "BM25", "hybrid": "Hybrid"}
WRITERS = {"bart": "BART", "extract": "Extract"}
ENGINES = {"embedded": "Embedded", "elasticsearch": "Elasticsearch"}
_QUOTED = "A passage’s own sentence, in place of one that no passage supports"
_LONG_WORD = 24  # characters; a longer one may break, or a phone would scroll sideways


def heading(title: str, lead: str = "") -> str:
    """Return the head of a page, with `lead` as its introduction."""
    below = f'<p class="lfqa-lead">{escape(lead)}</p>' if lead else ""
    return f'<header class="lfqa-head"><h1>{escape(title)}</h1>{below}</header>'


def question_html(question: str) -> str:
    """Return the question that is answered below."""
    return f'<h2 class="lfqa-question" dir="auto">{escape(question)}</h2>'


def problem_html(title: str, message: str, advice: str = "") -> str:
    """Return what went wrong and what to do, as an alert."""
    more = f"<p>{escape(advice)}</p>" if advice else ""
    return f'<div class="lfqa-problem" role="alert"><h2>{escape(title)}</h2><p dir="auto">{escape(message)}</p>{more}</div>'


def note_html(message: str) -> str:
    """Return a remark that is no error."""
    return f'<p class="lfqa-note" role="status">{escape(message)}</p>'


# the steps


def steps_html(seconds: Mapping[str, float], running: str | None = None) -> str:
    """Return the four steps: those in `seconds` are done, `running` is under way, the others wait."""
    items = []
    for step, name in STEPS.items():
        if step in seconds:
            state, value = "done", f"{seconds[step]:.2f} s"
        elif step == running:
            state, value = "running", '<span class="lfqa-dots" role="img" aria-label="under way"></span>'
        else:
            state, value = "waiting", "–" if running is None else ""
        items.append(f'<li class="lfqa-{state}"><span>{name}</span> <b>{value}</b></li>')
    if running is None and seconds:
        total = sum(value for step, value in seconds.items() if step in STEPS)
        items.append(f'<li class="lfqa-total"><span>Total</span> <b>{total:.2f} s</b></li>')
    return f'<ol class="lfqa-steps" aria-label="Steps">{"".join(items)}</ol>'


# the answer


def writing_html(sentences: Sequence[Sentence]) -> str:
    """Return an answer that is still being written: the sentences that stand so far."""
    text = " ".join(_text_html(sentence) for sentence in sentences)
    shown = f'{text} <span class="lfqa-caret"></span>' if text else '<span class="lfqa-dots" role="img" aria-label="under way"></span>'
    return f'<section class="lfqa-answer" aria-label="Answer" aria-busy="true"><p dir="auto">{shown}</p></section>'


def answer_html(answer: Answer, uid: str = "answer") -> str:
    """Return a finished answer: its sentences, each with marks that open the passage behind it, or a word that none supports it.

    Parameters
    ----------
    uid
        Sets the element ids of this answer apart from those of another one on the same page; a retriever's name is said with it.
    """
    label = f"Answer, {RETRIEVERS[uid]}" if uid in RETRIEVERS else "Answer"
    notice = note_html(answer.notice) if answer.notice else ""
    if answer.abstained:
        said = answer.answer.removeprefix("No answer: ")
        return (
            f"{notice}"
            f'<section class="lfqa-answer lfqa-abstained" aria-label="{label}"><h3>No answer</h3>'
            f"<p>{escape(said[:1].upper() + said[1:])}</p></section>"
        )
    hits = {source.hit.passage.passage_id: source.hit for source in answer.sources}
    sentences, evidence = [], []
    for number, sentence in enumerate(answer.sentences, 1):
        marks = []
        spans: dict[str, list[Citation]] = {}
        for citation in sentence.citations:
            spans.setdefault(citation.passage_id, []).append(citation)
        for place, (passage_id, citations) in enumerate(spans.items(), 1):
            hit = hits.get(passage_id)
            if hit is not None:
                name = f"{uid}-cite-{number}-{place}"
                marks.append(_mark_html(hit, name))
                evidence.append(_evidence_html(hit, citations, sentence, name))
        sentences.append(_sentence_html(sentence, marks))
    return (
        f'{notice}<section class="lfqa-answer" aria-label="{label}"><p dir="auto">{" ".join(sentences)}</p>'
        f"{_tally_html(answer.sentences)}{''.join(evidence)}</section>"
    )


def _text_html(sentence: Sentence) -> str:
    text = isolated(sentence.text)
    return f'<q class="lfqa-quoted" title="{_QUOTED}">{text}</q>' if sentence.quoted else text


def _sentence_html(sentence: Sentence, marks: Sequence[str]) -> str:
    if sentence.quoted and marks:
        return f'<span class="lfqa-sentence">{_text_html(sentence)} <span class="lfqa-marks">{"".join(marks)}</span></span>'
    if sentence.supported and marks:
        # the last word keeps the marks from standing alone on the next line
        rest, blank, last = sentence.text.rpartition(" ")
        if len(last) > _LONG_WORD:
            rest, blank, last = sentence.text, "", ""
        kept = f'<span class="lfqa-marks">{isolated(last)}{"".join(marks)}</span>'
        return f'<span class="lfqa-sentence">{isolated(rest)}{blank}{kept}</span>'
    flag = '<span class="lfqa-flag" title="No passage that was read holds what this sentence says.">unsupported</span>'
    return f'<span class="lfqa-sentence lfqa-unsupported">{_text_html(sentence)} {flag}</span>'


def _mark_html(hit: Hit, name: str) -> str:
    label = f"Passage {hit.rank}, {hit.passage.article_title}: show the supporting words"
    return f'<button type="button" class="lfqa-cite" popovertarget="{name}" aria-label="{escape(label)}">[{hit.rank}]</button>'


def _evidence_html(hit: Hit, citations: Sequence[Citation], sentence: Sentence, name: str) -> str:
    passage = hit.passage
    spans = [(citation.start, citation.end) for citation in citations]
    return (
        f'<div popover id="{name}" class="lfqa-evidence" role="dialog" aria-label="Passage {hit.rank}">'
        f'<header><span class="lfqa-rank">{hit.rank}</span>{title_html(hit)}'
        f'<button type="button" class="lfqa-close" popovertarget="{name}" popovertargetaction="hide" aria-label="Close">✕</button></header>'
        f'<p class="lfqa-claim"><span>The answer says</span> <q dir="auto">{escape(sentence.text)}</q></p>'
        f'<p class="lfqa-text" dir="auto">{marked(passage.passage_text, spans)}</p>'
        f"{source_html(hit)}"
        f'<p class="lfqa-support">Support {min(citation.score for citation in citations):.0%}: how surely the marked words bear out what '
        "the answer says, judged by its words, names, numbers and their order.</p></div>"
    )


def title_html(hit: Hit) -> str:
    """Return a passage's article and section."""
    passage = hit.passage
    section = f' <span class="lfqa-section">{isolated(passage.section_title)}</span>' if passage.section_title else ""
    return f'<span class="lfqa-title"><cite>{isolated(passage.article_title or "Untitled")}</cite>{section}</span>'


def source_html(hit: Hit) -> str:
    """Return where a passage is from, a file or address and its page; nothing where that is not known."""
    passage = hit.passage
    if not passage.source:
        return ""
    page = f", page {passage.page}" if passage.page else ""
    said = f"{isolated(passage.source)}{page}"
    if passage.source.startswith(("https://", "http://")):
        said = f'<a href="{escape(passage.source)}" target="_blank" rel="noopener noreferrer nofollow">{said}</a>'
    return f'<p class="lfqa-source">{said}</p>'


def _tally_html(sentences: Sequence[Sentence]) -> str:
    supported, total = sum(sentence.supported for sentence in sentences), len(sentences)
    if total == 1:
        said = "The sentence is supported by a passage." if supported else "No passage supports the sentence."
    elif supported == total:
        said = f"All {total} sentences are supported by a passage."
    else:
        said = f"{supported} of {total} sentences are supported by a passage."
    if any(sentence.quoted for sentence in sentences):
        said += " What stands in quotation marks is a passage’s own sentence."
    return f'<p class="lfqa-tally">{said} Choose a number to see the words.</p>' if supported else f'<p class="lfqa-tally">{said}</p>'


# the passages


def cited_spans(sentences: Iterable[Sentence]) -> dict[str, list[Span]]:
    """Return the spans that `sentences` cite, by passage."""
    spans: dict[str, list[Span]] = {}
    for sentence in sentences:
        for citation in sentence.citations:
            spans.setdefault(citation.passage_id, []).append((citation.start, citation.end))
    return spans


def reading(source: Source) -> str:
    """Return how much of a passage the writer read: ``all``, ``part`` or ``none``."""
    text = source.hit.passage.passage_text
    spans = tidy_spans(source.read, len(text))
    if not spans:
        return "none"
    read = sum(len(text[start:end].replace(" ", "")) for start, end in spans)
    return "all" if read >= len(text.replace(" ", "")) else "part"


def passages_html(sources: Sequence[Source], sentences: Sequence[Sentence] = (), writer: str = "bart") -> str:
    """Return the passages found, best first, with their ranks and scores; what `sentences` cite is marked.

    Parameters
    ----------
    writer
        ``extract`` weighs every sentence of every passage, so that nothing is said to be unread.
    """
    if not sources:
        return '<section class="lfqa-passages" aria-label="Passages"><p class="lfqa-note">No passages were found.</p></section>'
    cited = cited_spans(sentences)
    part = writer != "extract"
    items = "".join(_passage_html(source, cited.get(source.hit.passage.passage_id, []), part) for source in sources)
    legend = [] if not cited else ["<mark>Marked</mark> words support the answer."]
    if part and any(reading(source) != "all" for source in sources):
        legend.append('<span class="lfqa-unread">Grey</span> words did not reach the writer.')
    return (
        '<section class="lfqa-passages" aria-label="Passages"><h3>Passages</h3>'
        f'<p class="lfqa-legend">{" ".join(legend)}</p><ol>{items}</ol></section>'
    )


def reading_badge(source: Source, short: bool = False) -> str:
    """Return a badge for a passage that the writer did not read, or not all of."""
    said = {"all": "", "part": "read in part", "none": "not read" if short else "not read by the writer"}[reading(source)]
    return f'<span class="lfqa-badge">{said}</span>' if said else ""


def _passage_html(source: Source, cited: Sequence[Span], part: bool) -> str:
    hit = source.hit
    badge = '<span class="lfqa-badge lfqa-cited">cited</span>' if cited else ""
    text = marked(hit.passage.passage_text, cited, source.read if part else None)
    return (
        f'<li class="lfqa-passage" id="passage-{hit.rank}"><header>{rank_html(hit)}'
        f'{title_html(hit)}<span class="lfqa-badges">{badge}{reading_badge(source) if part else ""}</span></header>'
        f'<p class="lfqa-text" dir="auto">{text}</p>{source_html(hit)}{scores_html(hit)}</li>'
    )


def rank_html(hit: Hit) -> str:
    """Return a passage's rank; that it is one is only said to those who do not see it stand there."""
    return f'<span class="lfqa-rank"><span class="lfqa-hidden">Rank </span>{hit.rank}</span>'


def scores_html(hit: Hit) -> str:
    """Return where each engine ranked a passage and with what score; a dash where it did not return it."""
    fused = "" if hit.fused_score is None else f"<div><dt>Fused</dt><dd>{hit.fused_score:.4f}</dd></div>"
    return (
        '<dl class="lfqa-scores">'
        f"{_score_html('Dense', hit.dense_rank, hit.dense_score, 3)}{_score_html('BM25', hit.sparse_rank, hit.sparse_score, 1)}{fused}</dl>"
    )


def _score_html(name: str, rank: int | None, score: float | None, digits: int) -> str:
    place = "–" if rank is None else f"#{rank}"
    value = "" if score is None else f' <span class="lfqa-score">{score:.{digits}f}</span>'
    return f"<div><dt>{name}</dt><dd>{place}{value}</dd></div>"
