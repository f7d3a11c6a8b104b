/** Owns how every picture is set: the same square, light from the upper left, a soft shadow on the ground. */
import { circle, ellipse, faded, moved, path, type Shape } from './pen.ts'
import { INK, type Room } from './tones.ts'

/** Pictures by the id of their product, each a whole SVG document. */
export type Pictures = Record<string, string>

const SIZE = 480
const HORIZON = 356
const SHADE = 0.14

const whole = (shapes: Shape[]) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE} ${SIZE}">${shapes.join('')}</svg>\n`

const square = (fill: string) => path(`M0 0h${SIZE}v${SIZE}H0z`, fill)

/** Something that stands on the floor, in front of the wall. */
export const standing = ({ wall, floor, disc }: Room, ...shapes: Shape[]) =>
  whole([
    square(wall),
    circle(240, 216, 158, disc),
    path(`M0 ${HORIZON}h${SIZE}V${SIZE}H0z`, floor),
    ...shapes,
  ])

/** Something that hangs on the wall, or from above. */
export const hanging = ({ wall, disc }: Room, ...shapes: Shape[]) =>
  whole([square(wall), circle(240, 240, 176, disc), ...shapes])

/** Something that lies on a table, seen from above: its outline falls on it as a shadow. */
export const lying = ({ wall, disc }: Room, outline: Shape, ...shapes: Shape[]) =>
  whole([square(wall), circle(240, 240, 176, disc), faded(SHADE, moved(9, 13, outline)), ...shapes])

/** The shadow of what touches the floor. */
export const shadow = (cx: number, cy: number, rx: number, ry = rx / 11) =>
  faded(SHADE, ellipse(cx, cy, rx, Math.round(ry), INK))
