/** Owns the OpenAPI document: the contract's schemas, told to tools. */
import { z } from 'zod'
import { answers, bodies, recordPage, recordQuery, totals, webhookEvent } from './contract.ts'

const SUMMARIES: Record<keyof typeof bodies, string> = {
  charges: 'Charge, or answer with the current state of what was charged before by the same key',
  captures: 'Capture authorised charges, once each',
  cancels: 'Cancel charges; one that was never seen is refused from then on',
  refunds: 'Give back captured money, never more than was captured',
  lookups: 'How charges stand; not found proves nothing',
}

/** The OpenAPI 3.1 document of the API. */
export function openapiDocument(publicUrl: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: { title: 'Card processor', description: 'A simulated card processor.', version: '1' },
    servers: [{ url: publicUrl }],
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    paths: {
      ...Object.fromEntries(batches.map((name) => [`/v1/${name}`, { post: batchOperation(name) }])),
      '/v1/record': {
        get: {
          summary: 'The durable record, oldest first',
          parameters: queryParameters(),
          responses: jsonResponse(recordPage),
        },
      },
      '/v1/totals': {
        get: { summary: 'What the record adds up to', responses: jsonResponse(totals) },
      },
    },
    webhooks: { charge: { post: webhookOperation() } },
  }
}

function webhookOperation() {
  const description =
    '`t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`; several v1 while the secret is replaced'
  return {
    summary:
      'What became of a charge whose own answer did not tell it; again until it is answered 2xx',
    parameters: [
      { name: 'Provider-Signature', in: 'header', description, schema: { type: 'string' } },
    ],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: jsonSchema(webhookEvent, 'output') } },
    },
    responses: { 200: { description: 'It has arrived' } },
  }
}

const batches = ['charges', 'captures', 'cancels', 'refunds', 'lookups'] as const

function batchOperation(name: keyof typeof bodies) {
  const content = { 'application/json': { schema: jsonSchema(bodies[name], 'input') } }
  return {
    summary: SUMMARIES[name],
    requestBody: { required: true, content },
    responses: jsonResponse(answers[name]),
  }
}

function queryParameters() {
  return Object.entries(recordQuery.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: jsonSchema(schema, 'output'),
  }))
}

function jsonResponse(schema: z.ZodType) {
  const json = { 'application/json': { schema: jsonSchema(schema, 'output') } }
  const problem = { 'application/problem+json': { schema: { type: 'object' } } }
  return {
    200: { description: 'Done', content: json },
    default: { description: 'A problem (RFC 9457)', content: problem },
  }
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output') {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}
