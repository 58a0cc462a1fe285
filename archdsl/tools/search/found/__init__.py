"""The results of a search as one page that needs nothing else, in the style and with parts of `archdsl report`.

data.py → JSON, page.py → HTML. `scatter.js` draws variants by two of their figures; `variant.js` shows one of them;
`found.js` puts the page together.
"""
