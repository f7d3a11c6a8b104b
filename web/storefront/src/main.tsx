/** Owns the start of the shop in a browser. */
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { keepWhatIsSeen } from './api/kept.ts'
import { queryClient } from './api/query-client.ts'
import { askAhead } from './shell/ahead.ts'
import { App } from './shell/app.tsx'
import './style.css'

try {
  keepWhatIsSeen(queryClient, localStorage)
} catch {
  // Storage is not allowed here: the shop works, and forgets what was seen.
}

askAhead(window.location)

const root = document.getElementById('app')
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  )
}
