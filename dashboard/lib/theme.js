// The theme, set before anything is painted: a script of the old kind, since
// those that are modules run after the first picture.

(() => {
  const KEY = "gatewright-theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      // A browser that keeps nothing for this page follows the system.
      return null;
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") {
      root.dataset.theme = theme;
    } else {
      delete root.dataset.theme;
    }
  }

  apply(stored());
  // The header's button speaks with this by an event.
  document.addEventListener("gatewright:theme", ({ detail }) => {
    apply(detail);
    try {
      localStorage.setItem(KEY, detail);
    } catch {
      // It holds until the page is left, then.
    }
  });
})();
