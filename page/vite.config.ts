import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// biome-ignore lint/style/noDefaultExport: Vite reads it
export default defineConfig({
  root: folder('.'),
  // Relative: a proxy may serve it under a path of its own.
  base: './',
  logLevel: 'warn',
  // The icon is a file of its own, since the page's rules let nothing be loaded from inside a text.
  build: {
    outDir: folder('../dist/page'),
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: false,
    license: { fileName: 'licenses.md' },
  },
})
