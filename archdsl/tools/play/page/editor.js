// The text: an editor that shows what is wrong, what each line costs, and what could be written at the cursor.
import {
  autocompletion, basicSetup, Decoration, EditorState, EditorView, HighlightStyle, hoverTooltip,
  indentUnit, indentWithTab, keymap, lintGutter, setDiagnostics, StateEffect, StateField, syntaxHighlighting, tags,
  WidgetType, yaml,
} from "./codemirror.js";
import { element, prose } from "./element.js";

const LOOK = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--accent)", padding: "12px 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--faint)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { backgroundColor: "var(--selection)" },
  ".cm-selectionMatch": { backgroundColor: "var(--selection)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)", outline: "none" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--edge)", borderRadius: "8px",
    boxShadow: "var(--shadow)", maxWidth: "34rem",
  },
  ".cm-tooltip > :first-child": { borderRadius: "8px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionInfo, .about": { padding: "8px 12px", fontFamily: "var(--sans)", maxHeight: "20em", overflow: "auto" },
  ".about": { fontSize: "13px", lineHeight: "1.45" },
  ".cm-diagnostic": { padding: "8px 12px", fontFamily: "var(--sans)", fontSize: "13px", lineHeight: "1.45" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--warn)" },
  ".cm-diagnosticAction": {
    backgroundColor: "var(--accent)", color: "var(--on-accent)", padding: "3px 10px", borderRadius: "6px",
    margin: "6px 6px 0 0", font: "inherit",
  },
  ".cm-lintRange-error": { backgroundImage: "none", borderBottom: "2px solid var(--bad)", backgroundColor: "var(--bad-wash)" },
  ".cm-lintRange-warning": { backgroundImage: "none", borderBottom: "2px solid var(--warn)" },
  ".cm-lint-marker": { width: "0.7em", height: "0.7em" },
  ".cm-lint-marker-error": { content: "none", backgroundColor: "var(--bad)", borderRadius: "50%", marginTop: "0.45em" },
  ".cm-lint-marker-warning": { content: "none", backgroundColor: "var(--warn)", borderRadius: "50%", marginTop: "0.45em" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--edge)" },
  ".cm-textfield": { backgroundColor: "var(--paper)", color: "var(--ink)", border: "1px solid var(--edge)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--line)", color: "var(--ink)", border: "1px solid var(--edge)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--line)", border: "none", color: "var(--quiet)" },
  ".about p, .cm-completionInfo p": { margin: "0 0 6px" },
  ".about p:last-child, .cm-completionInfo p:last-child": { margin: 0 },
  ".about code, .cm-completionInfo code": { fontFamily: "var(--mono)", fontSize: "12.5px" },
  ".quiet": { color: "var(--quiet)" },
  ".hint": { color: "var(--faint)", paddingLeft: "2.5em", fontSize: "12px", userSelect: "none", whiteSpace: "pre" },
});

const COLOURS = HighlightStyle.define([
  { tag: tags.definition(tags.propertyName), color: "var(--key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: tags.lineComment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.labelName, tags.typeName, tags.keyword, tags.meta], color: "var(--accent)" },
  { tag: [tags.separator, tags.squareBracket, tags.brace, tags.punctuation], color: "var(--quiet)" },
]);

// Places are lines and columns in characters, from 1; offsets are in UTF-16 units, from 0.
function offsetOf(doc, line, column) {
  if (line < 1) return 0;
  if (line > doc.lines) return doc.length;
  const { from, text } = doc.line(line);
  let offset = 0;
  for (let passed = 1; passed < column && offset < text.length; passed++) offset += text.codePointAt(offset) > 0xffff ? 2 : 1;
  return from + offset;
}

function placeOf(doc, offset) {
  const line = doc.lineAt(offset);
  return { line: line.number, column: [...line.text.slice(0, offset - line.from)].length + 1 };
}

const spanOf = (doc, place) => {
  const from = offsetOf(doc, place.line, place.column);
  const to = place.end_line ? offsetOf(doc, place.end_line, place.end_column) : from;
  return to > from ? { from, to } : { from: Math.min(from, Math.max(0, doc.length - 1)), to: Math.min(from + 1, doc.length) };
};

class Hint extends WidgetType {
  constructor(text) { super(); this.text = text; }
  eq(other) { return other.text === this.text; }
  toDOM() { return element("span", { class: "hint", title: this.text, "aria-hidden": "true" }, this.text.replace(" params", "")); }
}

const setHints = StateEffect.define();
const hintField = StateField.define({
  create: () => Decoration.none,
  update(hints, transaction) {
    const set = transaction.effects.find((effect) => effect.is(setHints));
    return set ? set.value : hints.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

// `ask(want, place)` promises what there is at a place; the others are told what happens.
export function createEditor(parent, { ask, onChange, onCursor, onSave }) {
  const root = parent.attachShadow({ mode: "open" });
  const extensions = [
    keymap.of([{ key: "Mod-s", preventDefault: true, run: () => (onSave(), true) }, indentWithTab]),
    basicSetup, yaml(), indentUnit.of("  "), lintGutter(), hintField, LOOK, syntaxHighlighting(COLOURS),
    autocompletion({ override: [(context) => completed(context, ask)], icons: false }),
    hoverTooltip((view, offset) => hovered(view, offset, ask)),
    EditorView.contentAttributes.of({ "aria-label": "Config as YAML", spellcheck: "false" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) onChange(true);
      if (update.docChanged || update.selectionSet) onCursor(placeOf(update.state.doc, update.state.selection.main.head));
    }),
  ];
  const view = new EditorView({ parent: root, root, state: EditorState.create({ extensions }) });

  function apply(fix, doc) {
    if (view.state.doc !== doc) return;  // the fix is for another text
    const changes = fix.edits.map((edit) => ({
      from: offsetOf(doc, edit.line, edit.column), to: offsetOf(doc, edit.end_line, edit.end_column), insert: edit.text,
    }));
    view.dispatch({ changes, userEvent: "input.fix", scrollIntoView: true });
    view.focus();
  }

  return {
    get text() { return view.state.doc.toString(); },
    get version() { return view.state.doc; },
    get cursor() { return placeOf(view.state.doc, view.state.selection.main.head); },
    focus: () => view.focus(),
    apply,
    open(text) { view.setState(EditorState.create({ doc: text, extensions })); onChange(false); },
    jump({ line, column }) {
      const offset = offsetOf(view.state.doc, line, column);
      view.dispatch({ selection: { anchor: offset }, effects: EditorView.scrollIntoView(offset, { y: "center" }) });
      view.focus();
    },
    // Hints of a text that is broken stay where they were.
    show(problems, hints) {
      const { doc } = view.state;
      const diagnostics = problems.filter((problem) => !problem.file && problem.line).map((problem) => ({
        ...spanOf(doc, problem),
        severity: problem.severity || "error",
        message: [problem.message, problem.hint].filter(Boolean).join("\n"),
        renderMessage: () => element("div", {}, element("div", {}, problem.message), problem.hint && element("div", { class: "quiet" }, problem.hint)),
        actions: problem.fixes.map((fix) => ({ name: fix.title, apply: () => apply(fix, doc) })),
      }));
      const widgets = hints.filter((hint) => hint.line <= doc.lines).map((hint) =>
        Decoration.widget({ widget: new Hint(hint.text), side: 1 }).range(doc.line(hint.line).to));
      view.dispatch(setDiagnostics(view.state, diagnostics), hints.length ? { effects: setHints.of(Decoration.set(widgets, true)) } : {});
    },
  };
}

async function completed(context, ask) {
  const { doc } = context.state;
  if (!context.explicit && !context.matchBefore(/[\w$./-]$/)) return null;
  const answer = await ask("complete", placeOf(doc, context.pos));
  if (context.aborted || !answer.options?.length) return null;
  return {
    from: offsetOf(doc, answer.line, answer.column),
    to: offsetOf(doc, answer.end_line, answer.end_column),
    options: answer.options.map(({ label, detail, info, insert }) => ({
      label, detail, apply: insert || label,
      info: info ? () => element("div", {}, ...prose(info)) : undefined,
    })),
    validFor: /^[\w$./-]*$/,
  };
}

async function hovered(view, offset, ask) {
  const { doc } = view.state;
  const answer = await ask("hover", placeOf(doc, offset));
  if (!answer.markdown || view.state.doc !== doc) return null;
  const span = spanOf(doc, answer);
  return { pos: span.from, end: span.to, above: true, create: () => ({ dom: element("div", { class: "about" }, ...prose(answer.markdown)) }) };
}
