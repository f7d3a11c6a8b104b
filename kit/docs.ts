/** Owns /docs: Swagger UI from its npm package, served from here so that it works offline. */
import { readFile } from 'node:fs/promises'
import type { Hono } from 'hono'
import type { HttpEnv } from './http.ts'

const SCRIPT_TYPE = 'text/javascript; charset=utf-8'
const ASSETS: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': SCRIPT_TYPE,
}

const PACKAGE = import.meta.resolve('swagger-ui-dist/package.json')

// Only what is served from here may run: the page must not reach out.
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

/** Adds `/docs` (the page) and `/docs/*` (its script and style) to a service. */
export function addDocs(http: Hono<HttpEnv>, title: string): void {
  http.get('/docs', (c) =>
    c.html(docsPage(title), 200, { 'content-security-policy': CONTENT_SECURITY_POLICY }),
  )
  // One route for all: a fixed name beside a parameter would cost every request Hono's fastest router.
  http.get('/docs/:asset', async (c) => {
    const asset = c.req.param('asset')
    if (asset === 'start.js') return c.body(START_SCRIPT, 200, { 'content-type': SCRIPT_TYPE })
    const type = ASSETS[asset]
    if (type === undefined) return c.notFound()
    const content = await readFile(new URL(asset, PACKAGE))
    return c.body(content, 200, { 'content-type': type, 'cache-control': 'public, max-age=86400' })
  })
}

// Relative URLs, so that the page also works behind a prefix.
const START_SCRIPT = `SwaggerUIBundle({
  url: 'openapi.json', dom_id: '#docs', deepLinking: true, docExpansion: 'list',
  defaultModelsExpandDepth: 0, validatorUrl: null, tryItOutEnabled: true,
})`

const docsPage = (title: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>`
