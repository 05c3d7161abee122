"""The report's plots, by Altair, from the report's values alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

    Chart = altair.FacetChart | altair.LayerChart

Figures = Mapping[str, Mapping[str, Any]]
"""Figures by name, each with ``value`` and, where it is a mean, ``low`` and ``high``."""

_BLUE = "#2a6fb0"


def dots(rows: Mapping[str, Figures], names: Sequence[str]) -> Chart:
    """Return the figures `names` side by side, each with one dot a row and its 95% interval; none where nothing was counted."""
    import altair as alt

    values = [
        {"row": row, "figure": name, **{key: figures[name][key] for key in ("value", "low", "high")}}
        for row, figures in rows.items()
        for name in names
        if name in figures and figures[name]["count"]
    ]
    base = alt.Chart().encode(y=alt.Y("row:N", sort=list(rows), title=None, axis=alt.Axis(labelLimit=180, grid=True)))
    interval = base.mark_rule(strokeWidth=2, color=_BLUE, opacity=0.45).encode(x=alt.X("low:Q", title=None), x2="high:Q")
    dot = base.mark_point(filled=True, size=60, opacity=1, color=_BLUE).encode(x=alt.X("value:Q", title=None))
    chart = alt.layer(interval, dot, data=alt.Data(values=values)).properties(width=170, height=26 * len(rows))
    return chart.facet(facet=alt.Facet("figure:N", sort=list(names), title=None), columns=4).resolve_scale(x="independent")


def refusals(curve: Sequence[Mapping[str, float]], threshold: float, chosen: Mapping[str, float]) -> Chart:
    """Return unanswerable questions refused against answerable ones refused, over all thresholds, the point of the default one marked."""
    import altair as alt

    axes: dict[str, Any] = {
        "x": alt.X("false_alarms:Q", title="answerable questions refused", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        "y": alt.Y("refused:Q", title="unanswerable questions refused", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
    }
    line = alt.Chart(alt.Data(values=list(curve))).mark_line(interpolate="step-after", color=_BLUE).encode(**axes, order="threshold:Q")
    chance = alt.Chart(alt.Data(values=[{"false_alarms": x, "refused": x} for x in (0, 1)]))
    point = {"false_alarms": chosen["false_alarms"], "refused": chosen["refused"], "label": f"threshold {threshold:g}"}
    mark = alt.Chart(alt.Data(values=[point])).encode(**axes)
    layers = [
        chance.mark_line(strokeDash=[4, 4], color="#999").encode(**axes),
        line,
        mark.mark_point(filled=True, size=80, opacity=1, color="#c04a1a"),
        mark.mark_text(align="left", dx=8, dy=10).encode(text="label:N"),
    ]
    return alt.layer(*layers).properties(width=340, height=260)


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element, drawn without a browser or a network (the package vl-convert-python)."""
    text = io.StringIO()
    chart.configure_view(stroke=None).configure(font="sans-serif", background="transparent").save(text, format="svg")
    return text.getvalue()
