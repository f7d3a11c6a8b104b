/** Owns the pen: the few shapes that all pictures are made of, as SVG. */

/** One or more SVG elements. Attributes alone, no style: pages forbid what is written into them. */
export type Shape = string

const attributes = (values: Record<string, string | number | undefined>) =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join('')

const element = (name: string, values: Record<string, string | number | undefined>) =>
  `<${name}${attributes(values)}/>`

export const rect = (
  x: number,
  y: number,
  width: number,
  height: number,
  fill: string,
  rx?: number,
) => element('rect', { x, y, width, height, rx, fill })

export const circle = (cx: number, cy: number, r: number, fill: string) =>
  element('circle', { cx, cy, r, fill })

export const ellipse = (cx: number, cy: number, rx: number, ry: number, fill: string) =>
  element('ellipse', { cx, cy, rx, ry, fill })

export const path = (d: string, fill: string) => element('path', { d, fill })

/** A line with round ends and corners. */
export const line = (d: string, stroke: string, width: number) =>
  element('path', {
    d,
    ...stroked(stroke, width),
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
  })

/** The outline of a circle or an ellipse. */
export const ring = (cx: number, cy: number, rx: number, stroke: string, width: number, ry = rx) =>
  element('ellipse', { cx, cy, rx, ry, ...stroked(stroke, width) })

/** A row of round dots along a line, each a `width` wide, `step` apart. */
export const dots = (d: string, stroke: string, width: number, step: number) =>
  element('path', {
    d,
    ...stroked(stroke, width),
    'stroke-linecap': 'round',
    'stroke-dasharray': `0 ${step}`,
  })

/** A line of dashes, of the same length as what is between them unless `gap` says otherwise. */
export const dashes = (d: string, stroke: string, width: number, length: number, gap = length) =>
  element('path', { d, ...stroked(stroke, width), 'stroke-dasharray': `${length} ${gap}` })

const stroked = (stroke: string, width: number) => ({ fill: 'none', stroke, 'stroke-width': width })

const group = (values: Record<string, string | number>, shapes: Shape[]) =>
  `<g${attributes(values)}>${shapes.join('')}</g>`

export const turned = (degrees: number, ...shapes: Shape[]) =>
  group({ transform: `rotate(${degrees} 240 240)` }, shapes)

export const moved = (x: number, y: number, ...shapes: Shape[]) =>
  group({ transform: `translate(${x} ${y})` }, shapes)

export const faded = (opacity: number, ...shapes: Shape[]) => group({ opacity }, shapes)

export const transformed = (transform: string, ...shapes: Shape[]) => group({ transform }, shapes)

/** The shapes and their mirror image, about the middle of the picture. */
export const mirrored = (...shapes: Shape[]) =>
  shapes.join('') + group({ transform: 'matrix(-1 0 0 1 480 0)' }, shapes)
