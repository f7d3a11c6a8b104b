/** Owns the proof that every demo product has a picture of its own, small and harmless, and that it is the one drawn here. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { catalog } from '../seed/catalog.ts'
import { FOLDER, pictures } from './pictures.ts'
import { ROOMS } from './tones.ts'

const MAX_BYTES = 4_000
const MAX_COLOURS = 28

test('every product of the demo catalog has a picture, in the room of its category', () => {
  assert.deepEqual(
    Object.keys(pictures).toSorted(),
    catalog()
      .map(({ id }) => id)
      .toSorted(),
  )
  const rooms = new Map(Object.entries(ROOMS))
  for (const { id, category } of catalog()) {
    assert.ok(pictures[id]?.includes(rooms.get(category)?.wall ?? 'no room'), `${id}: ${category}`)
  }
  assert.equal(new Set(Object.values(pictures)).size, catalog().length)
})

test('the pictures that are served are those that are drawn: npm run pictures', () => {
  const served = readdirSync(FOLDER).toSorted()
  assert.deepEqual(
    served,
    Object.keys(pictures)
      .map((id) => `${id}.svg`)
      .toSorted(),
  )
  for (const [id, picture] of Object.entries(pictures)) {
    assert.equal(readFileSync(new URL(`${id}.svg`, FOLDER), 'utf8'), picture, id)
  }
})

test('a picture is a small square of shapes: no text, no script, no style, nothing from elsewhere', () => {
  for (const [id, picture] of Object.entries(pictures)) {
    assert.match(
      picture,
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 480 480">/,
      id,
    )
    assert.ok(Buffer.byteLength(picture) < MAX_BYTES, `${id}: ${Buffer.byteLength(picture)} bytes`)
    const elements = new Set(Array.from(picture.matchAll(/<(\w+)/g), ([, name]) => name))
    for (const shape of ['svg', 'g', 'path', 'rect', 'circle', 'ellipse']) elements.delete(shape)
    assert.deepEqual([...elements], [], id)
    assert.doesNotMatch(picture, /style=|href|url\(|on\w+=|undefined|NaN/, id)
    assert.equal(picture.match(/<g[ >]/g)?.length ?? 0, picture.match(/<\/g>/g)?.length ?? 0, id)
  }
})

test('few colours: each picture is of one hand', () => {
  for (const [id, picture] of Object.entries(pictures)) {
    const colours = new Set(picture.match(/#[\da-f]{6}/g))
    assert.ok(colours.size <= MAX_COLOURS, `${id}: ${colours.size} colours`)
  }
})
