"""The page, and the only place that imports streamlit.

`site` puts pages together, `ask` and `compare` are the pages; `resources` holds the one pipeline of the process, `sidebar` turns a
visitor's choices into a `Settings` object that lives in that visitor's run only; `markup`, `render` and `overlap` are pure functions
that return escaped HTML.
"""
