import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The page talks to its own address; what goes to /graphql is passed on to rowcast.
const proxy = { '/graphql': { target: process.env['ROWCAST_URL'] ?? 'http://127.0.0.1:4000', ws: true } }

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [react()],
  // Inside this repository rowcast is its sources. Elsewhere leave this out, and `paths` in tsconfig.json too.
  resolve: {
    alias: {
      'rowcast/client': fileURLToPath(new URL('../../src/client/client.ts', import.meta.url)),
      'rowcast/react': fileURLToPath(new URL('../../src/adapters/react.ts', import.meta.url)),
    },
  },
  server: { proxy },
  preview: { proxy },
})
