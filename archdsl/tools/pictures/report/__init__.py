"""Networks as one page that needs nothing else: data.py → JSON, page.py → HTML; the page's own parts are beside them.

`page.html` is the frame. Scripts are small and in the order of page.SCRIPTS: `elements.js` makes elements and texts of
numbers, `table.js`, `layered.js`, `maps.js`, `diagram.js` and `stages.js` make one part of a page each from plain data,
`report.js` puts them together.
"""
