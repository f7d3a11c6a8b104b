// Before the first paint: the theme that was chosen here, so that nothing flashes. See src/shell/theme.ts.
try {
  const theme = localStorage.getItem('fermata.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // A browser that keeps nothing: the system's theme.
}
