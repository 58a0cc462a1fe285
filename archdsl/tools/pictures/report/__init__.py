"""Networks as one page that needs nothing else: data.py → JSON, page.py → HTML; the page's own parts are beside them.

`page.html` is the frame. The scripts are one program, in the order of page.SCRIPTS: `elements.js` makes elements, and
texts of numbers; `packed.js` opens what packed.py packs; `theme.js` has what every page has; `table.js`,
`operations.js`, `diagram.js`, `maps.js` and `stages.js` each make a part of a page from plain data, so that another
page can have it too; `report.js` puts them together.
"""
