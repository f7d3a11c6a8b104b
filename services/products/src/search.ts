/** Owns how what a person types becomes a tsquery: every word must occur, the last may be a beginning. Pure. */

// A beginning as short as this is looked for in names and categories (weights A and B) alone: in
// descriptions it would find nearly everything, by words such as "the".
const SHORT = 2
// At most this many words are searched for; a sentence longer than that is none.
const MAX_WORDS = 16

/** A tsquery in text for `to_tsquery('simple', …)`; empty when nothing of the input is a word. */
export function toTextQuery(input: string): string {
  const words = input.match(/[\p{L}\p{N}]+/gu)?.slice(0, MAX_WORDS) ?? []
  // Letters and digits only, so nothing of it can be an operator of tsquery.
  return words
    .map((word, index) => (index === words.length - 1 ? beginning(word) : word))
    .join(' & ')
}

const beginning = (word: string) => `${word}:*${word.length <= SHORT ? 'AB' : ''}`
