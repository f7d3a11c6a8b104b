/** Owns the colours of all pictures: few, so that they are of one hand. Each stands out on light and on dark. */

/** What a picture stands in front of, by category: a wall, a floor, and a sun or moon on the wall. */
export const ROOMS = {
  Furniture: { wall: '#e8d5bd', floor: '#d6bc9b', disc: '#f2e4d1' },
  Kitchen: { wall: '#cdd6c6', floor: '#b1bfa9', disc: '#dee5d8' },
  Lighting: { wall: '#40365a', floor: '#332a49', disc: '#51466d' },
  Books: { wall: '#e9c8b8', floor: '#d9ad99', disc: '#f3dbd0' },
  Outdoors: { wall: '#b9cbc2', floor: '#94ad9f', disc: '#cfdcd4' },
  Clothing: { wall: '#c5d0dc', floor: '#a7b6c6', disc: '#d7dfe8' },
  Office: { wall: '#ecd9a6', floor: '#d9bf7f', disc: '#f5e8c6' },
  Audio: { wall: '#d2c3d8', floor: '#b8a5c1', disc: '#e1d6e5' },
} as const

export type Room = (typeof ROOMS)[keyof typeof ROOMS]

/** A colour as it is, in the light, and in the shade. */
export type Tone = { base: string; light: string; dark: string }

const tone = (base: string, light: string, dark: string): Tone => ({ base, light, dark })

export const INK = '#2b1b2e'
export const PAPER = '#fdf6e9'

export const walnut = tone('#8a5539', '#a66d4c', '#693d28')
export const oak = tone('#d29f63', '#e6bd88', '#b07f45')
export const birch = tone('#e8c795', '#f5dfba', '#c9a36d')
export const cork = tone('#c79262', '#dbae82', '#a97345')
export const linen = tone('#efe3cd', '#faf3e4', '#d3c2a4')
export const coal = tone('#3a333f', '#57505d', '#28222c')
export const steel = tone('#a9b2b9', '#d3d9dd', '#7f8a93')
export const brass = tone('#d9a441', '#f3cf80', '#ad7a26')
export const copper = tone('#c8744a', '#e49a70', '#9c5231')
export const plum = tone('#6b3463', '#8c5083', '#4b2146')
export const clay = tone('#c65d3f', '#df8463', '#9c4229')
export const saffron = tone('#e3a52b', '#f3c55f', '#b97f16')
export const sage = tone('#8ba388', '#acc0a7', '#67806a')
export const pine = tone('#3f6b57', '#5d8a74', '#2b4e3f')
export const sea = tone('#3f6d86', '#6a95ac', '#2b4f65')
export const rose = tone('#dd9c8c', '#edbdb0', '#bd7868')
export const glow = '#ffdf9e'
