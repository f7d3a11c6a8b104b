/** Owns how the shop is built, and how it is served while one works on it. */
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Where a running shop answers while one works on its pages: `npm start` first. */
const GATEWAY = process.env['GATEWAY_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react(), tailwind()],
  build: {
    target: ['chrome123', 'firefox125', 'safari17.5'],
    // A picture inlined as data: is what the Content-Security-Policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: Object.fromEntries(['/api', '/browser', '/pictures'].map((path) => [path, GATEWAY])),
  },
})
