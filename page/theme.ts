/** The live page: light or dark, as the system says until the button says otherwise. */
import { find } from './dom.ts'

const STORED = 'rowcast-theme'

/** Sets the theme and makes the button change it. */
export function initTheme(): void {
  const button = find('theme', HTMLButtonElement)
  const system = matchMedia('(prefers-color-scheme: dark)')
  let chosen = localStorage.getItem(STORED)

  function show(): void {
    const theme = chosen ?? (system.matches ? 'dark' : 'light')
    document.documentElement.dataset['theme'] = theme
    button.setAttribute('aria-pressed', String(theme === 'dark'))
  }

  button.addEventListener('click', () => {
    chosen = document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark'
    localStorage.setItem(STORED, chosen)
    show()
  })
  system.addEventListener('change', show)
  show()
}
