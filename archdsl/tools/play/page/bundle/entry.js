// What page.js uses of CodeMirror. Built into ../codemirror.js; see README.md.
export { basicSetup } from "codemirror";
export { autocompletion, startCompletion } from "@codemirror/autocomplete";
export { indentWithTab, isolateHistory, redo, undo } from "@codemirror/commands";
export { yaml } from "@codemirror/lang-yaml";
export { HighlightStyle, syntaxHighlighting, indentUnit } from "@codemirror/language";
export { forceLinting, setDiagnostics, lintGutter, openLintPanel } from "@codemirror/lint";
export { Compartment, EditorState, RangeSetBuilder, StateEffect, StateField, Transaction } from "@codemirror/state";
export { Decoration, EditorView, hoverTooltip, keymap, WidgetType } from "@codemirror/view";
export { tags } from "@lezer/highlight";
