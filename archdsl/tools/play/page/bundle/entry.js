// What editor.js uses of CodeMirror. Built into ../codemirror.js; see README.md.
export { basicSetup } from "codemirror";
export { autocompletion } from "@codemirror/autocomplete";
export { indentWithTab } from "@codemirror/commands";
export { yaml } from "@codemirror/lang-yaml";
export { HighlightStyle, syntaxHighlighting, indentUnit } from "@codemirror/language";
export { setDiagnostics, lintGutter } from "@codemirror/lint";
export { EditorState, StateEffect, StateField } from "@codemirror/state";
export { Decoration, EditorView, hoverTooltip, keymap, WidgetType } from "@codemirror/view";
export { tags } from "@lezer/highlight";
