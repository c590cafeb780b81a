import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// biome-ignore lint/style/noDefaultExport: Vite reads it
export default defineConfig({
  root: folder('.'),
  // Relative: a proxy may serve it under a path of its own.
  base: './',
  // Its dependencies’ "use client" is a warning each.
  logLevel: 'error',
  plugins: [
    {
      name: 'no-fonts',
      enforce: 'pre',
      // Its fonts are 370 kB inside its styles; the system's do as well.
      transform: (code: string, id: string) =>
        id.includes('graphiql') && id.endsWith('.css')
          ? code
              .split('@font-face')
              .map((part, index) => (index === 0 ? part : part.slice(part.indexOf('}') + 1)))
              .join('')
          : null,
    },
  ],
  build: {
    outDir: folder('../../dist/graphiql'),
    // Below GraphQL's own path: a proxy that passes that on, passes these on.
    assetsDir: 'graphql/assets',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: false,
    // Of what is in the bundle: their authors ask for it.
    license: { fileName: 'licenses.md' },
    chunkSizeWarningLimit: 2_000,
    // One file: it is asked for once, and cached for good.
    rolldownOptions: { output: { codeSplitting: false } },
  },
})
