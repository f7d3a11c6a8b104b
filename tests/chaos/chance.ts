/** Owns chance that follows from a seed: the same seed and subject, the same numbers. */

export type Chance = {
  /** In [0, 1). */
  fraction: () => number
  /** A whole number from `least` to `most`, both included. */
  between: (least: number, most: number) => number
  pick: <Item>(items: readonly Item[]) => Item
  /** One of the names, as often as its weight among all weights says. */
  weighted: <Name extends string>(weights: Record<Name, number>) => Name
}

/** A stream of its own for each subject, so that one that draws more leaves the others as they were. */
export function chanceOf(seed: number, ...subject: (string | number)[]): Chance {
  const fraction = smallFastCounter(hash([seed, ...subject].join(' ')))
  const between = (least: number, most: number) =>
    least + Math.floor(fraction() * (most - least + 1))
  return {
    fraction,
    between,
    pick<Item>(items: readonly Item[]): Item {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
    weighted<Name extends string>(weights: Record<Name, number>): Name {
      const names = Object.keys(weights) as Name[]
      let left = fraction() * names.reduce((sum, name) => sum + weights[name], 0)
      const found = names.find((name) => (left -= weights[name]) < 0) ?? names.at(-1)
      if (found === undefined) throw new Error('nothing to weigh')
      return found
    },
  }
}

// FNV-1a, 32 bits.
function hash(text: string): number {
  let value = 0x81_1c_9d_c5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01_00_01_93)
  return value >>> 0
}

// sfc32 of PractRand, with its 12 warm-up rounds.
function smallFastCounter(seed: number): () => number {
  let [a, b, c, counter] = [0, seed, seed ^ 0x9e_37_79_b9, 1]
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 12; round += 1) next()
  return next
}
