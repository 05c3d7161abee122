"""The page: `streamlit run app.py`. Configuration and navigation; everything else is in `lfqa.ui`."""

from lfqa.ui import ask, compare, site

site.show(
    [
        site.Page(ask.page, title="Ask", path="ask"),
        site.Page(compare.page, title="Compare", path="compare", wide=True),
    ],
    name="Answers you can check",
)
