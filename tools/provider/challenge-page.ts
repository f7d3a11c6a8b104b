/** Owns the page on which a customer approves or declines a payment that asks for it. */
import { createHash } from 'node:crypto'
import type { ChargeStatus } from './contract.ts'
import type { MadeCharge } from './domain.ts'

const STYLE = `
  :root { color-scheme: light dark; --ink: #16181d; --soft: #5b6472; --card: #fff; --page: #eef0f4;
    --line: #d5dae2; --strong: #1f5fd6 }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #eceef2; --soft: #a2abb9; --card: #1c2027; --page: #12151a; --line: #343b47;
      --strong: #2f6fe8 }
  }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
    background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
  main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card);
    border: 1px solid var(--line); border-radius: 1rem }
  h1 { margin: 0; font-size: 1.15rem }
  p { margin: .5rem 0 0; color: var(--soft) }
  .amount { margin: 1.25rem 0; color: var(--ink); font-size: 2.25rem; font-weight: 650;
    line-height: 1.1; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
  form { display: grid; gap: .75rem; margin-top: 1.5rem }
  button { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .6rem;
    background: none; color: inherit; font: inherit; font-weight: 600; cursor: pointer }
  button[value=approve] { border-color: var(--strong); background: var(--strong); color: #fff }
  button:focus-visible, a:focus-visible { outline: 3px solid var(--strong); outline-offset: 3px }
  a { display: block; margin-top: 1.25rem; color: inherit; text-align: center }
  small { display: block; margin-top: 1.5rem; color: var(--soft) }
`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

// A form's action covers where its answer redirects to (Chromium blocks that otherwise).
const headers = (back: URL | undefined) => ({
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; ` +
    `form-action ${["'self'", ...(back === undefined ? [] : [back.origin])].join(' ')}; ` +
    "base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})

const ENDED: Record<Exclude<ChargeStatus, 'requires_action'>, [string, string]> = {
  succeeded: ['Payment approved', 'Thank you. You can go back to the shop now.'],
  requires_capture: ['Payment approved', 'Thank you. You can go back to the shop now.'],
  processing: ['Payment is being processed', 'You can go back to the shop now.'],
  declined: ['Payment declined', 'Nothing was charged. You can go back to the shop now.'],
  canceled: ['Payment canceled', 'Nothing was charged. You can go back to the shop now.'],
}

/**
 * The page of a charge: the question while it is open, and how it ended after that; with a way `back`
 * where the shop gave one. The form has no action: it is sent to the page's own address, `return_to` too.
 */
export function challengePage({ status, made }: MadeCharge, back?: URL): Response {
  const amount = `<p class="amount">${escape(formatted(made.request))}</p>`
  if (status === 'requires_action') {
    return page(
      200,
      'Approve this payment?',
      `<p>Your bank asks you to confirm it.</p>${amount}
      <form method="post">
        <button name="decision" value="approve">Approve</button>
        <button name="decision" value="decline">Decline</button>
      </form>`,
      back,
    )
  }
  const [title, text] = ENDED[status]
  return page(200, title, `${amount}<p>${text}</p>`, back)
}

export function unknownChallengePage(): Response {
  return page(404, 'No such payment', '<p>This address belongs to no payment.</p>')
}

export function unclearDecisionPage(): Response {
  return page(400, 'Nothing was decided', '<p>Go back, and approve or decline the payment.</p>')
}

function formatted({ amount, currency }: { amount: number; currency: string }): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  return format.format(amount / 10 ** digits)
}

function page(status: number, title: string, content: string, back?: URL): Response {
  const link = back && `<a href="${escape(back.href)}">Back to the shop</a>`
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      ${content}
      ${link ?? ''}
      <small>Test card processor: no real money moves.</small>
    </main>
  </body>
</html>
`
  return new Response(html, { status, headers: headers(back) })
}

function escape(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (character) => names[character] ?? '')
}
