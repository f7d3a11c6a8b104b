/** Proves that an array arrives in PostgreSQL as it left, whatever it holds. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { toArrayLiteral } from './array-literal.ts'
import { createTestDatabase, type TestDatabase } from './testing.ts'

let database: TestDatabase
before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
})
after(() => database.drop())

async function assertArrives(type: string, values: unknown[], expected = values): Promise<void> {
  const [row] = await database.db.query<{ back: unknown[] }>(`select $1::${type}[] as back`, [
    values,
  ])
  assert.deepEqual(row?.back, expected)
}

// All that PostgreSQL can hold: the door refuses NUL and lone surrogates (rule 16).
const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter((value) => !value.includes('\0') && value.isWellFormed())

test('text arrives as it left: quotes, backslashes, line ends, braces, NULL and "NULL"', async () => {
  const hard = [
    '',
    'NULL',
    'null',
    '{a,b}',
    '"',
    '\\',
    '\\n',
    '\n',
    '\t"\\',
    'ä€😀',
    ' a ',
    ',',
    null,
  ]
  await assertArrives('text', hard)
  const awkward = fc.constantFrom('"', '\\', '\n', '\u0001', '{', '}', ',', 'n', 'u', ' ')
  const strings = fc.oneof(text, fc.string({ unit: awkward, maxLength: 8 }))
  const arrays = fc.array(fc.option(strings), { maxLength: 20 })
  await fc.assert(fc.asyncProperty(arrays, (values) => assertArrives('text', values)))
})

test('numbers, truths, times, documents and nothing at all arrive as they left', async () => {
  await assertArrives('int', [0, -1, 2_147_483_647, null])
  await assertArrives('float8', [0.1, -1e300, Number.POSITIVE_INFINITY, Number.NaN])
  await assertArrives('boolean', [true, false, null])
  await assertArrives('timestamptz', [new Date(0), new Date('2030-12-31T23:59:59.999Z'), null])
  const documents = [{ a: 'x "y" \\ \n' }, ['{', null], 'text']
  const asText = documents.map((document) => JSON.stringify(document))
  await assertArrives('jsonb', asText, documents)
  await assertArrives('text', [])
  await assertArrives('text', [undefined, 'a'], [null, 'a'])
})

test('what JSON says otherwise is left to the driver', () => {
  assert.equal(
    toArrayLiteral(['a', 1, null, new Date(0)]),
    '{"a",1,null,"1970-01-01T00:00:00.000Z"}',
  )
  for (const value of [
    '\n',
    '\u0001',
    1n,
    Number.NaN,
    ['a'],
    Buffer.from('a'),
    new Date(Number.NaN),
  ]) {
    assert.equal(toArrayLiteral(['a', value]), undefined)
  }
})
