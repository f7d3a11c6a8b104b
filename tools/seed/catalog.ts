/** Owns reading the demo catalog: what `POST /products` takes, one product each. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const product = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  price: z.strictObject({ amount: z.int(), currency: z.string() }),
  stock: z.int(),
})

export type SeedProduct = z.infer<typeof product>

/** All products of the demo catalog. */
export function catalog(): SeedProduct[] {
  const file = new URL('./catalog.json', import.meta.url)
  return z.array(product).parse(JSON.parse(readFileSync(file, 'utf8')))
}
