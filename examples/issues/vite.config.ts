import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

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
})
