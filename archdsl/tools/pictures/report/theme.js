// What every page has: a switch between light and dark.

/** Begins as the system is, and follows it until it is used. */
function themeSwitch() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const tell = () => button.setAttribute("aria-checked", isDark());
  const turn = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tell();
  };
  const knob = element("span", { class: "switch", "aria-hidden": "true" });
  const attributes = { type: "button", role: "switch", "aria-checked": isDark(), "aria-label": "Dark colours" };
  const button = element("button", { ...attributes, onclick: turn }, knob, "Dark");
  system.addEventListener("change", tell);
  return button;
}
